"""Mutants of the ghost: it decides nothing, so they show only in what properties say of protocols that are wrong.

Each protocol of the catalogue is made with the mutated ghost in the place of the original. A fault, a change that does
not hold, or a real bug has to break what it names; a fault has to break first what it breaks first with the original;
and a change that holds has to hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from mutation.faults import names_read
from mutation.model import Mutant
from mutation.relation import Size, walk
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.properties import asked_of
from postcopy.language import Bitmap, Property, Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.guest import Guest
from postcopy.properties.safety import SAFETY

FIELDS = frozenset(name for name, value in vars(Guest).items() if isinstance(value, Bitmap))
"""What the ghost keeps."""

SIZES = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Host pages and messages in flight: a protocol is asked at the first of these at which it breaks what it names."""


class Case(NamedTuple):
    """A protocol of the catalogue.

    Attributes:
        name: its name.
        protocol: the protocol.
        broken: what it breaks by the catalogue, as far as the ghost is looked at.
        asked: what is asked of it.
    """

    name: str
    protocol: type[Protocol]
    broken: frozenset[str]
    asked: tuple[Property, ...]


class Broken(NamedTuple):
    """What a protocol breaks at a size: the property that is broken first, if any, and all that are broken."""

    first: str
    all: frozenset[str]


def reads_ghost(prop: Property) -> bool:
    """Whether a property looks at what the ghost keeps."""
    return bool(FIELDS & names_read(prop))


@cache
def cases() -> tuple[Case, ...]:
    """All protocols of the catalogue that use the original ghost; first those that break what looks at it."""
    found = {name: case for name, protocol, broken in _named() if (case := _case(name, protocol, broken))}
    return tuple(sorted(found.values(), key=lambda case: (not case.broken, case.name not in FAULTS)))


def _named() -> Iterator[tuple[str, type[Protocol], tuple[str, ...]]]:
    for name, change in CHANGES.items():
        yield name, change, change.breaks
    for name, bug in HISTORY.items():
        yield name, bug.faulty, (bug.breaks,)
    for name, fault in FAULTS.items():
        yield name, fault, fault.breaks


def _case(name: str, protocol: type[Protocol], broken: tuple[str, ...]) -> Case | None:
    if getattr(protocol, "guest", None) is not Guest:
        return None
    asked = {p.name: p for p in asked_of(protocol)}
    looking = {p.name for p in SAFETY if p.name in asked and reads_ghost(p)}
    of_steps_and_states = {p for p in broken if asked[p].of_states or asked[p].of_steps}
    chosen = tuple(asked[p] for p in sorted(looking | of_steps_and_states))
    return Case(name, protocol, frozenset(p for p in broken if reads_ghost(asked[p])), chosen)


def unnoticed(mutant: Mutant) -> str:
    """What says against a mutant of the ghost; empty if nothing does.

    Raises:
        SpecError: the mutant errs.
    """
    machine = mutant.machine()
    for case in cases():
        size, was = original(case)
        made = type(case.protocol.__name__, (case.protocol,), {"guest": machine, "__doc__": mutant.name})
        now = what_is_broken(made, size, case.asked)
        for name in sorted(case.broken & was.all - now.all):
            return f"{case.name} no longer breaks {name}"
        if (case.name in FAULTS or not was.first) and now.first != was.first:
            return f"{case.name} breaks {now.first or 'nothing'} first, and not {was.first or 'nothing'}"
    return ""


@cache
def original(case: Case) -> tuple[Size, Broken]:
    """What a protocol breaks with the original ghost, and the smallest size at which it breaks what it names."""
    group = case.protocol.group
    for pages, in_flight in SIZES:
        size = (pages * group, in_flight, group)
        found = what_is_broken(case.protocol, size, case.asked)
        if case.broken <= found.all:
            return size, found
    return size, found


def what_is_broken(protocol: type[Protocol], size: Size, asked: tuple[Property, ...]) -> Broken:
    """All of these properties of states and steps that a protocol breaks at a size."""
    kernel, answers = walk(protocol, size, asked)
    first, states, steps = "", 0, 0
    for of_state, of_steps in answers:
        violated = of_state & kernel.bits.states
        if violated and not first:
            first = kernel.bits.of_state(violated).name
        states |= violated
        for label in sorted(of_steps):
            if label and not first:
                first = kernel.bits.of_step(label).name
            steps |= label
    seen = {p.name for at, p in enumerate(kernel.bits.seen) if states >> at & 1}
    return Broken(first, frozenset(seen | {p.name for at, p in enumerate(kernel.bits.properties) if steps >> at & 1}))
