"""Two runs side by side as one HTML page that needs nothing from elsewhere, laid out by `assets/two_runs.html`."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import Run, environment, run_of, tallest
from postcopy.report.records.two_runs import TwoRunsRecord
from postcopy.report.results.two_runs import Differing, Pair, TwoRuns
from postcopy.report.results.two_runs_words import NAMES, both_values, ends, parts_of_both, sentence
from postcopy.report.story import lanes
from postcopy.report.story.tell import StoryStep

FORMAT = FileFormat((".html",), "a page of two runs", comment=f"<!-- {WRITTEN} -->")


@dataclass(frozen=True)
class Half:
    """One run's part of a row: its step, if it takes one, and what is drawn."""

    step: StoryStep | None
    row: lanes.Row | lanes.Gap


@dataclass(frozen=True)
class PageRow:
    """A row of the page.

    Attributes:
        number: counted from 1.
        halves: what stands on the left and on the right.
        differing: parts of the state that differ afterwards: those of both protocols, and those of one.
        culprit: a run ends here in what it violates.
    """

    number: int
    halves: tuple[Half, Half]
    differing: tuple[list[Differing], list[Differing]]
    culprit: bool

    @property
    def which(self) -> int:
        """The run whose step is shown: the first that takes one."""
        return 0 if self.halves[0].step is not None else 1

    @property
    def step(self) -> StoryStep:
        """The step; where both runs take it, that of the first."""
        step = self.halves[self.which].step
        assert step is not None
        return step

    @property
    def speaking(self) -> tuple[Half, ...]:
        """The halves whose messages are shown: both, where they are not the same."""
        steps = [half.step for half in self.halves if half.step is not None]
        told = {(step.received, step.sent) for step in steps}
        return self.halves if len(told) > 1 else (self.halves[self.which],)

    @property
    def same(self) -> bool:
        """Both runs take the step."""
        return all(half.step is not None for half in self.halves)


def html(found: TwoRuns, record: TwoRunsRecord, command: str) -> str:
    """The page.

    Args:
        found: the two runs.
        record: what ``--json`` prints.
        command: the command line that does all this again; may be empty.
    """
    runs = [run_of(run) for run in found.runs]
    title = " and ".join(found.names)
    return (
        environment()
        .get_template("two_runs.html")
        .render(
            found={"protocol": title, "verdict": "same" if found.alike else "different"},
            names=NAMES,
            sentence=sentence(found),
            ends=list(zip(NAMES, ends(found), strict=True)),
            runs=runs,
            rows=[_row(found, runs, number, pair) for number, pair in enumerate(found.pairs, start=1)],
            beginning=parts_of_both(found.differing((0, 0))),
            tallest=max(tallest(run.groups) for run in runs),
            shown_values=both_values,
            command=command,
            data=pages.embedded({"diff": msgspec.to_builtins(record)}),
            colours=pages.COLOURS,
            style=pages.text("style.css") + "\n" + pages.text("two_runs.css"),
            script=pages.text("report.js"),
        )
    )


def _row(found: TwoRuns, runs: list[Run], number: int, pair: Pair) -> PageRow:
    one, other = (
        Half(step, lanes.gap(run.story, taken) if step is None else run.rows[step.number - 1])
        for step, run, taken in zip(pair.steps, runs, pair.taken, strict=True)
    )
    culprit = any(step is not None and step is run.story.culprit for step, run in zip(pair.steps, runs, strict=True))
    return PageRow(number, (one, other), parts_of_both(found.differing(pair.taken)), culprit)
