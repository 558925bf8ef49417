"""Two variants of two-phase commit that are wrong, each in its own way.

`CommitsTooEarly` breaks the agreement. `CoordinatorCrashes` shows the well-known weakness of two-phase commit: without
its coordinator, a participant that has prepared may neither commit nor abort.

    postcopy check examples/two_phase_commit_variants.py:CommitsTooEarly
    postcopy check examples/two_phase_commit_variants.py:CoordinatorCrashes --property outcome-reaches-everyone
"""

from two_phase_commit import Coordinator, Phase, TwoPhaseCommit

from postcopy.language import Flag, Page, Thread, action, require


class CommitsTooEarly(TwoPhaseCommit):
    """Wrong: the coordinator commits as soon as one participant has prepared."""

    class coordinator(Coordinator):
        """Decides on one vote."""

        def commits(self) -> None:
            """decides to commit: one has prepared"""
            require(self.phase == Phase.COLLECTING)
            require(not self.votes_for.empty)
            self.phase = Phase.COMMITTED


class CoordinatorCrashes(TwoPhaseCommit):
    """Wrong: the coordinator may crash, and no other takes its place."""

    class coordinator(Coordinator):
        """Does nothing any more after a crash."""

        host = Thread("coordinator's host")
        crashed = Flag("the coordinator has crashed")

        @action(host, environment=True)
        def crashes(self) -> None:
            """crashes"""
            self.crashed = True

        def counts_vote(self) -> None:
            """counts a vote to commit"""
            require(not self.crashed)
            super().counts_vote()

        def reads_refusal(self) -> None:
            """reads a refusal, and decides to abort"""
            require(not self.crashed)
            super().reads_refusal()

        def commits(self) -> None:
            """decides to commit: all have prepared"""
            require(not self.crashed)
            super().commits()

        def informs(self, page: Page) -> None:
            """sends the decision to a participant"""
            require(not self.crashed)
            super().informs(page)
