"""The search: breadth first, every state stored whole; what it is asked, what it finds, and its plain driver.

`Interpreted` runs a kernel's text in Python, for spaces too small to be worth compiling for; `compiled` runs it in
Numba. Both visit the same states in the same order (level by level, in blocks of so many states, the
successors of a block by leaf, then by state, then by page) and know nothing of protocols; `explore` is where one is
chosen and its findings get their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from postcopy.explorer.kernel.compiled import Functions
from postcopy.explorer.kernel.expression_code import BLOCK, LABEL_BITS, REST_BIT, STAYS, Numbering

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RUNNING, DONE, STEP, STATE, DEADLOCK, WRONG, FULL = range(7)
"""How a search stands: more to do; all seen; a property of steps or of states violated; a deadlock; the specification
itself is wrong (a check failed); no room for more states."""


@dataclass
class Findings:
    """What a search has found so far.

    Attributes:
        status: one of the constants above.
        states: how many were stored.
        transitions: how many labelled steps were taken.
        depth: steps of the longest shortest path to a state seen.
        frontier: states still to be expanded.
        fired: for each action, how often it was taken.
        witnesses: bits of the witnesses reached.
        first: for each bit of a witness reached, the index of the first state that reaches it.
        at: index of the state in question (for STEP and WRONG: before the step).
        detail: for STATE the violated bits, for STEP and WRONG the step's label.
        after: for STEP the words after the step.
        bytes: memory in use.
        disk: bytes in files.
    """

    status: int
    states: int
    transitions: int
    depth: int
    frontier: int
    fired: list[int]
    witnesses: int
    first: dict[int, int]
    at: int = 0
    detail: int = 0
    after: tuple[int, ...] = ()
    bytes: int = 0
    disk: int = 0


@dataclass(frozen=True)
class Question:
    """What a search looks for.

    Attributes:
        initial: packed initial states.
        numbering: the numbers of the leaves that labels name.
        progress: for each action, whether it saves a state from being a deadlock.
        state_bits: bits of `examine` that must not be set.
        step_bits: bits of a label (from bit `LABEL_BITS` on, shifted down) that must not be set.
        witness_bits: bits of `examine` that should be set somewhere.
        deadlock: whether deadlocks are looked for.
        max_bytes: memory that may be used.
    """

    initial: list[tuple[int, ...]]
    numbering: Numbering
    progress: list[bool]
    state_bits: int
    step_bits: int
    witness_bits: int
    deadlock: bool
    max_bytes: int


class Search(Protocol):
    """A search that can be run a while at a time."""

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""

    def stored(self) -> list[tuple[int, ...]]:
        """All packed states. For tests and graphs of small spaces."""

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""


def follow(at: int, row: Callable[[int], tuple[tuple[int, ...], int]]) -> list[tuple[int, ...]]:
    """The states from an initial one to the one with this index.

    Args:
        at: the index.
        row: a state and its parent's index, which is negative for an initial state.
    """
    states = []
    while at >= 0:
        words, at = row(at)
        states.append(words)
    return states[::-1]


class Interpreted:
    """The search in plain Python."""

    BYTES_PER_STATE = 250
    """Measured: a tuple of two words in a dict and a list."""

    def __init__(self, functions: Functions, question: Question) -> None:
        self.functions, self.question = functions, question
        self.order: list[tuple[int, ...]] = []
        self.parents: list[int] = []
        self.seen: set[tuple[int, ...]] = set()
        self.head = self.transitions = self.depth = self.level_end = self.witnesses = 0
        self.fired = [0] * len(question.progress)
        self.first: dict[int, int] = {}
        self.stopped: Findings | None = None
        for state in question.initial:
            words = functions.canonical(*state)
            if words not in self.seen and self.stopped is None:
                self._add(words, -1)
        self.level_end = len(self.order)

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        end = self.head + steps
        while self.stopped is None and self.head < min(end, len(self.order)):
            if self.head == self.level_end:
                self.depth, self.level_end = self.depth + 1, len(self.order)
            self._block(range(self.head, min(self.head + BLOCK, self.level_end)))
        return self.stopped or self._findings(DONE if self.head == len(self.order) else RUNNING)

    def _block(self, block: range) -> None:
        question, functions, order = self.question, self.functions, self.order
        numbering, stuck = question.numbering, set(block)
        successors = [
            (numbering.leaf_of(label), at, label, tuple(words))
            for at in block
            for label, *words in functions.expand(*order[at])
        ]
        successors.sort(key=itemgetter(0))
        new = []
        for leaf, at, label, after in successors:
            action = numbering.action_of[leaf]
            self.fired[action] += 1
            if label < 0:
                self._stop(WRONG, at, label)
            elif label >> LABEL_BITS & question.step_bits:
                self._stop(STEP, at, label, after)
            if not label & STAYS and after != order[at]:
                new.append((after, at))
                if question.progress[action]:
                    stuck.discard(at)
        self.transitions += len(successors)
        for at in sorted(stuck) if question.deadlock else ():
            if not functions.examine(*order[at]) >> REST_BIT & 1:
                self._stop(DEADLOCK, at, 0)
        for after, at in new if self.stopped is None else ():
            state = functions.canonical(*after)
            if state not in self.seen:
                self._add(state, at)
                if self.stopped is not None:
                    return
        self.head = block.stop
        if len(order) * self.BYTES_PER_STATE > question.max_bytes:
            self._stop(FULL, 0, 0)

    def _add(self, words: tuple[int, ...], parent: int) -> None:
        at = len(self.order)
        self.seen.add(words)
        self.order.append(words)
        self.parents.append(parent)
        found = self.functions.examine(*words)
        fresh = found & self.question.witness_bits & ~self.witnesses
        self.witnesses |= fresh
        for bit in range(fresh.bit_length()):
            if fresh >> bit & 1:
                self.first[bit] = at
        if found & self.question.state_bits:
            self._stop(STATE, at, found & self.question.state_bits)

    def _stop(self, status: int, at: int, detail: int, after: tuple[int, ...] = ()) -> None:
        """Stop, unless something was found before."""
        self.stopped = self.stopped or self._findings(status, at, detail, after)

    def _findings(self, status: int, at: int = 0, detail: int = 0, after: tuple[int, ...] = ()) -> Findings:
        states = len(self.order)
        return Findings(
            status, states, self.transitions, self.depth, states - self.head, self.fired, self.witnesses, self.first,
            at, detail, after, states * self.BYTES_PER_STATE,
        )  # fmt: skip

    def stored(self) -> list[tuple[int, ...]]:
        """All packed states, in the order of discovery."""
        return self.order

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        import numpy as np  # takes a while to import, and most checks of small spaces do without

        return np.array(self.order, dtype=np.uint64)

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, lambda at: (self.order[at], self.parents[at]))
