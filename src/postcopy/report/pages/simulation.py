"""Random walks as one HTML page that needs nothing from elsewhere, laid out by `assets/simulation.html`."""

from __future__ import annotations

import msgspec

from postcopy.explorer.simulation.simulate import Simulated
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.coverage import coverage
from postcopy.report.pages.story import environment, run_of
from postcopy.report.records.simulation import SimulationRecord
from postcopy.report.results.simulation import sentence, warnings, whether_found

FORMAT = FileFormat((".html",), "a page of random walks", comment=f"<!-- {WRITTEN} -->")

SIGNS = {"violated": "✗", "not seen violated": "·", "reached": "✓", "not reached": "!"}
"""The sign of each answer."""


def html(walked: Simulated, found: SimulationRecord, command: str) -> str:
    """The page.

    Args:
        walked: what the walks have found.
        found: the record that ``--json`` prints.
        command: the command line that does all this again; may be empty.
    """
    runs = [] if walked.counterexample is None else [run_of(walked.counterexample)]
    shown = msgspec.to_builtins(found)
    witnesses = [it for it in shown["properties"] if "walks" in it]
    others = [it for it in shown["properties"] if "walks" not in it]
    data = {"simulate": shown, "stories": msgspec.to_builtins([{"story": r.story, "state": r.held} for r in runs])}
    expected = tuple(found.expected)
    return (
        environment()
        .get_template("simulation.html")
        .render(
            found=shown,
            size=walked.instance.size,
            sentence=sentence(walked),
            known=f"{', '.join(expected)} – {whether_found(walked, expected)}" if expected else "",
            warnings=warnings(walked),
            command=command,
            runs=runs,
            sections=[(t, its) for t, its in (("Must hold", others), ("Walks that reached", witnesses)) if its],
            signs=SIGNS,
            coverage=coverage(walked.instance, walked.fired, walked.impossible),
            data=pages.embedded(data),
            colours=pages.COLOURS,
            style=pages.text("style.css"),
            script=pages.text("report.js"),
        )
    )
