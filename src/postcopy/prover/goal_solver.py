"""Asks z3 about goals: one process's solvers, which have the hypotheses as assertions.

A question is asked up to three times: with the goal's own conjunct as the only hypothesis, which is enough for most;
with all conjuncts; and with all conjuncts, more instances of quantifiers, and more work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from postcopy.prover.goals import Goal, Path, Violation
from postcopy.prover.obligations import ANY, Obligation
from postcopy.prover.progress import Deadlock, refute_deadlock
from postcopy.prover.solving import NARROW, WIDE, Status, status_of, worse, z3_solver
from postcopy.prover.theory import Theory


class GoalSolver:
    """Solvers for the goals about one protocol.

    Args:
        theory: the formulas.
        seed: of z3's random choices.
        without: a conjunct that is not assumed.
    """

    def __init__(self, theory: Theory, seed: int, without: str | None = None) -> None:
        self._theory, self._seed = theory, seed
        self._names = theory.literals.keys() - {without}
        self._assumed = theory.assumptions(self._names)

    @cached_property
    def _narrow(self) -> Any:
        return self._with(self._theory.asserted(self._theory.narrow), NARROW)

    @cached_property
    def _wide(self) -> Any:
        return self._with(self._theory.asserted(self._theory.wide), WIDE)

    @cached_property
    def _bare(self) -> Any:
        return self._with([], NARROW)

    def _with(self, formulas: list[Any], work: int) -> Any:
        solver = z3_solver(self._seed, work)
        solver.add(*formulas)
        return solver

    def solve(self, goals: Sequence[Goal], patient: bool = True) -> list[Obligation]:
        """The answers to goals about one action, in their order.

        Args:
            goals: those without a violation are proved.
            patient: whether to ask again, with more instances and more work, where the first answers are no proof.
        """
        tallies = [_Tally() for _ in goals]
        asked = [(v.path, tally, goal, v) for goal, tally in zip(goals, tallies, strict=True) for v in goal.violations]
        order = {path: n for n, path in enumerate(dict.fromkeys(path for path, *_ in asked))}
        for path, those in groupby(sorted(asked, key=lambda one: order[one[0]]), key=lambda one: one[0]):
            if path is None:
                for _, tally, _, violation in those:
                    tally.add(self._in_the_beginning(violation))
                continue
            here = self._theory.path(path)
            self._narrow.push()
            self._narrow.add(*here)
            for _, tally, goal, violation in those:
                tally.add(self._ask(goal.conjunct, violation, here, patient))
            self._narrow.pop()
        return [tally.obligation(goal.conjunct, goal.action) for goal, tally in zip(goals, tallies, strict=True)]

    def solve_deadlock(self, deadlock: Deadlock, part: int, patient: bool = True) -> Obligation:
        """The answer to one part of the question whether all threads can stand still (see `progress`)."""
        start = time.perf_counter()
        found = refute_deadlock(self._theory, deadlock, part, self._assumed, self._seed, patient)
        uses = frozenset(self._theory.names(found.core))
        return Obligation(deadlock.conjunct, ANY, found.status, time.perf_counter() - start, found.asked, uses)

    def possible(self, path: Path) -> bool:
        """Whether z3 does not refute that a path is taken in a state in which all conjuncts hold."""
        solver = self._wide
        solver.push()
        solver.add(*self._theory.path(path))
        status = status_of(solver, self._assumed)
        solver.pop()
        return status is not Status.PROVED

    def _in_the_beginning(self, violation: Violation) -> _Answer:
        """No conjunct holds before the initial states: there is no hypothesis."""
        start = time.perf_counter()
        status, uses = self._try(self._bare, self._theory.violation(violation), ([],))
        return _Answer(status, time.perf_counter() - start, uses)

    def _ask(self, conjunct: str, violation: Violation, here: list[Any], patient: bool) -> _Answer:
        """Ask the narrow solver, which is on the path already, then the wide one."""
        start = time.perf_counter()
        wrong = self._theory.violation(violation)
        own = self._theory.assumptions(self._names & {conjunct})
        status, uses = self._try(self._narrow, wrong, (own, self._assumed))
        if status is not Status.PROVED and patient:
            status, uses = self._try(self._wide, [*here, *wrong], (self._assumed,))
        return _Answer(status, time.perf_counter() - start, uses)

    def _try(self, solver: Any, formulas: list[Any], assumptions: Sequence[list[Any]]) -> tuple[Status, list[str]]:
        """Whether a solver refutes formulas, and with which conjuncts, under assumptions that are tried in turn."""
        solver.push()
        solver.add(*formulas)
        status = Status.OPEN
        for assumed in assumptions:
            status = status_of(solver, assumed)
            if status is Status.PROVED:
                break
        uses = self._theory.names(solver.unsat_core()) if status is Status.PROVED else []
        solver.pop()
        return status, uses


@dataclass(frozen=True)
class _Answer:
    """The answer to one question."""

    status: Status
    seconds: float
    uses: list[str]


@dataclass
class _Tally:
    """What has come of a goal so far."""

    status: Status = Status.PROVED
    seconds: float = 0.0
    questions: int = 0
    uses: set[str] = field(default_factory=set)

    def add(self, answer: _Answer) -> None:
        """One more answer."""
        self.status, self.seconds = worse(self.status, answer.status), self.seconds + answer.seconds
        self.uses.update(answer.uses)
        self.questions += 1

    def obligation(self, conjunct: str, action: str) -> Obligation:
        """The obligation, done."""
        return Obligation(conjunct, action, self.status, self.seconds, self.questions, frozenset(self.uses))
