"""The search in plain Python, for spaces too small to be worth compiling for. `compiled` does the same, faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcopy.explorer.kernel.calling_convention import BLOCK, rests
from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.explorer.kernel.labels import Meaning
from postcopy.explorer.search.edges import Edges
from postcopy.explorer.search.findings import Findings, Question, follow
from postcopy.explorer.search.status import Status

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def _by_leaf(successor: tuple[Meaning, int, int, Words]) -> int:
    return successor[0].leaf


class Interpreted:
    """The search in plain Python.

    Args:
        kernel: what states are expanded with.
        question: what is looked for.
        edges: where the steps are kept; None where they are not needed.

    Attributes:
        kernel, question, edges: the same.
        order: the states in the order of discovery.
        parents: for each of them the index of the one that it was first reached from; negative for an initial one.
        number: the index of each state.
    """

    BYTES_PER_STATE = 250
    """Measured: a tuple of two words in a dict and a list."""

    def __init__(self, kernel: Kernel, question: Question, edges: Edges | None = None) -> None:
        self.edges = edges
        self.kernel, self.labels, self.question = kernel, kernel.labels, question
        self.order: list[Words] = []
        self.parents: list[int] = []
        self.number: dict[Words, int] = {}
        self.head = self.transitions = self.depth = self.level_end = self.witnesses = 0
        self.fired, self.changed = [0] * question.leaves, [0] * question.leaves
        self.first: dict[int, int] = {}
        self.stopped: Findings | None = None
        for state in question.initial:
            words = self._stored_for(state)
            if words not in self.number and self.stopped is None:
                self._add(words, -1)
        self.level_end = len(self.order)

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        end = self.head + steps
        while self.stopped is None and self.head < min(end, len(self.order)):
            if self.head == self.level_end:
                self.depth, self.level_end = self.depth + 1, len(self.order)
            self._block(range(self.head, min(self.head + BLOCK, self.level_end)))
        return self.stopped or self._findings(Status.DONE if self.head == len(self.order) else Status.RUNNING)

    def _block(self, block: range) -> None:
        question, functions, order, labels = self.question, self.kernel.functions, self.order, self.labels
        stuck = set(block)
        successors = [
            (labels[label], at, label, tuple(words)) for at in block for label, *words in functions.expand(*order[at])
        ]
        successors.sort(key=_by_leaf)
        new = []
        for (leaf, action, stays, violated, failed), at, label, after in successors:
            self.fired[leaf] += 1
            if failed:
                self._stop(Status.WRONG, at, label)
            elif violated & question.step_bits:
                self._stop(Status.STEP, at, label, after)
            if not stays and after != order[at]:
                self.changed[leaf] += 1
                new.append((after, at, action))
                if question.progress[action]:
                    stuck.discard(at)
        self.transitions += len(successors)
        for at in sorted(stuck) if question.deadlock else ():
            if not rests(self._examine(order[at])):
                self._stop(Status.DEADLOCK, at, 0)
        number, edges = self.number, self.edges
        for after, at, action in new if self.stopped is None else ():
            state = functions.canonical(*after)
            if state not in number:
                self._add(state, at)
                if self.stopped is not None:
                    return
            if edges is not None:
                edges.add(at, number[state], action, after)
        self.head = block.stop
        if self._bytes > question.max_bytes:
            self._stop(Status.FULL, 0, 0)

    def _add(self, words: Words, parent: int) -> None:
        at = len(self.order)
        self.number[words] = at
        self.order.append(words)
        self.parents.append(parent)
        found = self._examine(words)
        if self.edges is not None:
            self.edges.found.append(found)
        self._note(at, found)

    def _stored_for(self, words: Words) -> Words:
        """The state that is stored for one."""
        return self.kernel.functions.canonical(*words)

    def _examine(self, words: Words) -> int:
        """What `examine` says of a state."""
        return self.kernel.functions.examine(*words)

    def _note(self, at: int, found: int) -> None:
        """Note the witnesses and violations among what `examine` says of a new state."""
        fresh = found & self.question.witness_bits & ~self.witnesses
        self.witnesses |= fresh
        for bit in range(fresh.bit_length()):
            if fresh >> bit & 1:
                self.first[bit] = at
        if found & self.question.state_bits:
            self._stop(Status.STATE, at, found & self.question.state_bits)

    def _stop(self, status: Status, at: int, detail: int, after: Words = ()) -> None:
        """Stop, unless something was found before."""
        self.stopped = self.stopped or self._findings(status, at, detail, after)

    def _findings(self, status: Status, at: int = 0, detail: int = 0, after: Words = ()) -> Findings:
        states = len(self.order)
        return Findings(
            status, states, self.transitions, self.depth, states - self.head, self.fired, self.changed, self.witnesses,
            self.first, at, detail, after, self._bytes,
        )  # fmt: skip

    @property
    def _bytes(self) -> int:
        return len(self.order) * self.BYTES_PER_STATE + (self.edges.bytes if self.edges is not None else 0)

    def stored(self) -> list[Words]:
        """All packed states, in the order of discovery."""
        return self.order

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        import numpy as np  # takes a while to import, and most checks of small spaces do without

        return np.array(self.order, dtype=np.uint64)

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, lambda at: (self.order[at], self.parents[at]))
