"""The states of small instances, and which atoms hold in them: what is not so there is no candidate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.language.instance import Instance, State
from postcopy.language.machines import Monitor
from postcopy.language.properties import Property, of_each_page
from postcopy.language.protocol import Protocol
from postcopy.language.symbolic import read_predicate
from postcopy.prover.inference.arrays import States, Truths
from postcopy.prover.inference.atoms import Atom, Names, atoms_of
from postcopy.prover.inference.clauses import Clause, property_of

SIZES = ((1, 3, 1), (2, 2, 1), (2, 2, 2))
"""Where states are observed: pages, messages in flight, target pages of a host page."""

LARGER = (3, 2, 1)
"""Looked at too where the other sizes have no more than `FEW` states: what is so of two pages alone shows here."""

FEW = 6_000

MOST = 64 << 20
"""Bytes that the states of a size may take. Where there are more, those found first are looked at."""

Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Observed:
    """Observed states, as the values of all atoms.

    Attributes:
        atoms: the questions.
        names: the enumerations that they mention.
        rows: bool[n, atoms]: what the atoms say, for each state and page, each combination once.
        states: the states themselves, for each size.
    """

    atoms: tuple[Atom, ...]
    names: Names
    rows: Rows
    states: tuple[States, ...]

    def holds(self, prop: Property) -> bool:
        """Whether a conjunct holds in all of the states."""
        return all(bool(truths(states, prop).all()) for states in self.states)


def truths(states: States, prop: Property) -> Truths:
    """Whether a property of states holds in each of some states; bool[count]."""
    e = read_predicate(states.instance, prop.holds)
    pages = range(states.instance.pages) if of_each_page(prop.holds) else [0]
    found: Truths = np.all([states.truth(e, page) for page in pages], axis=0)
    return found


class Reader:
    """What atoms say of states at one size.

    Args:
        instance: the protocol at its size.
        atoms: the questions.
        names: the enumerations that they mention.
    """

    def __init__(self, instance: Instance, atoms: Sequence[Atom], names: Names) -> None:
        self.instance = instance
        asked = [property_of(Clause(((atom, True),)), "asked", names) for atom in atoms]
        self._read = [read_predicate(instance, p.holds) for p in asked]

    def rows(self, states: States) -> Rows:
        """The atoms' values; bool[pages, count, atoms]."""
        pages = range(self.instance.pages)
        return np.array([np.stack([states.truth(e, page) for e in self._read], axis=-1) for page in pages])

    def of_state(self, state: State) -> Rows:
        """The atoms' values in one state; bool[pages, atoms]."""
        return self.rows(States(self.instance, [state]))[:, 0, :]


def observe(
    protocol: type[Protocol],
    properties: Sequence[Property],
    watching: Sequence[type[Monitor]] = (),
    sizes: Iterable[tuple[int, int, int]] = SIZES,
) -> Observed:
    """Explore small instances, and ask all atoms of each state.

    Args:
        protocol: the class.
        properties: of states and steps.
        watching: monitors beside those of the properties.
        sizes: see `SIZES`.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    found = []
    for pages, in_flight, group in sizes:
        found.append(_states(Instance(protocol, pages, in_flight, properties, group, watching)))
    if sum(states.count for states in found) <= FEW:
        pages, in_flight, group = LARGER
        found.append(_states(Instance(protocol, pages, in_flight, properties, group, watching)))
    names = Names()
    carried = {kind for states in found for kind in _carried(states)}
    atoms = tuple(a for a in atoms_of(found[-1].instance, names) if len(a.kinds) < 2 or carried.issuperset(a.kinds))
    rows = [Reader(states.instance, atoms, names).rows(states).reshape(-1, len(atoms)) for states in found]
    return Observed(atoms, names, _distinct(np.concatenate(rows)), tuple(found))


def _states(instance: Instance) -> States:
    """The states that can be reached, or those found first."""
    exploration = Exploration(instance, Options(max_memory=MOST, engine=Engine.INTERPRETED))
    exploration.run()
    unpack = exploration.kernel.layout.unpack
    return States(instance, [unpack(words) for words in exploration.stored()])


def _distinct(rows: Rows) -> Rows:
    """Each row once."""
    packed = np.packbits(rows, axis=1)
    whole = packed.view(np.dtype((np.void, packed.shape[1])))
    _, first = np.unique(whole, return_index=True)
    return rows[first]


def _carried(states: States) -> set[tuple[str, object]]:
    """The messages that are on some channel in some of the states."""
    found: set[tuple[str, object]] = set()
    for channel in states.instance.channels.values():
        for slot in channel.slots:
            found |= {(channel.name, channel.kinds[code - 1]) for code in states.values(slot.kind) if code}
    return found
