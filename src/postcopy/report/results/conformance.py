"""Whether a log, a recording, or all that the engine can do is a behaviour of a model: in words."""

from __future__ import annotations

from collections.abc import Iterator

from postcopy.conformance.logs import Explanation
from postcopy.conformance.qemu.judge import Judgement
from postcopy.conformance.refinement import Refinement


def refined(found: Refinement) -> list[str]:
    """The verdict on all interleavings of the engine's threads, a line each."""
    size = f"{found.states:,} states, {found.transitions:,} transitions"
    if found.failure is None:
        taken = f"; {len(found.actions)} of the model's actions were taken"
        return [f"the engine's cores refine the model at this size: every interleaving, {size}{taken}"]
    lines = [f"the engine does what the model does not ({size} until then)"]
    lines += [f"{n:3}. {move}" for n, move in enumerate(found.failure.moves, start=1)]
    rule = f" ({found.failure.rule})" if found.failure.rule else ""
    return [*lines, f"why: {found.failure.why}{rule}"]


def explained(found: Explanation, records: int) -> list[str]:
    """The verdict on a log of the engine, a line each.

    Args:
        found: the explanation of the log.
        records: how many records the log has.
    """
    if found.unexplained is None:
        beginning = "" if found.over else "; it is a beginning: not both hosts have come to their end"
        return [f"the log conforms: its {records:,} records are {found.actions:,} steps of the model{beginning}"]
    odd = found.unexplained
    record = odd.record
    about = f" {record.page}" if record.page is not None else ""
    return [
        f"no behaviour of the model explains this log: {found.steps:,} of {records:,} records are explained",
        f"first unexplained: record {odd.number} of the {record.host}, {record.thread}: {record.step.value}{about}",
        f"why: {odd.why}",
        f"could have been taken instead: {', '.join(odd.enabled) or 'nothing'}",
    ]


def in_words(found: Judgement) -> Iterator[str]:
    """The verdict on what two QEMUs did, a line each."""
    size = f"{found.observations:,} observations, {found.pages:,} pages, {found.seconds:.1f} s"
    if found.verdict == "conforms":
        yield f"conforms to {found.protocol}: a run of {found.actions:,} actions explains it ({size})"
        hidden = ", ".join(f"{name} {count:,}" for name, count in list(found.hidden.items())[:6])
        yield f"taken without being seen: {hidden or 'nothing'}"
    else:
        yield f"{found.verdict}: {found.explained:,} observations are explained by {found.protocol} ({size})"
        if found.first is not None:
            word = "first that nothing explains" if found.verdict == "refuted" else "no explanation was found for"
            number = f"number {found.first.number:,}, " if found.first.number else ""
            yield f"{word}: {found.first.words}, of the {found.first.host} ({number}{found.first.place})"
        about = f" ({', '.join(found.about)})" if found.about else ""
        yield f"why: {found.why}{about}"
        for near in found.nearest:
            qemu = f", {near.qemu}" if near.qemu else ""
            where = f" ({near.where})" if near.where else ""
            yield f"it is not {near.action}{qemu}: {near.guard}{where}"
    yield from (f"inferred: {line}" for line in found.inferred)
    yield from (f"not to be seen: {line}" for line in found.unseen)
