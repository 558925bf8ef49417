"""The proof for every size: the conjuncts are an inductive invariant, from which the properties follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from postcopy.cache import Cache
from postcopy.language.actions import ActionInstance
from postcopy.language.properties import NO_DEADLOCK, Kind, Property
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.prover.answers import Answers
from postcopy.prover.formulas import Symbols
from postcopy.prover.goal_solver import GoalSolver
from postcopy.prover.goals import Goal, Reader
from postcopy.prover.keys import Keys
from postcopy.prover.means import HERE, Means
from postcopy.prover.obligations import ANY, CLOSER, RANGES, Obligation, Proof
from postcopy.prover.progress import Deadlock, deadlock_of
from postcopy.prover.scheduling import solve
from postcopy.prover.theory import Theory
from postcopy.prover.unbounded import instance_of_any_size

Only = Callable[[str, str], bool]
"""Which obligations to look at, by conjunct and action."""


def prove(
    protocol: type[Protocol],
    properties: Sequence[Property],
    invariant: Sequence[Property],
    ranking: Ranking | None = None,
    means: Means = HERE,
    report: Callable[[Obligation], None] = lambda _: None,
    only: Only = lambda _conjunct, _action: True,
) -> Proof:
    """Prove the properties with the help of the invariant, for any number of pages and any length of the channels.

    Args:
        protocol: the class.
        properties: of states and of steps; others are left out.
        invariant: more conjuncts.
        ranking: why the protocol comes to an end; without it, nothing is said of that.
        means: with what the proof is made.
        report: called with each obligation when it is done.
        only: which obligations (by conjunct and action) to look at; the rest counts for nothing.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    start = time.perf_counter()
    prover = Prover(protocol, properties, invariant, ranking, means)
    found = tuple(prover.obligations(only, report))
    return Proof(prover.instance, prover.conjuncts, found, prover.framed, time.perf_counter() - start)


class Prover:
    """The way through all obligations of a protocol.

    Attributes:
        instance: the protocol with its properties.
        conjuncts: the invariant, and the properties of states.
        framed: how many pairs have been met of a conjunct and an action that changes no variable of the conjunct.

    Args:
        protocol, properties, invariant, ranking, means: see `prove`.
        patient: whether to ask a second time, with more instances and more work, where the first answer is no proof.
    """

    def __init__(
        self,
        protocol: type[Protocol],
        properties: Sequence[Property],
        invariant: Sequence[Property],
        ranking: Ranking | None = None,
        means: Means = HERE,
        patient: bool = True,
    ) -> None:
        kept = [p for p in properties if not p.is_witness and not p.of_runs]
        self.instance = instance_of_any_size(protocol, kept, invariant)
        self.conjuncts = (*invariant, *(p for p in kept if p.of_states))
        self.framed = 0
        self._reader = Reader(self.instance, self.conjuncts, ranking)
        self._means, self._patient = means, patient
        self._without: str | None = None

    def without(self, conjunct: str) -> Prover:
        """From now on one conjunct is neither assumed nor proved."""
        self._without = conjunct
        return self

    def obligations(self, only: Only, report: Callable[[Obligation], None] = lambda _: None) -> list[Obligation]:
        """All obligations, with what z3 says of them, in the order of the actions.

        Args:
            only, report: see `prove`.

        Raises:
            SpecError: an action cheats or errs.
        """
        goals, deadlock = self._goals(only), self._deadlock(only)
        self._means.expect(len(goals) + (deadlock is not None))
        answers = None if self._means.cache is None else self._answers(self._means.cache)
        return solve(goals, deadlock, self._solver, self._means.workers, report, self._patient, answers)

    def _answers(self, cache: Cache) -> Answers:
        keys = Keys(self.instance.channels.values(), self._reader.conjuncts, self._reader.single_copies)
        return Answers(cache, keys, self._means.seed, self._without)

    def _solver(self) -> GoalSolver:
        symbols = Symbols(self.instance.variables, self.instance.channels.values(), self._reader.single_copies)
        return GoalSolver(Theory(symbols, self._reader.conjuncts), self._means.seed, self._without)

    def _goals(self, only: Only) -> list[Goal]:
        """The goals about the initial states, and those about each action: those that have violations."""
        found = [goal for goal in self._reader.initial() if self._is_asked(goal, only)]
        names = {*(p.name for p in (*self.conjuncts, *self.instance.properties)), RANGES, CLOSER}
        for action in self.instance.actions:
            if any(only(name, action.name) for name in names):
                asked = [goal for goal in self._reader.of_action(action) if self._is_asked(goal, only)]
                self.framed += sum(not goal.violations for goal in asked)
                found += [goal for goal in asked if goal.violations]
        return found

    def _is_asked(self, goal: Goal, only: Only) -> bool:
        return goal.conjunct != self._without and only(goal.conjunct, goal.action)

    def _deadlock(self, only: Only) -> Deadlock | None:
        """What a deadlock of the protocol is, if its absence is asked."""
        asked = any(p.kind is Kind.NO_DEADLOCK for p in self.instance.properties) and only(NO_DEADLOCK.name, ANY)
        return deadlock_of(self.instance) if asked else None

    def possible(self, action: ActionInstance) -> bool:
        """Whether z3 does not refute that the action is taken in a state in which all conjuncts hold.

        If it did, everything about the action would be proved, of no step at all.
        """
        solver = self._solver()
        return any(solver.possible(path) for path in self._reader.paths(action))
