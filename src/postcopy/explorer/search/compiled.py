"""The search in Numba: the fast driver of a kernel, on one core or on several.

Several workers expand a level together and enter what they find into one table (see `loop`). What is found is the same
with any number of workers, level by level; the order of the states inside a level is not, so where a level has several
violations another may be shown, always by a shortest run to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.compiled import Machine
from postcopy.explorer.search import interpreted as search
from postcopy.explorer.search.checkpoint import Part, Values
from postcopy.explorer.search.interpreted import Findings, Question, follow
from postcopy.explorer.search.shard import STATUS_OF, Shard, gather, judge
from postcopy.explorer.search.status import COUNT, HEAD, STATUS

ALONE_UNTIL = 20_000
"""States from which on several workers pay."""


class Compiled:
    """The search in Numba, a while at a time."""

    def __init__(self, machine: Machine, question: Question, workers: int = 1, alone_until: int = ALONE_UNTIL) -> None:
        self.machine, self.question = machine, question
        self.shard = Shard(machine, question, 0, 1, question.max_bytes, workers=workers, alone_until=alone_until)
        self.part: Part | None = None
        self.depth = 0
        self.status = search.RUNNING
        self.shard.begin()
        if self.shard.control[STATUS] in STATUS_OF:
            self.status = STATUS_OF[int(self.shard.control[STATUS])]

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        control, end = self.shard.control, int(self.shard.control[HEAD]) + steps
        while self.status == search.RUNNING and control[HEAD] < end:
            self.shard.run(end - int(control[HEAD]))
            self.status, deeper = judge([control])
            self.depth += deeper
        return self._findings()

    def save(self, directory: Path) -> list[Values]:
        """Append what is new. Raises as `Part.save` does."""
        self.part = self.part or Part(directory, 0, 1)
        return [self.part.save(self.shard)]

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood. Raises as `Part.load` does."""
        self.status, self.depth = search.RUNNING, depth
        self.part = Part(directory, 0, 1)
        return self.part.load(self.shard, kept[0])

    @property
    def resumable(self) -> bool:
        """Whether what there is now is all that was found, and nothing more."""
        return self.status in (search.RUNNING, search.DONE, search.FULL)

    def expand_all(self) -> int:
        """Make all successors of all states found so far and count them: for measuring the kernel alone."""
        return self.shard.hands[0].expand(self.shard.states, 0, int(self.shard.control[COUNT]))

    def _findings(self) -> Findings:
        return gather(self.status, self.depth, [self.shard.report()])

    def stored(self) -> list[tuple[int, ...]]:
        """All packed states in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        return self.shard.states[: int(self.shard.control[COUNT])].view(np.uint64)

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self.shard.row)
