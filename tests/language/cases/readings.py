"""One protocol in every reading: what each says of it, to be compared with what is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.reductions import REDUCTIONS
from postcopy.explorer.results import Engine, Options
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance
from postcopy.prover.means import HERE
from postcopy.prover.session import at_size, every_size
from postcopy.prover.verdicts import Answer
from tests.explorer.brute import brute_force
from tests.export.agreement import by_spin, explorer, exported, need_spin

Size = tuple[int, int, int]
"""Pages, messages in flight, target pages of a host page."""


def found_by_search(
    protocol: type[Protocol], size: Size, properties: Sequence[Property], engine: Engine = Engine.INTERPRETED
) -> set[str | None]:
    """What searches say, without reductions and with each: names of violated properties, None where all hold.

    The search without reductions also sees as many states as a brute-force search, if it comes to its end.
    """
    pages, in_flight, group = size
    instance = Instance(protocol, pages, in_flight, properties, group)
    found: set[str | None] = set()
    for used in ((), *((each,) for each in REDUCTIONS), REDUCTIONS):
        verdict = explore(instance, Options(reductions=used, engine=engine))
        found.add(verdict.violated.name if verdict.violated else None)
        if not used and verdict.all_seen:
            assert verdict.states == len(brute_force(instance).depth)
    return found


def broken_at(protocol: type[Protocol], size: Size, properties: Sequence[Property]) -> set[str]:
    """The properties of states and steps that a brute-force search sees violated, and no-deadlock."""
    pages, in_flight, group = size
    asked = {p.name for p in properties}
    return set(brute_force(Instance(protocol, pages, in_flight, properties, group)).bad) & asked


def proved_at(protocol: type[Protocol], size: Size, properties: Sequence[Property]) -> dict[str, Answer]:
    """What `prove --pages N` says."""
    pages, in_flight, group = size
    instance = Instance(protocol, pages, in_flight, properties, group)
    result = at_size(instance, properties, protocol.invariant, "invariant", lambda _: None)
    return {v.property.name: v.answer for v in result.verdicts if v.property in properties}


def proved(protocol: type[Protocol], properties: Sequence[Property]) -> dict[str, Answer]:
    """What `prove` says, without conjuncts that the machine finds."""
    result = every_size(protocol, properties, protocol.invariant, None, HERE, lambda _: None, lambda _: None)
    return {v.property.name: v.answer for v in result.verdicts if v.property in properties}


def spin_agrees(protocol: type[Protocol], size: Size, properties: Sequence[Property], directory: Path) -> bool:
    """Whether Spin sees as many states of the export as the explorer, and says the same."""
    need_spin()
    return by_spin(exported(protocol, size, properties), directory) == explorer(protocol, size, properties)
