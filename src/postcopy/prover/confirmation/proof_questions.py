"""The questions on which a proof rests, each as a text for a second prover.

They are made anew from the proof: from the protocol, the conjuncts, and from which conjuncts z3 says that it needed.
Nothing that a solver of z3 has stored is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from postcopy.language.ranking import Ranking
from postcopy.prover.applicable import applicable
from postcopy.prover.confirmation.question import Question, question_of
from postcopy.prover.formulas import Symbols
from postcopy.prover.goals import Goal, Path, Reader
from postcopy.prover.obligations import ANY, INITIAL, Obligation, Proof
from postcopy.prover.progress import deadlock_of, stuck
from postcopy.prover.solving import Status
from postcopy.prover.theory import Theory


class LostQuestionError(RuntimeError):
    """An obligation that z3 has proved has other questions than z3 was asked: an error of this program."""


def questions_of(proof: Proof, ranking: Ranking | None) -> Iterator[Question]:
    """The questions of all obligations that are proved, in their order.

    Args:
        proof: for every size.
        ranking: what the proof of the end is about, if there is one.

    Raises:
        LostQuestionError: an obligation has no goal, or its goal another number of violations.
    """
    return _Questions(proof, ranking).all()


class _Questions:
    """The way through the obligations of a proof."""

    def __init__(self, proof: Proof, ranking: Ranking | None) -> None:
        self._proof, self._instance = proof, proof.instance
        there = applicable(self._instance.protocol, self._instance.properties, proof.conjuncts, ranking)
        self._reader = Reader(self._instance, proof.conjuncts, there.ranking)
        symbols = Symbols(self._instance.variables, self._instance.channels.values(), self._reader.single_copies)
        self._theory = Theory(symbols, self._reader.conjuncts)
        self._goals: dict[str, dict[str, Goal]] = {}
        self._paths: dict[Path, list[Any]] = {}

    def all(self) -> Iterator[Question]:
        """See `questions_of`."""
        for obligation in self._proof.obligations:
            if obligation.status is Status.PROVED:
                of = self._of_deadlock if obligation.action == ANY else self._of_goal
                yield from of(obligation)

    def _of_goal(self, obligation: Obligation) -> Iterator[Question]:
        violations = self._goal(obligation).violations
        if len(violations) != obligation.questions:
            raise LostQuestionError(f"{len(violations)} violations, {obligation.questions} questions: {obligation}")
        for number, violation in enumerate(violations, 1):
            facts = self._theory.violation(violation)
            if violation.path is not None:
                facts = [*self._path(violation.path), *facts]
            part = f"{number} of {len(violations)}"
            yield self._question(obligation, part, facts, assumes=violation.path is not None)

    def _goal(self, obligation: Obligation) -> Goal:
        if obligation.action not in self._goals:
            goals = self._reader.initial() if obligation.action == INITIAL else []
            for action in self._instance.actions:
                if action.name == obligation.action:
                    goals = self._reader.of_action(action)
            self._goals[obligation.action] = {goal.conjunct: goal for goal in goals}
        if obligation.conjunct not in self._goals[obligation.action]:
            raise LostQuestionError(f"there is no goal for {obligation}")
        return self._goals[obligation.action][obligation.conjunct]

    def _path(self, path: Path) -> list[Any]:
        if path not in self._paths:
            self._paths = {path: self._theory.path(path)}
        return self._paths[path]

    def _of_deadlock(self, obligation: Obligation) -> Iterator[Question]:
        """A question for each combination of kinds of the channels' oldest messages. Where z3 has split these further,
        there are fewer than it was asked."""
        deadlock, symbols = deadlock_of(self._instance), self._theory.symbols
        facts = stuck(self._theory, deadlock)
        oldest = [[symbols.oldest(messages, code) for code in codes] for messages, codes in deadlock.oldest]
        cases = list(product(*oldest))
        for number, case in enumerate(cases, 1):
            here = [formula for one in case for formula in (*one.also, *(term == value for term, value in one.values))]
            yield self._question(obligation, f"{number} of {len(cases)}", [*facts, *here], assumes=True)

    def _question(self, obligation: Obligation, part: str, facts: list[Any], *, assumes: bool) -> Question:
        about = (
            ("protocol", self._instance.protocol.__name__),
            ("conjunct", obligation.conjunct),
            ("action", obligation.action),
            ("part", part),
        )
        if not assumes:  # no conjunct holds before the initial states
            return question_of(about, facts)
        given = self._theory.wide
        return question_of(about, [*given.always, *facts], given.conjuncts, obligation.uses)
