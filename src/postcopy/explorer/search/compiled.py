"""The search in machine code, on one core or on several: the fast driver of a kernel.

Several workers expand a level together and enter what they find into one table (see `loop`). They find the same as one,
level by level, however many there are; the order of the states inside a level is not the same, so where a level has
several violations another may be shown, always by a shortest run to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.checkpoint import SavedShard, Values
from postcopy.explorer.search.findings import Findings, Question, follow
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.shard import Shard, gather, judge
from postcopy.explorer.search.status import COUNT, ENDED, HEAD, Status

ALONE_UNTIL = 20_000
"""States from which on several workers pay."""


class Compiled:
    """The search in machine code, a while at a time."""

    def __init__(self, machine: Machine, question: Question, workers: int = 1, alone_until: int = ALONE_UNTIL) -> None:
        self.machine, self.question = machine, question
        self.shard = Shard(machine, question, 0, 1, question.max_bytes, workers=workers, alone_until=alone_until)
        self.part: SavedShard | None = None
        self.depth = 0
        self.shard.begin()
        self.status = self.shard.status if self.shard.status in ENDED else Status.RUNNING

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        control, end = self.shard.control, int(self.shard.control[HEAD]) + steps
        while self.status == Status.RUNNING and control[HEAD] < end:
            self.shard.run(end - int(control[HEAD]))
            self.status, deeper = judge([control])
            self.depth += deeper
        return self._findings()

    def save(self, directory: Path) -> list[Values]:
        """Append what is new. Raises as `SavedShard.save` does."""
        self.part = self.part or SavedShard(directory, 0, 1)
        return [self.part.save(self.shard)]

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood. Raises as `SavedShard.load` does."""
        self.status, self.depth = Status.RUNNING, depth
        self.part = SavedShard(directory, 0, 1)
        return self.part.load(self.shard, kept[0])

    @property
    def resumable(self) -> bool:
        """Whether all states that were found are stored, so that another process can go on from them."""
        return self.status in (Status.RUNNING, Status.DONE, Status.FULL)

    def expand_all(self) -> int:
        """Make all successors of all states found so far and count them: for measuring the kernel alone."""
        return self.shard.workers[0].expand(self.shard.states, 0, int(self.shard.control[COUNT]))

    def _findings(self) -> Findings:
        return gather(self.status, self.depth, [self.shard.report()])

    def stored(self) -> list[Words]:
        """All packed states in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        return self.shard.states[: int(self.shard.control[COUNT])].view(np.uint64)

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self.shard.row)
