"""The generated block about real bugs put back into QEMU 11.1, for `tables`."""

from __future__ import annotations

from documentation.markdown import table
from documentation.tables_of_bugs import to
from postcopy.catalogue.bugs.known import COMMITS
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.history_in_qemu import PUT_BACK, PutBack, why_not
from postcopy.report.charts.markdown import escape


def history_in_qemu() -> str:
    """Every real bug, and what QEMU 11.1 is with it."""
    rows = []
    for name, bug in HISTORY.items():
        found = [_row(bug.entry, each) for each in PUT_BACK if each.bug == name]
        rows += found or [[to(bug.entry), _commit(bug.commit, bug.system), "", "", escape(why_not(name))]]
    return table(["entry", "mended by", "asked", "violated", "remark"], rows)


def _row(entry: str, each: PutBack) -> list[str]:
    verdict = f"`{each.broken}`, {each.steps} steps" if each.steps else f"`{each.broken}` holds"
    return [to(entry), _commit(each.commit, "QEMU"), f"`{each.shown.command}`", verdict, escape(each.remark)]


def _commit(commit: str, system: str) -> str:
    if commit and " " not in commit and system in COMMITS:
        return f"{system} [`{commit}`]({COMMITS[system].format(commit)})"
    return f"{system} {commit}".strip()
