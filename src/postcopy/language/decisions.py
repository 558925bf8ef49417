"""The decisions of one symbolic run of a body, and what follows from them.

A body asks expressions for their truth. Each answer is a decision: those given are replayed in order, those that
earlier ones imply need none, and an open one is answered with yes. The other answers are for later runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, assert_never

from postcopy.language import expressions as ex
from postcopy.language.body_errors import RunEnded
from postcopy.language.expressions import NumberExpr, TruthExpr
from postcopy.language.variables import Variable

Condition = TruthExpr | ex.Atom
"""What a run decides on."""


Given: TypeAlias = tuple[tuple[TruthExpr, bool], ...]
"""Conditions with their answers."""

MAX_DECISIONS = 60
"""Decisions that one path of an action or property may need."""


class TooManyDecisions(RunEnded):
    """The run asks for more than `MAX_DECISIONS` decisions."""


class RunsDiffer(RunEnded):
    """A repeated run asked another question: the body depends on something that is not part of the state."""


class Decisions:
    """The decisions of one run, and what follows from them.

    Args:
        given: conditions with their answers, in the order in which the run asks for them.
        behind: how many of them, the first ones, were asked before this run begins.

    Attributes:
        made: those given, and behind them those that the run has made.
    """

    def __init__(self, given: Given, behind: int = 0) -> None:
        self._given = len(given)
        self.made = list(given)
        self.used = behind
        self.known: dict[Condition, bool] = {}
        self.domains: dict[Variable, frozenset[int]] = {}
        for condition, answer in self.made[:behind]:
            self._learn(condition, answer)

    def decide(self, condition: TruthExpr) -> bool:
        """The answer on this path; yes, where the decision is still open.

        Raises:
            TooManyDecisions: this is one more than a path may need.
            RunsDiffer: the decision that is given for this place is another one.
        """
        following = self.made[self.used] if self.used < len(self.made) else None
        if following is not None and following[0] == condition:
            answer = following[1]  # nothing implied it when it was decided, and nothing does now
        else:
            implied = self.implied(condition)
            if implied is not None:
                return implied
            if following is not None:
                raise RunsDiffer
            if self.used == MAX_DECISIONS:
                raise TooManyDecisions
            answer = True
            self.made.append((condition, answer))
        self.used += 1
        self._learn(condition, answer)
        return answer

    def others(self) -> Iterator[tuple[TruthExpr, Given]]:
        """The conditions to which this run has said yes by itself, the last one first, each with the decisions that
        are to be given to the run that says no."""
        for index in reversed(range(self._given, len(self.made))):
            condition = self.made[index][0]
            yield condition, (*self.made[:index], (condition, False))

    def implied(self, condition: Condition) -> bool | None:
        """What the decisions so far say of a condition, if anything."""
        known = self.known.get(condition)
        if known is not None:
            return known
        match condition:
            case ex.Equal(left, right):
                return self._equality(left, right)
            case ex.Not(operand):
                inner = self.implied(operand)
                return None if inner is None else not inner
            case ex.And(parts):
                return self._several(parts, absorbing=False)
            case ex.Or(parts):
                return self._several(parts, absorbing=True)
            case ex.TruthConstant(value):
                return value
            case ex.Less() | ex.IsEmpty() | ex.Atom():
                return None
            case _:
                assert_never(condition)

    def _several(self, parts: tuple[TruthExpr, ...], absorbing: bool) -> bool | None:
        answers = [self.implied(part) for part in parts]
        if absorbing in answers:
            return absorbing
        return None if None in answers else not absorbing

    def _equality(self, subject: NumberExpr, value: NumberExpr) -> bool | None:
        if not isinstance(subject, ex.NumberVariable) or not isinstance(value, ex.Number):
            return None
        domain = self._domain(subject.variable)
        if value.value not in domain:
            return False
        return True if len(domain) == 1 else None

    def _domain(self, variable: Variable) -> frozenset[int]:
        return self.domains.get(variable) or frozenset(range(variable.size))

    def _learn(self, condition: Condition, answer: bool) -> None:
        self.known[condition] = answer
        match condition:  # what is most frequent comes first
            case ex.Equal(ex.NumberVariable(variable), ex.Number(value)):
                self.domains[variable] = frozenset({value}) if answer else self._domain(variable) - {value}
            case ex.Not(operand):
                self._learn(operand, not answer)
            case ex.And(parts):
                for part in parts if answer else ():
                    self._learn(part, answer)
            case ex.Or(parts):
                for part in () if answer else parts:
                    self._learn(part, answer)
            case ex.Equal() | ex.Less() | ex.IsEmpty() | ex.TruthConstant() | ex.Atom():
                pass
            case _:
                assert_never(condition)
