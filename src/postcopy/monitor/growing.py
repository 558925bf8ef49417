"""An automaton that is made where streams go, for graphs that are too large to be made deterministic as a whole.

A state is a set of nodes, as in `automaton`, and hidden steps are taken as late as can be. What follows a state and a
symbol is looked up when a stream first asks for it, and kept. A page costs a byte of state all the same, and a stream
has few pairs of a state and a symbol that differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from postcopy.conformance.qemu.observations import Meaning
from postcopy.errors import UsageError
from postcopy.monitor.automaton import ANYTHING, HOSTS, MOST, NOTHING, PENDING, REFUTED, Label
from postcopy.monitor.projection import Node, Step, Symbol

HELD = 4
"""So many closures are held, for symbols that are looked up one after the other."""
Nodes = frozenset[Node]


class Shown(Protocol):
    """A graph, and what it shows."""

    start: Nodes

    @property
    def senders(self) -> dict[Meaning, str]:
        """The host that shows each of what is shown; empty where several machines do."""

    def steps(self, node: Node) -> Sequence[Step]:
        """The steps from a node."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What an automaton has looked up.

    Attributes:
        labels: what is known in each state.
        sets: the nodes of each state.
        columns: for each symbol, what it means, whether it is about the page, and its column.
    """

    labels: list[str]
    sets: list[list[Node]]
    columns: list[tuple[list[str], bool, bytes]]


class Growing:
    """An automaton whose columns have `PENDING` where nothing has been looked up yet.

    Args:
        graph: the graph.
        first: what is known at the start.
        label: what is known after a symbol.

    Attributes:
        start: the first state.
        after: for each symbol the state after each of the 256, or `PENDING`.
        labels: what is known in each state.
        lookups: how many pairs of a state and a symbol have been looked up.
    """

    start = 0

    def __init__(self, graph: Shown, first: str, label: Label) -> None:
        self._graph, self._label = graph, label
        self._senders = graph.senders
        self.after = {Symbol(means, about): _column() for means in self._senders for about in (False, True)}
        self._sets: list[Nodes] = [graph.start]
        self.labels = [first]
        self._numbers = {(graph.start, first): 0}
        self._closures: dict[tuple[int, str], set[Node | None]] = {}
        self.lookups = 0

    @property
    def states(self) -> int:
        """How many have been found by now."""
        return len(self.labels)

    def has(self, symbol: Symbol) -> bool:
        """Whether the protocol has this symbol."""
        return symbol in self.after

    def then(self, symbol: Symbol, before: bytes | bytearray) -> bytes | bytearray:
        """The states after a symbol, for each of some before it."""
        column = self.after.get(symbol)
        if column is None:
            return before.translate(NOTHING)
        after = before.translate(column)
        if PENDING in after:
            for state in set(before):
                if column[state] == PENDING:
                    column[state] = self._look_up(symbol, state)
            after = before.translate(column)
        return after

    def run(self, word: Iterable[Symbol]) -> int:
        """The state after what was seen."""
        state = self.start
        for symbol in word:
            state = self.then(symbol, bytes([state]))[0]
        return state

    def allowed(self, state: int) -> list[Symbol]:
        """What can come next."""
        return [symbol for symbol in self.after if self.then(symbol, bytes([state]))[0] != REFUTED]

    # -- from one monitor to the next --------------------------------------------------------------------------------

    def kept(self) -> Kept:
        """All that has been looked up."""
        columns = [(list(symbol.means), symbol.about, bytes(column)) for symbol, column in self.after.items()]
        return Kept(self.labels, [list(nodes) for nodes in self._sets], columns)

    def learn(self, kept: Kept) -> None:
        """Begin with what has been looked up by a monitor of the same graph."""
        self.labels, self._sets = list(kept.labels), [frozenset(nodes) for nodes in kept.sets]
        self._numbers = {its: number for number, its in enumerate(zip(self._sets, self.labels, strict=True))}
        columns = {(tuple(means), about): column for means, about, column in kept.columns}
        self.after = {its: bytearray(columns[tuple(its.means), its.about]) for its in self.after}

    # -- looking up --------------------------------------------------------------------------------------------------

    def _look_up(self, symbol: Symbol, state: int) -> int:
        self.lookups += 1
        try:
            nodes = self._follow(symbol, state)
        except UsageError:  # the graph is too large from here on
            nodes = None
        if nodes is None:
            return ANYTHING
        if not nodes:
            return REFUTED
        found = (nodes, self._label(self.labels[state], symbol))
        number = self._numbers.get(found)
        if number is None:
            if len(self.labels) >= MOST:
                return ANYTHING
            number = self._numbers[found] = len(self.labels)
            self._sets.append(nodes)
            self.labels.append(found[1])
        return number

    def _follow(self, symbol: Symbol, state: int) -> Nodes | None:
        """The nodes after a symbol; None where everything is allowed."""
        host = self._senders[symbol.means]
        found: set[Node] = set()
        for node in self._closure(state, host):
            if node is None:
                return None
            for step in self._graph.steps(node):
                if step.symbol == symbol:
                    if step.after is None:
                        return None
                    found.add(step.after)
        return frozenset(found)

    def _closure(self, state: int, host: str) -> set[Node | None]:
        """Where hidden steps of a host lead, and of machines that are no host; of both hosts where none is given."""
        known = self._closures.get((state, host))
        if known is not None:
            return known
        found: set[Node | None] = set(self._sets[state])
        todo = list(self._sets[state])
        others = HOSTS - {host} if host else frozenset()
        while todo:
            for step in self._graph.steps(todo.pop()):
                if step.symbol is None and step.after not in found and step.machine not in others:
                    found.add(step.after)
                    if step.after is not None:
                        todo.append(step.after)
        while len(self._closures) >= HELD:
            del self._closures[next(iter(self._closures))]
        self._closures[state, host] = found
        return found


def _column() -> bytearray:
    column = bytearray([PENDING]) * 256
    column[ANYTHING], column[REFUTED] = ANYTHING, REFUTED
    return column
