"""The generated blocks about changes and real bugs, for `tables`; numbers are those of the stored counterexamples."""

from __future__ import annotations

from pathlib import Path

from documentation.markdown import table
from documentation.tables_of_bugs import linked, to
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.others import OTHERS
from postcopy.language.protocol import Protocol
from postcopy.model.fault import name_of
from postcopy.model.faults import FAULTS
from postcopy.model.history.hypotheses import HYPOTHESES
from postcopy.model.postcopy import Postcopy
from postcopy.report.charts.markdown import escape
from postcopy.report.gallery import stored_states, stored_steps
from postcopy.report.records.listings import words

STORED = Path(__file__).parents[2] / "counterexamples"


def changes() -> str:
    """Every change with its verdict."""
    rows = []
    for name, change in CHANGES.items():
        verdict = "holds"
        if change.breaks:
            verdict = f"[breaks](../counterexamples/{name}.md) " + ", ".join(f"`{broken}`" for broken in change.breaks)
        rows.append([f"`{name}`", escape(words(change)), verdict, linked(escape(change.origin))])
    return table(["change", "what it is", "verdict", "from"], rows)


def history() -> str:
    """Every real bug with what it took to find it again."""
    states, rows = stored_states(STORED), []
    for name, bug in HISTORY.items():
        rows.append(
            [
                to(bug.entry),
                linked(escape(words(bug.faulty))),
                bug.mended_by,
                str(bug.year),
                f"`{bug.breaks}`",
                f"{states[name]:,}",
                f"[{stored_steps(STORED, name)}](../counterexamples/{name}.md)",
                called(bug.mended),
                escape(bug.beside),
            ]
        )
    head = ["entry", "the bug", "mended by", "year", "violates", "states", "steps", "the mended protocol", "beside it"]
    return table(head, rows)


def hypotheses() -> str:
    """What was suspected, and what the model says."""
    return table(
        ["number", "suspected", "asked of", "property", "the model says"],
        [
            [
                to(h.number),
                escape(h.question),
                called(h.protocol),
                f"`{h.asked}`",
                "it can" if h.reached else "it cannot",
            ]
            for h in HYPOTHESES
        ],
    )


def called(protocol: type[Protocol]) -> str:
    """How to name a protocol on the command line."""
    if protocol is Postcopy:
        return "the document's"
    name = name_of(protocol)
    if name in OTHERS:
        return f"`{name}`"
    option = "--change" if name in CHANGES else "--fault" if name in FAULTS else "--bug"
    return f"`{option} {name}`"
