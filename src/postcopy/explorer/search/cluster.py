"""The search on several processes, of one machine or of many: the same shards and kernels, on Ray.

This process only leads. Level by level, and whenever an outbox is full, it lets all members run, sees how they stand,
and lets each enter what the others have for it; that goes from member to member, not through here. What is found is
what a search in one process finds, and two runs with as many members see it in the same order.
"""

from __future__ import annotations

import importlib
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.errors import PostcopyError, UsageError
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.machine_code import Plan
from postcopy.explorer.search.checkpoint import Values
from postcopy.explorer.search.cluster_member import Member
from postcopy.explorer.search.findings import Findings, Question, follow
from postcopy.explorer.search.shard import Report, gather, judge
from postcopy.explorer.search.status import ENDED, HEAD, LEVEL_END, STATUS, WITNESSES, Status
from postcopy.surface import setting


class MemberLost(PostcopyError):
    """A process of the search has died, and with it the states that it had."""


class Cluster:
    """A compiled search whose shards are in processes of their own.

    Args:
        plan: what the kernel's machine code is made from.
        question: what is looked for; the memory is that of all members together.
        members: how many.

    Raises:
        UsageError: Ray is not installed, or no cluster is at RAY_ADDRESS.
        MemberLost: one died; so do all other methods that ask members.
    """

    at_once = False

    def __init__(self, plan: Plan, question: Question, members: int) -> None:
        self._ray = _connect(members)
        self.depth = 0
        # an earlier search's members may still be there: to ask for a processor each would be to wait for them for ever
        actor = self._ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy="SPREAD")(Member)
        self.members = [actor.remote(plan, question, i, members) for i in range(members)]
        self.reports = self._all([member.begin.remote() for member in self.members])
        self.status, _ = judge([each.control for each in self.reports])

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        end = self._expanded() + steps
        while self.status == Status.RUNNING and self._expanded() < end:
            self._round(max((end - self._expanded()) // len(self.members), 1))
            self.status, deeper = judge([each.control for each in self.reports])
            self.depth += deeper
        return gather(self.status, self.depth, self.reports)

    def _round(self, steps: int) -> None:
        """Let every member run until it can do no more alone, then let all enter what they were sent."""
        count = len(self.members)
        orders = ((steps, int(each.control[LEVEL_END]), int(each.control[WITNESSES])) for each in self.reports)
        sent = [
            member.run.options(num_returns=count + 1).remote(*order)
            for member, order in zip(self.members, orders, strict=True)
        ]
        self.reports = self._all([reports for reports, *_ in sent])
        if not any(each.control[STATUS] in ENDED for each in self.reports):
            taken = [
                member.take.remote(*(outboxes[to] for sender, (_, *outboxes) in enumerate(sent) if sender != to))
                for to, member in enumerate(self.members)
            ]
            self.reports = self._all(taken)

    def _all(self, asked: list[Any]) -> list[Any]:
        """The members' answers."""
        try:
            answers = self._ray.get(asked)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, PostcopyError | OSError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            raise MemberLost(
                f"a process of the search has died ({type(error).__name__}): what was kept with "
                f"{setting('checkpoint')} can be taken up with {setting('resume')}"
            ) from None
        return [_own(each) if isinstance(each, Report) else each for each in answers]

    def _expanded(self) -> int:
        return sum(int(each.control[HEAD]) for each in self.reports)

    @property
    def resumable(self) -> bool:
        """Whether what the shards have now is all that was found: not where one was full with messages unread."""
        return self.status in (Status.RUNNING, Status.DONE)

    def save(self, directory: Path) -> list[Values]:
        """Let all members append what is new to their files, in a directory that all machines share."""
        return self._all([member.save.remote(directory.absolute()) for member in self.members])

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged, or were kept by another number of processes.
        """
        if len(kept) != len(self.members):
            raise UsageError(
                f"{directory} was kept by {len(kept)} processes: {setting('cluster', len(self.members))} cannot go on"
            )
        asked = zip(self.members, kept, strict=True)
        reports = self._all([member.load.remote(directory.absolute(), values) for member, values in asked])
        self.reports = [each for each in reports if each is not None]
        self.status, self.depth = Status.RUNNING, depth
        return len(self.reports) == len(self.members)

    def _row(self, at: int) -> tuple[Words, int]:
        place, number = divmod(at, len(self.members))
        ((words, parent),) = self._all([self.members[number].row.remote(place)])
        return words, parent

    def stored(self) -> list[Words]:
        """All packed states, shard by shard in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        return np.concatenate(self._all([member.states.remote() for member in self.members])).view(np.uint64)

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index."""
        return follow(at, self._row)


def _own(report: Report) -> Report:
    """A report whose numbers can be changed: what comes from another process cannot."""
    return Report(report.control.copy(), report.fired, report.first, report.bytes, report.after)


def _connect(members: int) -> Any:
    """Ray, with a cluster to use: that of RAY_ADDRESS, or one of this machine alone that ends with this process."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its absence is warned of
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")  # Python's own print stays what a protocol means by it
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise UsageError(f"{setting('cluster')} needs Ray: pip install 'postcopy-mc[cluster]'") from None
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        try:
            if address.count(":") == 1:  # Ray itself would try for minutes
                host, port = address.split(":")
                socket.create_connection((host, int(port)), timeout=5).close()
            here = {} if address else {"num_cpus": members, "include_dashboard": False}
            ray.init(log_to_driver=False, logging_level="ERROR", **here)
        except (OSError, ValueError) as error:
            raise UsageError(f"no Ray cluster at RAY_ADDRESS={address}: {error}") from None
    return ray
