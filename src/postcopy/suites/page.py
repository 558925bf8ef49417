"""A run of a suite as one HTML page, beside the run before it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import environment
from postcopy.suites.entries import Judged, Run, Status
from postcopy.suites.outputs import SIGNS, place

FORMAT = FileFormat((".html",), "a page of a suite", comment=f"<!-- {WRITTEN} -->")

COLOURS = {
    Status.EXPECTED: "holds",
    Status.ACCEPTED: "reached",
    Status.UNEXPECTED: "violated",
    Status.INCONCLUSIVE: "unknown",
    Status.ERROR: "not-reached",
}
"""The class of a row, as in a table of properties."""


@dataclass(frozen=True)
class Row:
    """A question in the table; every attribute as it is shown."""

    name: str
    status: str
    sign: str
    colour: str
    why: str
    before: str
    states: str
    seconds: str
    reused: bool
    page: str
    story: str
    place: str


def html(run: Run, last: Run | None, at: Path) -> str:
    """The page.

    Args:
        run: the run.
        last: the run before it, or None.
        at: where the page will be, for links.
    """
    before = {} if last is None else last.by_name()
    rows = [_row(each, before.get(each.entry.name), last is not None, at) for each in run.judged]
    green = all(each.status.passes for each in run.judged)
    wrong = any(each.status in (Status.UNEXPECTED, Status.ERROR) for each in run.judged)
    return (
        environment()
        .get_template("suite.html")
        .render(
            found={"protocol": run.suite, "verdict": run.sentence},
            colour="good" if green else "bad" if wrong else "unsure",
            compared=_compared(rows, last),
            rows=rows,
            gone=[name for name in before if name not in run.by_name()],
            data=pages.embedded(msgspec.to_builtins(run)),
            colours=pages.COLOURS,
            style=pages.text("style.css"),
            script="",
        )
    )


def _row(each: Judged, before: Judged | None, compared: bool, at: Path) -> Row:
    file, line = place(each)
    return Row(
        name=each.entry.name,
        status=str(each.status),
        sign=SIGNS[each.status],
        colour=COLOURS[each.status],
        why=each.why,
        before=_before(each, before) if compared else "",
        states=f"{each.found.states:,}" if each.found.states else "",
        seconds=f"{each.found.seconds:.1f}",
        reused=each.reused,
        page=os.path.relpath(each.found.page, at.parent) if each.found.page else "",
        story="" if each.status.passes else each.found.story,
        place=f"{file}:{line}" if file else "",
    )


def _before(each: Judged, before: Judged | None) -> str:
    """What the last run said, where it said something else."""
    if before is None:
        return "new"
    if (before.status, before.found.verdict, before.found.violated) != (
        each.status,
        each.found.verdict,
        each.found.violated,
    ):
        names = f" ({', '.join(before.found.violated)})" if before.found.violated else ""
        return f"was {before.found.verdict}{names}, {before.status}"
    if before.found.states != each.found.states:
        return f"the same, with {before.found.states:,} states"
    return "the same"


def _compared(rows: list[Row], last: Run | None) -> str:
    if last is None:
        return "There is no earlier run to compare with."
    others = sum(row.before != "the same" for row in rows)
    return f"Compared with the last run ({last.sentence}): {others} of {len(rows)} questions differ."
