"""The search in Numba: the fast driver of a kernel, on one core or on several.

With several workers the states are dealt to shards, one for each worker, by their hash. A worker expands the states of
its shard and enters those successors that belong there; the others go to outboxes, which are read by their owners when
all have come to the end of the level or an outbox is full. So nothing is shared while a worker runs: no locks, no
atomic instructions, and each touches only memory that it touched first. Two runs with as many workers see the same.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.explorer import search
from postcopy.explorer.checkpoint import Part, Values
from postcopy.explorer.compiled import Machine
from postcopy.explorer.control import BOXED, COUNT, HEAD, LEVEL, RUNNING, STATUS, WITNESSES
from postcopy.explorer.search import Findings, Question, follow
from postcopy.explorer.shard import STATUS_OF, Shard, gather, judge

SPLIT_AT = 100_000
"""States from which on several workers pay."""


class Compiled:
    """The search in Numba, a while at a time."""

    def __init__(self, machine: Machine, question: Question, workers: int = 1, split_at: int = SPLIT_AT) -> None:
        self.machine, self.question, self.workers, self.split_at = machine, question, workers, split_at
        self.shards = [Shard(machine, question, 0, 1, question.max_bytes)]
        self.parts: list[Part] = []
        self.pool: ThreadPoolExecutor | None = None
        self.depth = 0
        self.status = search.RUNNING
        self.shards[0].begin()
        if self.shards[0].control[STATUS] in STATUS_OF:
            self.status = STATUS_OF[int(self.shards[0].control[STATUS])]

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        end = self._expanded() + steps
        while self.status == search.RUNNING and self._expanded() < end:
            if len(self.shards) == 1:
                self.shards[0].run(end - self._expanded())
            else:
                self._round(end - self._expanded())
            self._judge()
        return self._findings()

    def _expanded(self) -> int:
        return sum(int(shard.control[HEAD]) for shard in self.shards)

    def _all(self, do: Callable[[Shard], None]) -> None:
        assert self.pool is not None
        list(self.pool.map(do, self.shards))

    def _round(self, steps: int) -> None:
        """Let every worker run until it can do no more alone, then let all read what they were sent."""
        share = max(steps // len(self.shards), 1)
        for shard in self.shards:
            shard.filled[:] = 0
        self._all(lambda shard: shard.run(share))
        if all(shard.control[STATUS] in (RUNNING, LEVEL, BOXED) for shard in self.shards):
            self._all(lambda shard: shard.receive(self.shards))

    def _judge(self) -> None:
        """Go on to the next level, or stop, as the shards' states demand."""
        self.status, deeper = judge([shard.control for shard in self.shards])
        if not deeper:
            return
        self.depth += 1
        if self.workers > len(self.shards) and self.shards[0].control[COUNT] >= self.split_at:
            self._split()

    def _split(self) -> None:
        """Deal all states to as many shards as there are workers."""
        whole, workers = self.shards[0], self.workers
        ids = np.empty(int(whole.control[COUNT]), dtype=np.int64)
        self.machine.loop.number(whole.states, whole.control[COUNT], np.uint64(workers), ids)
        share = self.question.max_bytes // workers
        self.shards = [Shard(self.machine, self.question, i, workers, share) for i in range(workers)]
        self.pool = ThreadPoolExecutor(workers)
        self._all(lambda shard: shard.deal(whole, ids))
        self.shards[0].fired += whole.fired
        for shard in self.shards:
            shard.control[WITNESSES] = whole.control[WITNESSES]
        for bit, at in enumerate(whole.first):
            if at >= 0:
                self.shards[ids[at] % workers].first[bit] = ids[at] // workers

    def save(self, directory: Path) -> list[Values]:
        """Let all parts append what is new. Raises as `Part.save` does."""
        count = len(self.shards)
        if len(self.parts) != count:
            self.parts = [Part(directory, i, count) for i in range(count)]
        return [part.save(shard) for part, shard in zip(self.parts, self.shards, strict=True)]

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood. Raises as `Part.load` does."""
        self.status, self.depth = search.RUNNING, depth
        count, share = len(kept), self.question.max_bytes // len(kept)
        self.shards = [Shard(self.machine, self.question, i, count, share) for i in range(count)]
        self.parts = [Part(directory, i, count) for i in range(count)]
        if count > 1:
            self.pool = ThreadPoolExecutor(count)
        each = zip(self.parts, self.shards, kept, strict=True)
        return all(part.load(shard, values) for part, shard, values in each)

    @property
    def resumable(self) -> bool:
        """Whether what the shards have now is all that was found: not where one was full with messages unread."""
        return self.status in (search.RUNNING, search.DONE) or (self.status == search.FULL and len(self.shards) == 1)

    def expand_all(self) -> int:
        """Make all successors of all states found so far and count them: for measuring the kernel alone."""
        total = 0
        for s in self.shards:
            total += s.expand(s.states, 0, int(s.control[COUNT]))
        return total

    def _findings(self) -> Findings:
        return gather(self.status, self.depth, [shard.report() for shard in self.shards])

    def _row(self, at: int) -> tuple[tuple[int, ...], int]:
        place, number = divmod(at, len(self.shards))
        return self.shards[number].row(place)

    def stored(self) -> list[tuple[int, ...]]:
        """All packed states, shard by shard in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        known = [shard.states[: int(shard.control[COUNT])] for shard in self.shards]
        return np.concatenate(known).view(np.uint64)

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self._row)
