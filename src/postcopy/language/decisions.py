"""The decisions of one symbolic run of a body, and what follows from them.

A body asks expressions for their truth. Each answer is a decision: those given are replayed in order, those that
earlier ones imply need none, and the first open one ends the run.
"""

from __future__ import annotations

from typing import assert_never

from postcopy.language import expressions as ex
from postcopy.language.body_errors import RunEnded
from postcopy.language.expressions import NumberExpr, TruthExpr
from postcopy.language.variables import Variable

Condition = TruthExpr | ex.Atom
"""What a run decides on."""


class DecisionNeeded(RunEnded):
    """The run asks for a decision that is still open: it is made again, once for each answer."""

    def __init__(self, condition: TruthExpr) -> None:
        self.condition = condition


class RunsDiffer(RunEnded):
    """A repeated run asked another question: the body depends on something that is not part of the state."""


class Decisions:
    """The decisions of one run: those given, and what follows from them.

    Args:
        given: conditions with their answers, in the order in which the run asks for them.
        behind: how many of them, the first ones, were asked before this run begins.
    """

    def __init__(self, given: tuple[tuple[TruthExpr, bool], ...], behind: int = 0) -> None:
        self.given = given
        self.used = behind
        self.known: dict[Condition, bool] = {}
        self.domains: dict[Variable, frozenset[int]] = {}
        for condition, answer in given[:behind]:
            self._learn(condition, answer)

    def decide(self, condition: TruthExpr) -> bool:
        """The answer on this path; a decision that is still open ends the run with `DecisionNeeded`."""
        answer = self.implied(condition)
        if answer is not None:
            return answer
        if self.used == len(self.given):
            raise DecisionNeeded(condition)
        expected, answer = self.given[self.used]
        if expected != condition:
            raise RunsDiffer
        self.used += 1
        self._learn(condition, answer)
        return answer

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
        match condition:
            case ex.Not(operand):
                self._learn(operand, not answer)
            case ex.And(parts):
                for part in parts if answer else ():
                    self._learn(part, answer)
            case ex.Or(parts):
                for part in () if answer else parts:
                    self._learn(part, answer)
            case ex.Equal(ex.NumberVariable(variable), ex.Number(value)):
                self.domains[variable] = frozenset({value}) if answer else self._domain(variable) - {value}
            case ex.Equal() | ex.Less() | ex.IsEmpty() | ex.TruthConstant() | ex.Atom():
                pass
            case _:
                assert_never(condition)
