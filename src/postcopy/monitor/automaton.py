"""A graph with hidden steps as a deterministic automaton: a byte says all that has to be remembered of a page.

A state of the automaton is the set of nodes in which the protocol can be after what was seen. Hidden steps are taken
just before the host that takes them shows something: what one host does in secret, the other learns by messages alone.
A new connection is no message, so before it every host may have taken hidden steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from postcopy.conformance.qemu.observations import Connected
from postcopy.errors import UsageError
from postcopy.monitor.projection import Node, Step, Symbol

MOST = 253
"""So many states fit into a byte beside `REFUTED`, `ANYTHING` and `PENDING`."""
REFUTED = 255
"""The state after something that the protocol does not do."""
ANYTHING = 254
"""The state from where the protocol was not followed any more, so that everything is allowed."""
PENDING = 253
"""In place of a state that has not been looked up yet: only in automata that grow."""
ANYTHING_INDEX = 0
NOTHING = bytes([REFUTED]) * ANYTHING + bytes([ANYTHING, REFUTED])
"""What follows a symbol that a protocol does not have."""
HOSTS = frozenset(("source", "destination"))


class Steps(Protocol):
    """A graph."""

    start: frozenset[Node]

    def steps(self, node: Node) -> Sequence[Step]:
        """The steps from a node."""


class Judging(Protocol):
    """A deterministic automaton, as a judge uses it."""

    @property
    def start(self) -> int:
        """Its first state."""

    @property
    def labels(self) -> Sequence[str]:
        """What is known in each state."""

    @property
    def states(self) -> int:
        """How many there are, beside the two that say that nothing is left to judge."""

    def has(self, symbol: Symbol) -> bool:
        """Whether the protocol has this symbol."""

    def then(self, symbol: Symbol, before: bytes | bytearray) -> bytes | bytearray:
        """The states after a symbol, for each of some before it."""

    def run(self, word: Iterable[Symbol]) -> int:
        """The state after what was seen."""

    def allowed(self, state: int) -> list[Symbol]:
        """What can come next."""


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton.

    Attributes:
        start: its first state.
        after: for each symbol, the state after each of the 256; `REFUTED` for those in which it cannot come.
        labels: what is known in each state.
    """

    start: int
    after: dict[Symbol, bytes]
    labels: tuple[str, ...]

    @property
    def states(self) -> int:
        """How many there are, beside the two that say that nothing is left to judge."""
        return len(self.labels)

    def then(self, symbol: Symbol, before: bytes | bytearray) -> bytes | bytearray:
        """The states after a symbol, for each of some before it."""
        return before.translate(self.after.get(symbol, NOTHING))

    def has(self, symbol: Symbol) -> bool:
        """Whether the protocol has this symbol."""
        return symbol in self.after

    def run(self, word: Iterable[Symbol]) -> int:
        """The state after what was seen."""
        state = self.start
        for symbol in word:
            (state,) = self.then(symbol, bytes([state]))
        return state

    def allowed(self, state: int) -> list[Symbol]:
        """What can come next."""
        return [symbol for symbol, after in self.after.items() if after[state] != REFUTED]


Visible = Callable[[Symbol], bool]
Label = Callable[[str, Symbol], str]
"""What is known after a symbol, by what was known before it."""


def every(_: Symbol) -> bool:
    """All symbols are seen."""
    return True


def determinize(graph: Steps, first: str, label: Label, visible: Visible = every, *, lazily: bool = True) -> Automaton:
    """The automaton of a graph, with as few states as tell labels and futures apart.

    Args:
        graph: the graph.
        first: what is known at the start.
        label: tells states apart beside their futures.
        visible: whether a symbol is seen; where it is not, its steps are hidden.
        lazily: take hidden steps as late as can be; else as early as can be, which says the same and takes longer.

    Raises:
        UsageError: there are more states than a byte tells apart.
    """
    walk = _Walk(graph, visible, lazily=lazily)
    start = (graph.start, first)
    numbers: dict[tuple[frozenset[Node], str] | None, int] = {None: ANYTHING_INDEX, start: 1}
    order = [None, start]
    rows: list[dict[Symbol, int]] = []
    for its in order:  # grows as new ones are found
        row: dict[Symbol, int] = {}
        for symbol, nodes in ({} if its is None else walk.after(its[0])).items():
            then = None if nodes is None or its is None else (nodes, label(its[1], symbol))
            if then not in numbers:
                numbers[then] = len(order)
                order.append(then)
            row[symbol] = numbers[then]
        rows.append(row)
    return _smallest(rows, ["" if its is None else its[1] for its in order])


