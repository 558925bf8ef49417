"""The search in machine code, on one core or on several: the fast driver of a kernel.

Several workers expand a level together and enter what they find into one table (see `loop`). They find the same as one,
level by level, however many there are; the order of the states inside a level is not the same, so where a level has
several violations another may be shown, always by a shortest run to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.checkpoint import SavedShard, Values
from postcopy.explorer.search.findings import Findings, Question, follow
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.shard import Shard, gather, judge
from postcopy.explorer.search.status import COUNT, ENDED, HEAD, LEVEL_END, Status
from postcopy.explorer.search.worker import ALONE_UNTIL
from postcopy.surface import setting


class Compiled:
    """The search in machine code, a while at a time."""

    at_once = False

    def __init__(self, machine: Machine, question: Question, workers: int = 1, alone_until: int = ALONE_UNTIL) -> None:
        self.machine, self.question = machine, question
        self.shard = Shard(machine, question, 0, 1, question.max_bytes, workers=workers, alone_until=alone_until)
        self.part: SavedShard | None = None
        self.depth, self.given_up = 0, False
        self.shard.begin()
        self.levels = [int(self.shard.control[COUNT])]
        self.status = self.shard.status if self.shard.status in ENDED else Status.RUNNING

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        control, end = self.shard.control, int(self.shard.control[HEAD]) + steps
        while self.status == Status.RUNNING and control[HEAD] < end:
            self.shard.run(end - int(control[HEAD]))
            self.status, deeper = judge([control])
            if deeper:
                self.depth += 1
                self.levels.append(int(control[LEVEL_END]))
        return self._findings()

    def save(self, directory: Path) -> list[Values]:
        """Append what is new. Raises as `SavedShard.save` does."""
        self.part = self.part or SavedShard(directory, 0, 1)
        return [self.part.save(self.shard)]

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged, or of a search on disk.
        """
        if len(kept) > 1:
            raise UsageError(f"{directory} is of a search on disk: {setting('disk')} goes on with it")
        self.status, self.depth = Status.RUNNING, depth
        self.part = SavedShard(directory, 0, 1)
        loaded = self.part.load(self.shard, kept[0])
        self.levels = [int(self.shard.control[LEVEL_END])]
        return loaded

    @property
    def resumable(self) -> bool:
        """Whether all states that were found are stored, so that another process can go on from them."""
        return self.status in (Status.RUNNING, Status.DONE, Status.FULL)

    def expand_all(self) -> int:
        """Make all successors of all states found so far and count them: for measuring the kernel alone."""
        return self.shard.workers[0].expand(self.shard.states, 0, int(self.shard.control[COUNT]))

    def _findings(self) -> Findings:
        found = gather(self.status, self.depth, [self.shard.report()])
        found.levels = self.levels
        return found

    def stored(self) -> list[Words]:
        """All packed states in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words].

        Raises:
            UsageError: they were given up.
        """
        if self.given_up:
            raise UsageError("the states were given up to check liveness: allow more memory to keep them")
        return self.shard.states[: int(self.shard.control[COUNT])].view(np.uint64)

    def give_up(self) -> None:
        """Give the memory of all states back. Nothing can be asked of them any more."""
        shard, self.given_up = self.shard, True
        shard.states, shard.parents, shard.table = (
            shard.states[:0].copy(),
            shard.parents[:0].copy(),
            shard.table[:0].copy(),
        )

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self.shard.row)
