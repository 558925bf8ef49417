"""Whether what was found is what a suite expects."""

from __future__ import annotations

from postcopy.suites.entries import NO_VERDICT, WRONG, Entry, Found, Judged, Status


def judge(entry: Entry, found: Found, *, reused: bool = False) -> Judged:
    """The judgement of a question.

    Args:
        entry: the question.
        found: what came of it.
        reused: it was not asked again.
    """
    status, why = _judged(entry, found)
    return Judged(entry, found, status, why, reused)


def _judged(entry: Entry, found: Found) -> tuple[Status, str]:
    if found.verdict == "error":
        return Status.ERROR, found.sentence
    if entry.accepted:
        return _accepted(entry, found)
    if found.verdict not in (WRONG if not entry.expect else {entry.expect}):
        status = Status.INCONCLUSIVE if found.verdict in NO_VERDICT else Status.UNEXPECTED
        return status, f"expected: {_expected(entry)}; found: {found.sentence}"
    if entry.violates and set(found.violated) != set(entry.violates):
        return Status.UNEXPECTED, f"expected: {_expected(entry)}; found: {', '.join(found.violated)}"
    if entry.strict and found.warnings:
        return Status.UNEXPECTED, f"{found.sentence}; with strict, what weakens it counts: {found.warnings[0]}"
    return Status.EXPECTED, found.sentence


def _accepted(entry: Entry, found: Found) -> tuple[Status, str]:
    """A known finding has to be found, and nothing else: what is mended is to be taken out of the file."""
    new = [name for name in found.violated if name not in entry.accepted]
    if new:
        return Status.UNEXPECTED, f"violated, and not accepted: {', '.join(new)}; found: {found.sentence}"
    if found.verdict in NO_VERDICT:
        return Status.INCONCLUSIVE, found.sentence
    gone = [name for name in entry.accepted if name not in found.violated]
    if gone:
        return Status.UNEXPECTED, f"accepted, and violated no more: {', '.join(gone)}: take it out of the suite"
    reasons = "; ".join(f"{name}: {reason}" for name, reason in entry.accepted.items())
    return Status.ACCEPTED, reasons


def _expected(entry: Entry) -> str:
    return f"{entry.expect or 'violated'} ({', '.join(entry.violates)})" if entry.violates else entry.expect
