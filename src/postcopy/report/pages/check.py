"""A check as one HTML page that needs nothing from elsewhere: verdict, numbers, properties, coverage, and its stories.

The page is laid out by `assets/report.html` in `assets/result.html`, from the object that ``--json`` prints, the
stories, and what the state held. All of that is also in the page as JSON. The script only shows one step of a story
instead of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from postcopy.explorer.results import Verdict
from postcopy.language.properties import Property
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.coverage import coverage
from postcopy.report.pages.story import environment, run_of
from postcopy.report.records.check import CheckRecord
from postcopy.report.results import check as summary

FORMAT = FileFormat((".html",), "a page of all that was found", comment=f"<!-- {WRITTEN} -->")


def html(
    verdict: Verdict, further: Sequence[Verdict], found: CheckRecord, command: str, expected: tuple[str, ...] = ()
) -> str:
    """The page.

    Args:
        verdict: what the search has found.
        further: the verdicts without what is violated, where more counterexamples were looked for.
        found: the record that ``--json`` prints.
        command: the command line that does all this again.
        expected: the properties that the protocol is known to violate.
    """
    runs = [run_of(each.counterexample) for each in (verdict, *further) if each.counterexample]
    shown = msgspec.to_builtins(found)
    data = {"check": shown, "stories": msgspec.to_builtins([{"story": run.story, "state": run.held} for run in runs])}
    return (
        environment()
        .get_template("report.html")
        .render(
            verdict=verdict,
            found=shown,
            sentence=summary.sentence(verdict),
            known=f"{', '.join(expected)} – {summary.whether_found(verdict, expected)}" if expected else "",
            warnings=[*summary.without_role(verdict), *summary.warnings(verdict)],
            command=command,
            runs=runs,
            further=["; ".join((summary.sentence(each), *summary.without_role(each))) for each in further],
            sections=_sections(verdict),
            coverage=coverage(verdict.instance, verdict.fired, verdict.impossible),
            data=pages.embedded(data),
            colours=pages.COLOURS,
            style=pages.text("style.css"),
            script=pages.text("report.js"),
        )
    )


def _sections(verdict: Verdict) -> list[tuple[str, list[tuple[Property, str, str]]]]:
    """The properties group by group, each with its answer and the answer's sign."""
    found: list[tuple[str, list[tuple[Property, str, str]]]] = []
    for title, among in summary.SECTIONS.items():
        chosen = [(prop, summary.answer(verdict, prop)) for prop in verdict.instance.properties if among(prop)]
        if chosen:
            found.append((title, [(prop, answer, summary.SIGNS[answer][0]) for prop, answer in chosen]))
    return found
