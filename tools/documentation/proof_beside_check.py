"""What a proof says beside what the explorer says, of every protocol of the catalogue: a table.

The two are asked apart. The proof takes the invariant and says which properties are inductive with it; the explorer
searches all states of the same instance for each property that is violated. A property that is proved and violated is a
mistake of one of them. What is neither is listed as not proved: the invariant says too little of that protocol.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from documentation.markdown import table
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.properties import proved_of
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.prover.applicable import applicable
from postcopy.prover.counterexample import refute
from postcopy.prover.induction import k_induction
from postcopy.prover.verdicts import can_be_asked

ALL: dict[str, type[Protocol]] = {Postcopy.__name__: Postcopy, **FAULTS, **CHANGES, **PROTOCOLS, **OTHERS}
"""The document's protocol, the faults, the changes, the bugs with their mended forms, and other projects, each once."""

PAGE = Path(__file__).parents[2] / "docs" / "proof-beside-check.md"

IN_FLIGHT = 1
"""Messages that each channel holds."""


class Beside(NamedTuple):
    """A row: what became of the properties of states and steps and of the absence of deadlock.

    Attributes:
        asked: how many there are.
        proved: how many are proved.
        violated: those that the explorer finds violated, by name.
        both: those that are proved and violated, by name: a mistake.
    """

    asked: int
    proved: int
    violated: tuple[str, ...]
    both: tuple[str, ...]

    @property
    def neither(self) -> int:
        """How many are neither proved nor violated."""
        return self.asked - self.proved - len(self.violated) + len(self.both)


def beside(protocol: type[Protocol]) -> Beside:
    """What the proof and the explorer say of a protocol, at one host page and one message in flight."""
    properties, invariant, _ = proved_of(protocol)
    claims = [p for p in properties if can_be_asked(p)]
    there = applicable(protocol, claims, invariant, None)
    watching = [c.monitor for c in there.invariant if c.monitor is not None]
    instance = Instance(protocol, protocol.group, IN_FLIGHT, claims, protocol.group, watching)
    found = k_induction(instance, there.invariant, 1)
    proved = [p.name for p in claims if p.name in found.proved]
    searches = refute(protocol, claims, [instance])
    violated = tuple(search.violated.name for search in searches if search.violated is not None)
    both = tuple(name for name in violated if name in proved)
    return Beside(len(claims), len(proved), violated, both)


def row(name: str, found: Beside) -> str:
    """The row of a protocol in Markdown."""
    violated = ", ".join(f"`{each}`" for each in found.violated)
    cells = [f"`{name}`", str(found.asked), str(found.proved), violated, str(found.neither), ", ".join(found.both)]
    return f"| {' | '.join(cells)} |"


def _row(name: str) -> str:
    return row(name, beside(ALL[name]))


HEAD = table(["protocol", "asked", "proved", "violated, says the explorer", "neither", "both"], [])

TEXT = """# A proof beside the explorer

Each protocol of the catalogue, with one host page and one message in flight: how many properties
([glossary](glossary.md)) of states and steps, the absence of deadlock among them, are inductive with the
[invariant](proof.md), and which of them the explorer finds violated. No property may be both. What is
neither holds at this size, and the invariant says too little of that protocol for one step of induction.

`python -m documentation.proof_beside_check` writes this page anew, in some five minutes on two cores; the slow tests
ask for each row again. The [glossary](glossary.md) explains the words.

"""


def main(names: list[str]) -> None:
    """Print the rows of the protocols that are named, or write the page with all."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        lines = []
        for line in pool.map(_row, names or ALL):
            print(line, flush=True)
            lines.append(line)
    if not names:
        PAGE.write_text(TEXT + "\n".join([HEAD, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
