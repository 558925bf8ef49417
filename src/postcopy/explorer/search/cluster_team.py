"""Processes that search together, of one machine or of many, on Ray.

This process only leads. Level by level, and whenever an outbox is full, it lets all members run, sees how they stand,
and lets each enter what the others have for it; that goes from member to member, not through here. What is found is
what a search in one process finds, and two runs with as many members see it in the same order.
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Iterable
from typing import Any

from postcopy.errors import PostcopyError, UsageError
from postcopy.explorer.kernel.machine_code import Plan
from postcopy.explorer.search.findings import Findings, Question
from postcopy.explorer.search.shard import Report, gather, judge
from postcopy.explorer.search.status import COUNT, ENDED, HEAD, LEVEL_END, STATUS, WITNESSES
from postcopy.surface import setting


class MemberLost(PostcopyError):
    """A process of the search has died, and with it the states that it had."""


class Team:
    """The members of a search and their leader.

    Args:
        kind: the members' class; see `cluster_member.Member`.
        plan: what the kernel's machine code is made from.
        question: what is looked for; the memory is that of all members together.
        members: how many.
        more: what else each member is made of.

    Attributes:
        members: Ray's handles of them.
        reports: how they stand.
        depth: the level that is being expanded.
        levels: see `Findings`.
        status: how the search stands.

    Raises:
        UsageError: Ray is not installed, or no cluster is at RAY_ADDRESS.
        MemberLost: one died; so do all other methods that ask members.
    """

    def __init__(self, kind: type, plan: Plan, question: Question, members: int, *more: object) -> None:
        self._ray = _connect(members)
        self.plan, self.question, self.depth = plan, question, 0
        # an earlier search's members may still be there: to ask for a processor each would be to wait for them for ever
        actor = self._ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy="SPREAD")(kind)
        self.members = [actor.remote(plan, question, i, members, *more) for i in range(members)]
        self.reports: list[Report] = self.ask_all("begin")
        self.status, _ = judge([each.control for each in self.reports])
        self.levels = [self._total(COUNT)]

    def round(self, steps: int) -> None:
        """Let every member run until it can do no more alone, then let all enter what they were sent.

        Args:
            steps: how many states all together may expand.
        """
        count = len(self.members)
        each_steps = max(steps // count, 1)
        sent = [
            member.run.options(num_returns=count + 1).remote(each_steps, *order)
            for member, order in zip(self.members, self._orders(), strict=True)
        ]
        self.reports = self._answers(report for report, *_ in sent)
        if not any(each.control[STATUS] in ENDED for each in self.reports):
            self.reports = self._answers(
                member.take.remote(*(outboxes[to] for sender, (_, *outboxes) in enumerate(sent) if sender != to))
                for to, member in enumerate(self.members)
            )
        self.status, deeper = judge([each.control for each in self.reports])
        if deeper:
            self.depth += 1
            self.levels.append(self._total(COUNT))

    def _orders(self) -> list[tuple[int, int]]:
        """For each member, where the level ends that it has to expand, and the witnesses that are known by now."""
        return [(int(each.control[LEVEL_END]), int(each.control[WITNESSES])) for each in self.reports]

    @property
    def expanded(self) -> int:
        """States that were expanded."""
        return self._total(HEAD)

    def _total(self, what: int) -> int:
        return sum(int(each.control[what]) for each in self.reports)

    def findings(self) -> Findings:
        """What was found so far."""
        found = gather(self.status, self.depth, self.reports)
        found.levels = self.levels
        return found

    def ask(self, member: int, what: str, *given: object) -> Any:  # noqa: ANN401  (what methods give differs)
        """What one member's method gives."""
        (answer,) = self._answers([getattr(self.members[member], what).remote(*given)])
        return answer

    def ask_all(self, what: str, *given: object) -> list[Any]:
        """What all members' methods give, all asked the same."""
        return self.ask_each(what, (given for _ in self.members))

    def ask_each(self, what: str, given: Iterable[tuple[object, ...]]) -> list[Any]:
        """What all members' methods give, each asked something else."""
        asked = zip(self.members, given, strict=True)
        return self._answers([getattr(member, what).remote(*values) for member, values in asked])

    def _answers(self, asked: Iterable[Any]) -> list[Any]:
        """What members answer."""
        try:
            answers = self._ray.get([*asked])
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

    def dismiss(self) -> None:
        """End all members, and give their memory back."""
        for member in self.members:
            self._ray.kill(member)


def _own(report: Report) -> Report:
    """A report whose numbers can be changed: what comes from another process cannot."""
    return Report(report.control.copy(), report.fired, report.first, report.bytes, report.after)


def _connect(members: int) -> Any:  # noqa: ANN401  (Ray is an extra, and has types of its own)
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
