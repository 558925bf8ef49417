"""A page of a result that has none of its own: the terminal's text, and its runs with their charts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from postcopy.language.trace import Trace
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import environment, run_of

GOOD, BAD = frozenset({"conforms"}), frozenset({"violated", "deadlock", "refuted"})
"""Verdicts by the colour that they have."""


def page(
    kind: str, name: str, verdict: str, sentence: str, text: str, command: str = "", runs: Sequence[Trace] = ()
) -> str:
    """The page.

    Args:
        kind: the command, such as ``simulate``.
        name: what the result is about.
        verdict: in a word.
        sentence: the verdict as a sentence.
        text: all that the terminal shows.
        command: the command line that does all this again; may be empty.
        runs: the runs that are shown step by step.
    """
    shown = [run_of(run) for run in runs]
    data = {"stories": msgspec.to_builtins([{"story": run.story, "state": run.held} for run in shown])}
    return (
        environment()
        .get_template("plain.html")
        .render(
            kind=kind,
            found={"protocol": name, "verdict": verdict},
            colour="good" if verdict in GOOD else "bad" if verdict in BAD else "unsure",
            sentence=sentence,
            text=text,
            command=command,
            runs=shown,
            data=pages.embedded(data),
            colours=pages.COLOURS,
            style=pages.text("style.css"),
            script=pages.text("report.js"),
        )
    )
