"""The values of the symbolic interpretation: expressions that behave like truth values, numbers and sets of pages."""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

import typing
from enum import Enum
from typing import Any, Generic, NoReturn, TypeVar, cast

from postcopy.errors import SpecError, UnknownNameError
from postcopy.language import expressions as ex
from postcopy.language.expressions import NumberExpr, PagesExpr, TruthExpr
from postcopy.language.values import Page, PageSet, Truth, UnsupportedOperation, Whole
from postcopy.language.variables import has_order, in_words, index_of, same_values


class Run(typing.Protocol):
    """What a value needs of the run of a body that it belongs to."""

    def decide(self, condition: TruthExpr) -> bool:
        """The truth of a condition on this path."""

    def truth_of(self, value: object) -> TruthExpr:
        """A truth value as an expression."""

    def set_of(self, value: object) -> PagesExpr:
        """A set of pages as an expression."""

    def host_pages_of(self, pages: PagesExpr) -> PagesExpr:
        """All target pages of the host pages that a set touches."""

    def where(self) -> str:
        """``file:line, in method`` of the innermost statement of the specification that is being run."""


_Of = TypeVar("_Of", bound=ex.Expr)


class Symbol(Generic[_Of]):
    """A value of the symbolic interpretation: an expression and the run that it belongs to."""

    __slots__ = ("expr", "run")

    def __init__(self, run: Run, expr: _Of) -> None:
        self.run, self.expr = run, expr

    def __hash__(self) -> int:
        raise UnsupportedOperation("a value of the state cannot be looked up in a Python set or dictionary: compare it")

    def __repr__(self) -> str:
        return repr(self.expr)


