"""Two-phase commit: a protocol that has nothing to do with migration, written from nothing.

A coordinator and some participants carry out one transaction: either all of them commit it, or all abort it. First
every participant votes: it prepares, or it refuses and aborts at once. The coordinator commits if all have prepared,
and aborts if one has refused. Then it sends its decision to each participant.

The language has one kind of parameter for things that are alike: pages. Here **a page is a participant**, and a
`Bitmap` is a set of participants: "2 pages" means two participants.

    postcopy check examples/two_phase_commit.py --pages 3

two_phase_commit_variants.py has two variants that are wrong, two_phase_commit_proof.py an invariant for the prover.
"""

from enum import Enum

from postcopy.language import ALL, Bitmap, Channel, Choice, LeadsTo, Machine, Page, PageSet, Protocol, Receives, Sends
from postcopy.language import Step, Thread, View, action, always, eventually, every_step, require, sometimes

Vote = Enum("Vote", "PREPARED REFUSED")
Decision = Enum("Decision", "COMMIT ABORT")
Phase = Enum("Phase", "COLLECTING COMMITTED ABORTED")


class Coordinator(Machine):
    """Collects the votes and decides."""

    thread = Thread("coordinator")
    phase = Choice("what the coordinator has decided", Phase.COLLECTING)
    votes_for = Bitmap("participants whose vote to commit has arrived")
    informed = Bitmap("participants to which the decision has been sent")
    votes = Receives("votes")
    decisions = Sends("decisions")

    @action(thread)
    def counts_vote(self) -> None:
        """counts a vote to commit"""
        self.votes_for |= self.votes.receive(Vote.PREPARED).pages

    @action(thread)
    def reads_refusal(self) -> None:
        """reads a refusal, and decides to abort"""
        self.votes.receive(Vote.REFUSED)
        if self.phase == Phase.COLLECTING:
            self.phase = Phase.ABORTED

    @action(thread)
    def commits(self) -> None:
        """decides to commit: all have prepared"""
        require(self.phase == Phase.COLLECTING)
        require(self.votes_for.full)
        self.phase = Phase.COMMITTED

    @action(thread)
    def informs(self, page: Page) -> None:
        """sends the decision to a participant"""
        require(self.phase != Phase.COLLECTING)
        require(not self.informed[page])
        require(self.decisions.room())
        self.informed |= page
        self.decisions.send(Decision.COMMIT if self.phase == Phase.COMMITTED else Decision.ABORT, page)


class Participants(Machine):
    """All participants. Each of them is in one of four sets."""

    thread = Thread("participants")
    working = Bitmap("participants that have not voted", initial=ALL)
    prepared = Bitmap("participants that have prepared and wait for the decision")
    committed = Bitmap("participants that have committed")
    aborted = Bitmap("participants that have aborted")
    votes = Sends("votes")
    decisions = Receives("decisions")

    @action(thread)
    def prepares(self, page: Page) -> None:
        """prepares, and votes to commit"""
        require(self.working[page])
        require(self.votes.room())
        self.working -= page
        self.prepared |= page
        self.votes.send(Vote.PREPARED, page)

    @action(thread)
    def refuses(self, page: Page) -> None:
        """refuses, and aborts at once"""
        require(self.working[page])
        require(self.votes.room())
        self.working -= page
        self.aborted |= page
        self.votes.send(Vote.REFUSED, page)

    @action(thread)
    def takes_commit(self) -> None:
        """commits, because the coordinator says so"""
        pages = self.decisions.receive(Decision.COMMIT).pages
        self.prepared -= pages
        self.committed |= pages

    @action(thread)
    def takes_abort(self) -> None:
        """aborts, because the coordinator says so"""
        pages = self.decisions.receive(Decision.ABORT).pages
        self.working -= pages
        self.prepared -= pages
        self.aborted |= pages


@always("No participant commits where another aborts")
def agreement(state: View) -> bool:
    """The transaction is carried out in part: here it has happened, and there it never will."""
    return bool(state.participants.committed.empty or state.participants.aborted.empty)


@every_step("A participant's outcome is final")
def outcome_is_final(step: Step) -> PageSet:
    """This participant had committed or aborted, and takes it back."""
    before, after = step.before.participants, step.after.participants
    changed: PageSet = (before.committed - after.committed) | (before.aborted - after.aborted)
    return changed


@sometimes("All participants commit")
def all_commit(state: View) -> bool:
    """A transaction can succeed."""
    return bool(state.participants.committed.full)


@eventually("Every participant commits or aborts")
def outcome_reaches_everyone(state: View, page: Page) -> LeadsTo:
    """This participant holds its locks for ever."""
    return LeadsTo(when=True, then=bool(state.participants.committed[page] or state.participants.aborted[page]))


class TwoPhaseCommit(Protocol):
    """Two-phase commit with one coordinator, which does not fail."""

    coordinator = Coordinator
    participants = Participants
    votes = Channel(Vote)
    decisions = Channel(Decision)
    drawn_by = ("coordinator.phase", "participants")  # what `postcopy graph` tells states apart by
    properties = (agreement, outcome_is_final, all_commit, outcome_reaches_everyone)

    @staticmethod
    def may_rest(state: View) -> bool:
        """Every participant has committed or aborted."""
        return bool((state.participants.committed | state.participants.aborted).full)
