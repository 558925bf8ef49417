"""Why two-phase commit keeps its properties with any number of participants: an inductive invariant.

    postcopy prove examples/two_phase_commit_proof.py

Each conjunct holds at the start, and after every step if all of them held before it. z3 proves that, and that the
properties follow.
"""

from two_phase_commit import Decision, Phase, TwoPhaseCommit, Vote

from postcopy.language import PageSet, View, conjunct


@conjunct("The decision to commit follows from votes that still stand")
def votes_stand(state: View) -> bool:
    """Helps to prove the agreement."""
    votes, counted = state.votes.in_flight(Vote.PREPARED), state.coordinator.votes_for
    stand = state.participants.prepared | state.participants.committed
    if state.coordinator.phase == Phase.COMMITTED and not counted.full:
        return False
    return bool(state.coordinator.phase == Phase.ABORTED or (votes | counted).subset_of(stand))


@conjunct("Participants follow the decision")
def decision_is_followed(state: View) -> bool:
    """Helps to prove the agreement."""
    phase, commits = state.coordinator.phase, state.decisions.carries(Decision.COMMIT)
    if phase != Phase.COMMITTED and (commits or not state.participants.committed.empty):
        return False
    return bool(phase == Phase.ABORTED or not state.decisions.carries(Decision.ABORT))


@conjunct("A participant is in one of the four sets only")
def one_set_each(state: View) -> PageSet:
    """Helps to prove the agreement."""
    its = state.participants
    voted = its.prepared | its.committed | its.aborted
    twice: PageSet = (its.working & voted) | (its.aborted & (its.prepared | its.committed))
    return twice


@conjunct("Nothing that is waited for gets lost")
def nothing_gets_lost(state: View) -> PageSet:
    """Helps to prove that there is no deadlock."""
    its, coordinator = state.participants, state.coordinator
    votes = state.votes.in_flight(Vote.PREPARED) | state.votes.in_flight(Vote.REFUSED)
    decisions = state.decisions.in_flight(Decision.COMMIT) | state.decisions.in_flight(Decision.ABORT)
    uninformed = coordinator.informed - decisions - its.committed - its.aborted
    if coordinator.phase != Phase.COLLECTING:
        return uninformed
    return uninformed | ~(its.working | votes | coordinator.votes_for)


class ProvedTwoPhaseCommit(TwoPhaseCommit):
    """Two-phase commit, with the conjuncts of its invariant."""

    invariant = (votes_stand, decision_is_followed, one_set_each, nothing_gets_lost)