class SymbolicTruth(Symbol[TruthExpr], Truth):
    """A truth value; asking Python for it is a decision."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return self.run.decide(self.expr)

    def __eq__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.equal(ex.number_of(self.expr), ex.number_of(self.run.truth_of(other))))

    def __ne__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.negation((self == other).expr))

    def __and__(self, other: object) -> SymbolicTruth:
        return SymbolicTruth(self.run, ex.conjunction(self.expr, self.run.truth_of(other)))

    def __or__(self, other: object) -> SymbolicTruth:
        return SymbolicTruth(self.run, ex.disjunction(self.expr, self.run.truth_of(other)))

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> NoReturn:
        raise SpecError("~ is for sets of pages: of a truth value write not", self.run.where())

    __hash__ = Symbol.__hash__


class SymbolicNumber(Symbol[NumberExpr]):
    """A number or a member of an enumeration."""

    __slots__ = ("low", "values")

    def __init__(self, run: Run, expr: NumberExpr, values: tuple[object, ...], low: int) -> None:
        super().__init__(run, expr)
        self.values, self.low = values, low

    @property
    def kind(self) -> str:
        """What its values are, in words."""
        return in_words(self.values) if self.values else "number"

    def _other(self, other: object) -> NumberExpr:
        if isinstance(other, SymbolicNumber):
            if not same_values(self.values, other.values):
                moved = other.among(self.values)
                if moved is None:
                    raise SpecError(f"a {self.kind} is compared with a {other.kind}", self.run.where())
                return moved
            return ex.plus(other.expr, ex.number(other.low - self.low)) if other.low != self.low else other.expr
        if not self.values and type(other) is int:
            return ex.number(other - self.low)
        try:
            return ex.number(index_of(self.values, other))
        except ValueError:
            wrong = UnknownNameError if isinstance(other, Enum) else SpecError
            raise wrong(f"a {self.kind} is compared with {other!r}", self.run.where()) from None

    def among(self, values: tuple[object, ...]) -> NumberExpr | None:
        """The number among the values of a choice that has these and more; None where it has not."""
        places = {
            index: place for index, value in enumerate(self.values) for place, v in enumerate(values) if v is value
        }
        if not self.values or len(places) < len(self.values):
            return None
        moved: NumberExpr = ex.number(places[0])
        for index, place in places.items():
            moved = ex.choose(ex.equal(self.expr, ex.number(index)), ex.number(place), moved)
        return moved

    def _beside(self, other: object) -> tuple[NumberExpr, NumberExpr]:
        """This number and another value, both among the values of that which has more."""
        if isinstance(other, SymbolicNumber) and len(self.values) < len(other.values):
            mine = self.among(other.values)
            if mine is not None:
                return mine, other.expr
        return self.expr, self._other(other)

    def _in_order(self, other: object) -> tuple[NumberExpr, NumberExpr]:
        if self.values and not has_order(self.values):
            first = type(self.values[0]).__name__
            raise SpecError(
                f"the members of {first} have no order: make it an IntEnum with ascending values", self.run.where()
            )
        return self._beside(other)

    def __eq__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.equal(*self._beside(other)))

    def __ne__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.negation(ex.equal(*self._beside(other))))

    def __lt__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.less(*self._in_order(other)))

    def __gt__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.less(*reversed(self._in_order(other))))

    def __le__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.negation((self > other).expr))

    def __ge__(self, other: object) -> Any:
        return SymbolicTruth(self.run, ex.negation((self < other).expr))

    def __add__(self, other: int) -> SymbolicNumber:
        if self.values or type(other) is not int:
            raise SpecError("only a constant whole number can be added, and only to a Count", self.run.where())
        return SymbolicNumber(self.run, ex.plus(self.expr, ex.number(other)), (), self.low)

    __radd__ = __add__

    def __sub__(self, other: int) -> SymbolicNumber:
        return self + (-other if type(other) is int else other)

    def __bool__(self) -> bool:
        raise SpecError("a number is not a truth value: compare it", self.run.where())

    def __index__(self) -> int:
        raise SpecError("a value of the state is used as a plain Python number", self.run.where())

    __hash__ = Symbol.__hash__


class SymbolicPages(Symbol[PagesExpr], Page):
    """A set of pages."""

    __slots__ = ()

    def _of(self, other: object) -> PagesExpr:
        return self.run.set_of(other)

    def _new(self, expr: PagesExpr) -> SymbolicPages:
        return SymbolicPages(self.run, expr)

    def _truth(self, expr: TruthExpr) -> bool:
        return cast(bool, SymbolicTruth(self.run, expr))

    def __and__(self, other: PageSet | Whole) -> SymbolicPages:
        return self._new(ex.intersection(self.expr, self._of(other)))

    def __or__(self, other: PageSet | Whole) -> SymbolicPages:
        return self._new(ex.union(self.expr, self._of(other)))

    def __sub__(self, other: PageSet | Whole) -> SymbolicPages:
        return self._new(ex.intersection(self.expr, ex.set_complement(self._of(other))))

    def __invert__(self) -> SymbolicPages:
        return self._new(ex.set_complement(self.expr))

    def __getitem__(self, page: PageSet) -> bool:
        return self._truth(ex.negation(ex.is_empty((self & page).expr)))

    @property
    def empty(self) -> bool:
        return self._truth(ex.is_empty(self.expr))

    @property
    def full(self) -> bool:
        return self._truth(ex.is_empty(ex.set_complement(self.expr)))

    def subset_of(self, other: PageSet | Whole) -> bool:
        return self._truth(ex.is_empty((self - other).expr))

    def same_as(self, other: PageSet | Whole) -> bool:
        theirs = self._of(other)
        difference = ex.union((self - other).expr, ex.intersection(theirs, ex.set_complement(self.expr)))
        return self._truth(ex.is_empty(difference))

    @property
    def next(self) -> SymbolicPages:
        return self._new(ex.neighbours(self.expr, previous=False))

    @property
    def previous(self) -> SymbolicPages:
        return self._new(ex.neighbours(self.expr, previous=True))

    @property
    def host_pages(self) -> SymbolicPages:
        return self._new(self.run.host_pages_of(self.expr))

    __hash__ = PageSet.__hash__
