"""The search in Python with the kernel in machine code: for spaces that are not worth the compiled loop.

Where no machine code is in the cache, the first states are expanded in Python, as `interpreted` does. When there are
more of them, the kernel is compiled with as little work as LLVM can do. A block of states takes it microseconds, and
what is left to Python is to look each successor up. The states, their order, and all that is found are the same. A
block with a bad step is expanded in Python, which says what is wrong with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from postcopy.explorer.kernel import machine_code
from postcopy.explorer.kernel.calling_convention import rests
from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.explorer.search.edges import Edges
from postcopy.explorer.search.findings import Question
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.status import Status

if TYPE_CHECKING:
    from postcopy.explorer.kernel.block_kernel import BlockKernel, Steps

MADE_FROM = 6_000
"""When so many states are expanded in Python, machine code is made: that takes as long again."""


class Quick(Interpreted):
    """The search in Python, with the kernel in machine code as soon as that is worth it.

    Args:
        kernel: what states are expanded with.
        question: what is looked for.
        edges: where the steps are kept; None where they are not needed.
    """

    def __init__(self, kernel: Kernel, question: Question, edges: Edges | None = None) -> None:
        self._fast: BlockKernel | None = None
        if machine_code.is_there_soon(kernel.plan):
            self._fast = _block_kernel(kernel)
        super().__init__(kernel, question, edges)

    @property
    def hurries(self) -> bool:
        """Whether the kernel is in machine code by now."""
        return self._fast is not None

    def _block(self, block: range) -> None:
        if self._fast is None and block.start >= MADE_FROM:
            self._fast = _block_kernel(self.kernel)
        steps = self._fast.expand(self.order[block.start : block.stop]) if self._fast is not None else None
        if steps is None:
            super()._block(block)
        else:
            self._enter(block, steps)

    def _stored_for(self, words: Words) -> Words:
        return super()._stored_for(words) if self._fast is None else self._fast.canonical(words)

    def _examine(self, words: Words) -> int:
        return super()._examine(words) if self._fast is None else self._fast.examine([words])[0]

    def _enter(self, block: range, steps: Steps) -> None:
        """Enter the successors of a block."""
        leaves, taken = self.question.leaves, steps.fired
        for leaf in taken[:leaves].nonzero()[0].tolist():
            self.fired[leaf] += int(taken[leaf])
            self.changed[leaf] += int(taken[leaves + leaf])
        self.transitions += int(taken[:leaves].sum())
        for at in steps.stuck if self.question.deadlock else ():
            if not rests(self._examine(self.order[block.start + at])):
                return self._stop(Status.DEADLOCK, block.start + at, 0)
        number, order, parents, origin = self.number, self.order, self.parents, steps.origin + block.start
        first, targets = len(order), []
        for state, parent in zip(steps.stored, origin.tolist(), strict=True):
            known = number.get(state)
            if known is None:
                known = number[state] = len(order)
                order.append(state)
                parents.append(parent)
            targets.append(known)
        if not self._note_from(first):
            return None
        if self.edges is not None:
            self.edges.extend(origin.tobytes(), targets, steps.action.tobytes(), steps.after.T.tobytes())
        self.head = block.stop
        if self._bytes > self.question.max_bytes:
            self._stop(Status.FULL, 0, 0)
        return None

    def _note_from(self, first: int) -> bool:
        """Note what `examine` says of the states from one on; False, and they end there, where one is bad."""
        assert self._fast is not None
        said, bad = self._fast.examine(self.order[first:]), self.question.state_bits
        wanted = bad | self.question.witness_bits & ~self.witnesses
        for at, found in enumerate(said, first):
            if found & bad:
                for state in self.order[at + 1 :]:
                    del self.number[state]
                del self.order[at + 1 :], self.parents[at + 1 :]
            if found & wanted:
                self._note(at, found)
            if self.stopped is not None:
                return False
        if self.edges is not None:
            self.edges.found.extend(said)
        return True


def _block_kernel(kernel: Kernel) -> BlockKernel:
    """A kernel's machine code, from the cache or made now."""
    from postcopy.explorer.kernel.block_kernel import BlockKernel  # with NumPy, which takes a while to import

    return BlockKernel(machine_code.load_soon(kernel.plan), kernel.labels.action_of)
