"""A proof as one HTML page that needs nothing from elsewhere: verdicts, runs, and the obligations as a matrix.

The page is laid out by `assets/proof.html`. Its stories are drawn as those of a check are; a counterexample to
induction is one more of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from postcopy.language.properties import NO_DEADLOCK
from postcopy.prover.obligations import ANY, CLOSER, INITIAL, Obligation, Proof
from postcopy.prover.premises import PREMISES
from postcopy.prover.session import ProofResult
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import Run, environment, run_of
from postcopy.report.records.proof import ProofRecord
from postcopy.report.results import proof as summary

FORMAT = FileFormat((".html",), "a page of a proof", comment=f"<!-- {WRITTEN} -->")

CLASSES = {Status.PROVED: "p", Status.OPEN: "o", Status.UNKNOWN: "u"}
"""The class of an obligation's cell by its status."""


NOTHING = "n"
"""The class of a cell where there is nothing to ask, as of a property of steps in the initial states."""

NOT_OF_EACH_ACTION = frozenset({NO_DEADLOCK.name, *(p.name for p in PREMISES)})
"""What is asked of all actions at once, or only of those that may break it."""


@dataclass(frozen=True)
class Cell:
    """An obligation in the matrix; of one that is plain, everything is empty.

    Attributes:
        kind: the class of the cell.
        title: what the reader sees who points at it.
    """

    kind: str = ""
    title: str = ""


@dataclass(frozen=True)
class MatrixRow:
    """A conjunct or property with a cell for each action."""

    name: str
    sentence: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """The obligations: conjunct by action.

    Attributes:
        actions: the columns' names: the initial states, the actions, and any thread where deadlock is asked.
        groups: the rows with a title for each group of them.
        plain: how many pairs are plain.
    """

    actions: tuple[str, ...]
    groups: tuple[tuple[str, tuple[MatrixRow, ...]], ...]
    plain: int


@dataclass(frozen=True)
class Shown:
    """A run of the page, and what it is.

    Attributes:
        run: the run.
        what: nothing for a run that refutes a property; for a counterexample to induction, what that means.
    """

    run: Run
    what: str = ""


def html(result: ProofResult, found: ProofRecord, command: str) -> str:
    """The page.

    Args:
        result: what the proof has found.
        found: the record that ``--json`` prints.
        command: the command line that does all this again.
    """
    shown = _shown(result)
    built = msgspec.to_builtins(found)
    data = {
        "proof": built,
        "stories": msgspec.to_builtins([{"story": s.run.story, "state": s.run.held} for s in shown]),
    }
    return (
        environment()
        .get_template("proof.html")
        .render(
            found=built,
            result=result,
            verdicts=[(v, v.answer.value, summary.SIGNS[v.answer][0], summary.reason(v)) for v in result.verdicts],
            not_proved=Answer.NOT_PROVED,
            not_asked=summary.not_asked(result),
            matrix=matrix(result.proof) if result.proof is not None else None,
            size=summary.where(result),
            command=command,
            shown=shown,
            data=pages.embedded(data),
            colours=pages.COLOURS,
            style=pages.text("style.css") + "\n" + pages.text("proof.css"),
            script=pages.text("report.js"),
        )
    )


def _shown(result: ProofResult) -> list[Shown]:
    """The runs that refute properties, the shortest first, then the counterexamples to induction."""
    runs = [v.refutation.counterexample for v in summary.refuted(result) if v.refutation is not None]
    known = {p.name for p in PREMISES}
    obstacles = [found for found in result.counterexamples_to_induction if found.conjunct not in known]
    return [
        *(Shown(run_of(run)) for run in runs if run is not None),
        *(Shown(run_of(o.trace), f"This is a counterexample to induction: {summary.reached(o)}") for o in obstacles),
    ]


def matrix(proof: Proof) -> Matrix:
    """All obligations of a proof for every size, and the pairs that are plain."""
    asked = {(o.conjunct, o.action): o for o in proof.obligations}
    columns = [INITIAL, *(action.name for action in proof.instance.actions)]
    if any(action == ANY for _, action in asked):
        columns.append(ANY)
    properties = proof.instance.properties
    named, met = {p.name for p in properties}, {conjunct for conjunct, _ in asked}
    others = [(p.name, p.sentence) for p in PREMISES]
    others.append((CLOSER, "Every step that the ranking speaks of comes closer to the end"))
    groups = (
        ("Properties", [(p.name, p.sentence) for p in properties]),
        ("Conjuncts", [(p.name, p.sentence) for p in proof.conjuncts if p.name in met - named]),
        ("Beside them", [(name, words) for name, words in others if name in met]),
    )
    rows = tuple(
        (title, tuple(MatrixRow(n, words, tuple(_cell(asked.get((n, a)), n, a) for a in columns)) for n, words in its))
        for title, its in groups
        if its
    )
    plain = sum(not cell.kind for _, its in rows for row in its for cell in row.cells)
    return Matrix(tuple(columns), rows, plain)


def _cell(obligation: Obligation | None, conjunct: str, action: str) -> Cell:
    if obligation is None:
        nothing = action in (INITIAL, ANY) or conjunct in NOT_OF_EACH_ACTION
        return Cell(NOTHING) if nothing else Cell()
    uses = f"; uses {', '.join(sorted(obligation.uses))}" if obligation.uses else ""
    return Cell(CLASSES[obligation.status], f"{conjunct}, {action}: {summary.WORDS[obligation.status]}{uses}")