class _Walk:
    """Sets of nodes, and what follows them."""

    def __init__(self, graph: Steps, visible: Visible, *, lazily: bool) -> None:
        self._graph, self._visible, self._lazily = graph, visible, lazily
        self._closures: dict[tuple[Node, str], frozenset[Node | None]] = {}

    def after(self, nodes: frozenset[Node]) -> dict[Symbol, frozenset[Node] | None]:
        """For everything that can be seen next the nodes after it; None where one of them allows everything."""
        found: dict[Symbol, set[Node | None]] = {}
        anything = False
        for host in (*sorted(HOSTS), ""):
            for node in self._closure(nodes, host):
                if node is None:
                    anything = True
                    continue
                for step in self._graph.steps(node):
                    if step.symbol is not None and self._visible(step.symbol) and self._counts(step, host):
                        found.setdefault(step.symbol, set()).add(step.after)
        if anything:
            return dict.fromkeys(found)
        return {
            symbol: None if None in after else frozenset(node for node in after if node is not None)
            for symbol, after in found.items()
        }

    def _counts(self, step: Step, host: str) -> bool:
        """Whether a step is taken after the hidden steps of this host, or of all."""
        of_all = not self._lazily or step.machine not in HOSTS or isinstance(_means(step), Connected)
        return of_all if not host else step.machine == host and not of_all

    def _closure(self, nodes: frozenset[Node], host: str) -> set[Node | None]:
        found: set[Node | None] = set()
        if not self._lazily and host:
            return found
        for node in nodes:
            if node not in found:
                found |= self._reached(node, host)
        return found

    def _reached(self, node: Node, host: str) -> frozenset[Node | None]:
        """Where hidden steps of a host lead, and of machines that are no host; of both hosts where none is given."""
        if (node, host) not in self._closures:
            found: set[Node | None] = {node}
            todo = [node]
            while todo:
                for step in self._graph.steps(todo.pop()):
                    hidden = step.symbol is None or not self._visible(step.symbol)
                    if hidden and step.after not in found and (not host or step.machine not in HOSTS - {host}):
                        found.add(step.after)
                        if step.after is not None:
                            todo.append(step.after)
            self._closures[node, host] = frozenset(found)
        return self._closures[node, host]


def _means(step: Step) -> object:
    return None if step.symbol is None else step.symbol.means


def _smallest(rows: list[dict[Symbol, int]], labels: list[str]) -> Automaton:
    """Merge what has the same label and the same futures; state `ANYTHING_INDEX` allows everything."""
    classes = [(-1 if index == ANYTHING_INDEX else 0, label) for index, label in enumerate(labels)]
    names: dict[object, int] = {}
    part = [names.setdefault(its, len(names)) for its in classes]
    count = len(names)
    while True:
        signatures: dict[object, int] = {}
        part = [
            signatures.setdefault((part[i], frozenset((s, part[t]) for s, t in row.items())), len(signatures))
            for i, row in enumerate(rows)
        ]
        if len(signatures) == count:
            break
        count = len(signatures)
    anything = part[ANYTHING_INDEX]
    number = {its: n for n, its in enumerate(dict.fromkeys(p for p in part[1:] if p != anything))}
    if len(number) > MOST:
        raise UsageError(f"the automaton has {len(number)} states, and a byte tells {MOST} apart")
    symbols = dict.fromkeys(symbol for row in rows for symbol in row)
    after = {symbol: bytearray([REFUTED] * 256) for symbol in symbols}
    found = [""] * len(number)
    for i, row in enumerate(rows):
        if part[i] == anything:
            continue
        found[number[part[i]]] = labels[i]
        for symbol, then in row.items():
            after[symbol][number[part[i]]] = ANYTHING if part[then] == anything else number[part[then]]
    for column in after.values():
        column[ANYTHING] = ANYTHING
    return Automaton(number[part[1]], {symbol: bytes(column) for symbol, column in after.items()}, tuple(found))
