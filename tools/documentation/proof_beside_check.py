"""What a proof says beside what the explorer says, of every protocol of the catalogue: a table.

The two are asked apart. The proof takes the invariant and says which properties are inductive with it; the explorer
searches all states of the same instance for each property that is violated. A property that is proved and violated is a
mistake of one of them. What is neither is listed as not proved: the invariant says too little of that protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from documentation.markdown import table
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.properties import proved_of
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.prover.applicable import applicable
from postcopy.prover.counterexample import refute
from postcopy.prover.induction import k_induction
from postcopy.prover.verdicts import can_be_asked

ALL: dict[str, type[Protocol]] = {Postcopy.__name__: Postcopy, **FAULTS, **CHANGES, **PROTOCOLS}
"""The document's protocol, the faults, the changes, and the bugs with their mended forms, each once."""

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


def rows(names: list[str] | None = None) -> Iterator[list[str]]:
    """A row for each protocol.

    Args:
        names: which of `ALL`; all, if not given.
    """
    for name in ALL if names is None else names:
        found = beside(ALL[name])
        violated = ", ".join(f"`{each}`" for each in found.violated)
        yield [f"`{name}`", str(found.asked), str(found.proved), violated, str(found.neither), ", ".join(found.both)]


HEAD = ["protocol", "asked", "proved", "violated, says the explorer", "neither", "both"]


def main(names: list[str]) -> None:
    """Print the table, row by row: all of it takes some ten minutes on an idle core."""
    print(table(HEAD, []))
    for row in rows(names or None):
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
