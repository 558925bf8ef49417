"""The search with the small table on several processes: each has tables of its own for its part of the states.

A run to a state is found by searching again, as in one process (`small_path`), with members of its own that end then.
"""

from __future__ import annotations

import numpy as np

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.machine_code import Plan
from postcopy.explorer.search.cluster import Cluster
from postcopy.explorer.search.cluster_small_member import SearchingMember, SmallMember
from postcopy.explorer.search.cluster_team import Team
from postcopy.explorer.search.findings import NoMemoryForRun, Question
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.small_path import asked_again, interval_of, joined
from postcopy.explorer.search.status import Status


class SmallCluster(Cluster):
    """A search with the small table whose parts are in processes of their own. Raises as `Cluster` does.

    An index of a state is a place in what a member has noted, times the number of members, plus the member's number.

    Args:
        plan: what the kernel's machine code is made from.
        question: what is looked for; the memory is that of all members together.
        members: how many.
    """

    def __init__(self, plan: Plan, question: Question, members: int) -> None:
        super().__init__(plan, question, members, SmallMember)

    def give_up(self) -> None:
        """Give the memory of all states back. Nothing can be asked of them any more."""
        self.ask_all("give_up")

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index. Searches again.

        Where there is no memory for two searches, the states of this one, which is over, are given up for it.

        Raises:
            NoMemoryForRun: the memory allowed does not suffice.
        """
        place, number = divmod(at, len(self.members))
        state: Words = self.ask(number, "state", place)
        found = self.findings()
        if self.status != Status.RUNNING and 2 * found.bytes > self.question.max_bytes:
            self.give_up()
        interval = interval_of(self.question, found.states)
        through = _Again(self.plan, self.question, len(self.members), state).through(interval)
        return joined(machine_of(self.plan), np.array(through, dtype=np.uint64), interval)


class _Again(Team):
    """The search made again, until a state is found."""

    def __init__(self, plan: Plan, question: Question, members: int, state: Words) -> None:
        super().__init__(SearchingMember, plan, asked_again(question), members, state)

    def through(self, interval: int) -> list[Words]:
        """The states on one run: an initial one, one of each milestone, and the one that was looked for."""
        kept = 0
        try:
            while self.status == Status.RUNNING:
                if self.depth == kept * interval:
                    self.ask_all("keep")
                    kept += 1
                self.round(1 << 40)
            if self.status == Status.FULL:
                raise NoMemoryForRun("the run to it has to be searched for again, and the memory does not suffice")
            assert self.status == Status.STATE, "a state that the search has found is not found again"
            place, number = divmod(self.findings().at, len(self.members))
            state, tag = self.ask(number, "found", place)
            found = [state]
            for which in reversed(range(kept)):
                state, tag = self.ask(tag % len(self.members), "milestone", which, tag)
                found.append(state)
        finally:
            self.dismiss()
        return found[::-1]
