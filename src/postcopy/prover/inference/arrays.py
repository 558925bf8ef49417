"""Expressions over many states at once, with NumPy: how templates are held against all observed states.

A number is an int64 array with a value for each state, a truth value a bool array, a set of pages an int64 array with
a bit for each page.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import assert_never

import numpy as np
import numpy.typing as npt

from postcopy.bitmaps import Bitmaps
from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr, NumberExpr, PagesExpr, TruthExpr
from postcopy.language.instance import Instance, State
from postcopy.language.variables import Variable

Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


class States:
    """Some states of an instance, a column for each variable.

    Attributes:
        instance: the protocol at its size.
        count: how many states there are.

    Args:
        instance: see above.
        states: the states, as the concrete interpretation has them.
    """

    def __init__(self, instance: Instance, states: Sequence[State]) -> None:
        self.instance, self.count = instance, len(states)
        table = np.array(states, dtype=np.int64).reshape(len(states), len(instance.variables))
        self._columns = {v: table[:, i] for i, v in enumerate(instance.variables)}
        self._bits = Bitmaps(instance.pages, instance.group)
        self._known: dict[tuple[Expr, int], Numbers | Truths] = {}

    def values(self, variable: Variable) -> set[int]:
        """The values that a variable has in some of the states, as they are stored."""
        return {int(value) for value in np.unique(self._columns[variable])}

    def truth(self, e: TruthExpr, page: int = 0) -> Truths:
        """The truth value in each state; bool[count].

        Args:
            e: the expression.
            page: the number of the page that it may speak of.
        """
        key = (e, page if ex.mentions_page(e) else 0)
        if key not in self._known:
            self._known[key] = self._truth(e, page)
        return self._known[key].astype(np.bool_, copy=False)

    def _truth(self, e: TruthExpr, page: int) -> Truths:
        match e:
            case ex.TruthConstant(value):
                return np.full(self.count, value)
            case ex.Not(operand):
                return ~self.truth(operand, page)
            case ex.And(parts):
                return _truths(np.all([self.truth(part, page) for part in parts], axis=0))
            case ex.Or(parts):
                return _truths(np.any([self.truth(part, page) for part in parts], axis=0))
            case ex.Equal(left, right):
                return np.equal(self._number(left, page), self._number(right, page))
            case ex.Less(left, right):
                return np.less(self._number(left, page), self._number(right, page))
            case ex.IsEmpty(pages):
                return np.equal(self._pages(pages, page), 0)
            case _:
                assert_never(e)

    def _number(self, e: NumberExpr, page: int) -> Numbers:
        match e:
            case ex.Number(value):
                return np.full(self.count, value, dtype=np.int64)
            case ex.NumberVariable(variable):
                return self._columns[variable]
            case ex.Plus(left, right):
                return self._number(left, page) + self._number(right, page)
            case ex.NumberIf(condition, yes, no):
                return np.where(self.truth(condition, page), self._number(yes, page), self._number(no, page))
            case _:
                assert_never(e)

    def _pages(self, e: PagesExpr, page: int) -> Numbers:
        every = (1 << self.instance.pages) - 1
        match e:
            case ex.NoPages():
                return np.zeros(self.count, dtype=np.int64)
            case ex.AllPages():
                return np.full(self.count, every, dtype=np.int64)
            case ex.ActionPage():  # properties of states have one page
                return np.full(self.count, 1 << page, dtype=np.int64)
            case ex.PagesVariable(variable):
                return self._columns[variable]
            case ex.Complement(operand):
                return self._pages(operand, page) ^ every
            case ex.Intersection(parts):
                return reduce(np.bitwise_and, [self._pages(part, page) for part in parts])
            case ex.Union(parts):
                return reduce(np.bitwise_or, [self._pages(part, page) for part in parts])
            case ex.Neighbours(operand, previous):
                move = self._bits.down if previous else self._bits.up
                return np.asarray(move(self._pages(operand, page), 1), dtype=np.int64)
            case ex.HostPages(operand):
                return np.asarray(self._bits.host_pages(self._pages(operand, page)), dtype=np.int64)
            case ex.PagesIf(condition, yes, no):
                return np.where(self.truth(condition, page), self._pages(yes, page), self._pages(no, page))
            case _:
                assert_never(e)


def _truths(values: object) -> Truths:
    return np.asarray(values, dtype=np.bool_)
