"""One process of a cluster's search: it owns one shard, and goes on when the leading process says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.machine_code import Plan
from postcopy.explorer.search.checkpoint import SavedShard, Values
from postcopy.explorer.search.findings import Question
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.shard import Report, Shard
from postcopy.explorer.search.status import COUNT, LEVEL_END, WITNESSES

Rows = npt.NDArray[np.int64]
"""States on their way to another process, with their parents' numbers behind them: int64[count, words + 1]."""


class Member:
    """One process and its shard.

    Args:
        plan: what the kernel's machine code is made from; compiled here, or read from this machine's cache.
        question: what is looked for. Of its memory this shard may use its share.
        number: which shard.
        count: of how many.
    """

    def __init__(self, plan: Plan, question: Question, number: int, count: int) -> None:
        self.number, self.count = number, count
        self.shard = Shard(machine_of(plan), question, number, count, question.max_bytes // count)
        self.part: SavedShard | None = None

    def begin(self) -> Report:
        """Enter those initial states that belong here."""
        self.shard.begin()
        return self.shard.report()

    def run(self, steps: int, level_end: int, reached: int) -> tuple[Report | Rows, ...]:
        """Expand at most about that many states of this level.

        Args:
            steps: how many.
            level_end: where the level ends here.
            reached: the witnesses that are known to be reachable.

        Returns:
            How the shard stands, and what it has for each of the others.
        """
        shard = self.shard
        self._agree(level_end, reached)
        shard.forget_sent()
        shard.run(steps)
        nothing = np.empty((0, self.shard.code.words + 1), dtype=np.int64)
        outboxes = (np.concatenate([nothing, *shard.sent(to)]) for to in range(self.count))
        return shard.report(), *outboxes

    def take(self, *sent: Rows) -> Report:
        """Enter what the others have sent."""
        for rows in sent:
            if len(rows) and not self.shard.take(np.array(rows)):  # Ray's own cannot be written to
                break
        return self.shard.report()

    def _agree(self, level_end: int, reached: int) -> None:
        self.shard.control[LEVEL_END], self.shard.control[WITNESSES] = level_end, reached

    def row(self, place: int) -> tuple[Words, int]:
        """A state and its parent's number."""
        return self.shard.row(place)

    def states(self) -> npt.NDArray[np.int64]:
        """All states; int64[count, words]."""
        return self.shard.states[: int(self.shard.control[COUNT])].copy()

    def save(self, directory: Path, level_end: int, reached: int) -> Values:
        """Append what is new to this shard's files. Raises as `SavedShard.save` does.

        Args:
            directory: where they are.
            level_end, reached: as of `run`.
        """
        self._agree(level_end, reached)
        self.part = self.part or SavedShard(directory, self.number, self.count)
        return self.part.save(self.shard)

    def load(self, directory: Path, values: Values) -> Report | None:
        """Stand where such a shard stood; None where the memory does not suffice. Raises as `SavedShard.load` does."""
        self.part = SavedShard(directory, self.number, self.count)
        return self.shard.report() if self.part.load(self.shard, values) else None
