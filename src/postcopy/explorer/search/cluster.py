"""The search on several processes: the same shards and kernels as in one; see `cluster_team`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.machine_code import Plan
from postcopy.explorer.search.checkpoint import Values
from postcopy.explorer.search.cluster_member import Member
from postcopy.explorer.search.cluster_team import Team
from postcopy.explorer.search.findings import Findings, Question, follow
from postcopy.explorer.search.status import LEVEL_END, Status
from postcopy.surface import setting


class Cluster(Team):
    """A compiled search whose shards are in processes of their own.

    Args:
        plan: what the kernel's machine code is made from.
        question: what is looked for; the memory is that of all members together.
        members: how many.
        kind: their class.

    Raises:
        UsageError: Ray is not installed, or no cluster is at RAY_ADDRESS.
        MemberLost: one died; so do all other methods that ask members.
    """

    at_once = False

    def __init__(self, plan: Plan, question: Question, members: int, kind: type = Member) -> None:
        super().__init__(kind, plan, question, members)

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        end = self.expanded + steps
        while self.status == Status.RUNNING and self.expanded < end:
            self.round(end - self.expanded)
        return self.findings()

    @property
    def resumable(self) -> bool:
        """Whether what the shards have now is all that was found: not where one was full with messages unread."""
        return self.status in (Status.RUNNING, Status.DONE)

    def save(self, directory: Path) -> list[Values]:
        """Let all members append what is new to their files, in a directory that all machines share."""
        return self.ask_each("save", ((directory.absolute(), *order) for order in self._orders()))

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged, or were kept by another number of processes.
        """
        if len(kept) != len(self.members):
            raise UsageError(
                f"{directory} was kept by {len(kept)} processes: {setting('cluster', len(self.members))} cannot go on"
            )
        reports = self.ask_each("load", ((directory.absolute(), values) for values in kept))
        self.reports = [each for each in reports if each is not None]
        self.status, self.depth, self.levels = Status.RUNNING, depth, [self._total(LEVEL_END)]
        return len(self.reports) == len(self.members)

    def _row(self, at: int) -> tuple[Words, int]:
        place, number = divmod(at, len(self.members))
        row: tuple[Words, int] = self.ask(number, "row", place)
        return row

    def stored(self) -> list[Words]:
        """All packed states, shard by shard in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        return np.concatenate(self.ask_all("states")).view(np.uint64)

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self._row)
