"""Expressions: immutable trees for all that an action computes, read by every back end.

Three sorts: truth values, small numbers (the members of enumerations are numbers), sets of pages. Each operator is a
class with named, typed operands. `TruthExpr`, `NumberExpr` and `PagesExpr` are closed unions of these classes, `Expr`
is any of them. Code that takes an expression apart matches on its class and ends with `assert_never`: then mypy lists
every place that a new operator needs. Code that does the same for all operators uses `operands` and `rebuilt`.

Expressions are built with the constructors at the end of this file. They fold constants and nothing cleverer, so that
generated text stays recognisably what was written.
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Protocol, TypeVar, assert_never, cast, overload

from postcopy.language.expression_nodes import Node, VariableNode, WithoutOperands, nodes
from postcopy.language.variables import Sort, Variable


class TruthNode(Node):
    """A truth value."""

    __slots__ = ()
    sort = Sort.TRUTH

    def __repr__(self) -> str:
        return show(cast(Expr, self))


class Atom(TruthNode):
    """A truth value that is no operator of the language: an interpretation may bring its own, and read them itself.

    Only the prover's unbounded interpretation does so. The language decides on atoms, and looks no further into them.
    """

    __slots__ = ()


class NumberNode(Node):
    """A number, as it is stored."""

    __slots__ = ()
    sort = Sort.NUMBER

    def __repr__(self) -> str:
        return show(cast(Expr, self))


class PagesNode(Node):
    """A set of pages."""

    __slots__ = ()
    sort = Sort.PAGES

    def __repr__(self) -> str:
        return show(cast(Expr, self))


# -- truth values ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TruthConstant(TruthNode, WithoutOperands):
    """True or false. There is one object for each, `TRUE` and `FALSE`, so that they can be compared by identity."""

    value: bool

    def __reduce__(self) -> str:
        return "TRUE" if self.value else "FALSE"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(TruthNode):
    """The operand does not hold."""

    operand: TruthExpr

    @property
    def operands(self) -> tuple[TruthExpr]:
        return (self.operand,)

    def rebuilt(self, change: Rewrite) -> TruthExpr:
        return negation(change(self.operand))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class And(TruthNode):
    """All of the operands hold."""

    parts: tuple[TruthExpr, ...]

    @property
    def operands(self) -> tuple[TruthExpr, ...]:
        return self.parts

    def rebuilt(self, change: Rewrite) -> TruthExpr:
        return conjunction(*map(change, self.parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Or(TruthNode):
    """Any of the operands holds."""

    parts: tuple[TruthExpr, ...]

    @property
    def operands(self) -> tuple[TruthExpr, ...]:
        return self.parts

    def rebuilt(self, change: Rewrite) -> TruthExpr:
        return disjunction(*map(change, self.parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Equal(TruthNode):
    """Two numbers are equal. Where one of them is constant, it is the one on the right."""

    left: NumberExpr
    right: NumberExpr

    @property
    def operands(self) -> tuple[NumberExpr, NumberExpr]:
        return self.left, self.right

    def rebuilt(self, change: Rewrite) -> TruthExpr:
        return equal(change(self.left), change(self.right))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Less(TruthNode):
    """One number is less than another."""

    left: NumberExpr
    right: NumberExpr

    @property
    def operands(self) -> tuple[NumberExpr, NumberExpr]:
        return self.left, self.right

    def rebuilt(self, change: Rewrite) -> TruthExpr:
        return less(change(self.left), change(self.right))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IsEmpty(TruthNode):
    """No page is in the set."""

    pages: PagesExpr

    @property
    def operands(self) -> tuple[PagesExpr]:
        return (self.pages,)

    def rebuilt(self, change: Rewrite) -> TruthExpr:
        return is_empty(change(self.pages))


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(NumberNode, WithoutOperands):
    """A constant, as it is stored."""

    value: int


class NumberVariable(NumberNode, VariableNode):
    """The value of a variable that is a number, before the step."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plus(NumberNode):
    """The sum of two numbers; that it leaves a variable's range is found when it happens."""

    left: NumberExpr
    right: NumberExpr

    @property
    def operands(self) -> tuple[NumberExpr, NumberExpr]:
        return self.left, self.right

    def rebuilt(self, change: Rewrite) -> NumberExpr:
        return plus(change(self.left), change(self.right))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NumberIf(NumberNode):
    """One of two numbers."""

    condition: TruthExpr
    yes: NumberExpr
    no: NumberExpr

    @property
    def operands(self) -> tuple[TruthExpr, NumberExpr, NumberExpr]:
        return self.condition, self.yes, self.no

    def rebuilt(self, change: Rewrite) -> NumberExpr:
        return choose(change(self.condition), change(self.yes), change(self.no))


# -- sets of pages -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NoPages(PagesNode, WithoutOperands):
    """The empty set: one object, `EMPTY_SET`."""

    def __reduce__(self) -> str:
        return "EMPTY_SET"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AllPages(PagesNode, WithoutOperands):
    """The set of all pages: one object, `FULL_SET`."""

    def __reduce__(self) -> str:
        return "FULL_SET"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ActionPage(PagesNode, WithoutOperands):
    """The set of just the page that is an action's (or a property's) parameter, or the second one of an action.

    One object for each, `PAGE` and `OTHER`.
    """

    second: bool

    def __reduce__(self) -> str:
        return "OTHER" if self.second else "PAGE"


class PagesVariable(PagesNode, VariableNode):
    """The value of a variable that is a set of pages, before the step."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Complement(PagesNode):
    """The pages not in the set."""

    operand: PagesExpr

    @property
    def operands(self) -> tuple[PagesExpr]:
        return (self.operand,)

    def rebuilt(self, change: Rewrite) -> PagesExpr:
        return set_complement(change(self.operand))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Intersection(PagesNode):
    """The pages in all of the sets."""

    parts: tuple[PagesExpr, ...]

    @property
    def operands(self) -> tuple[PagesExpr, ...]:
        return self.parts

    def rebuilt(self, change: Rewrite) -> PagesExpr:
        return intersection(*map(change, self.parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Union(PagesNode):
    """The pages in any of the sets."""

    parts: tuple[PagesExpr, ...]

    @property
    def operands(self) -> tuple[PagesExpr, ...]:
        return self.parts

    def rebuilt(self, change: Rewrite) -> PagesExpr:
        return union(*map(change, self.parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HostPages(PagesNode):
    """All target pages of the host pages that the set touches."""

    operand: PagesExpr

    @property
    def operands(self) -> tuple[PagesExpr]:
        return (self.operand,)

    def rebuilt(self, change: Rewrite) -> PagesExpr:
        return host_pages(change(self.operand))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Neighbours(PagesNode):
    """The pages behind those of the set in the order of addresses, or in front of them."""

    operand: PagesExpr
    previous: bool

    @property
    def operands(self) -> tuple[PagesExpr]:
        return (self.operand,)

    def rebuilt(self, change: Rewrite) -> PagesExpr:
        return neighbours(change(self.operand), self.previous)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PagesIf(PagesNode):
    """One of two sets."""

    condition: TruthExpr
    yes: PagesExpr
    no: PagesExpr

    @property
    def operands(self) -> tuple[TruthExpr, PagesExpr, PagesExpr]:
        return self.condition, self.yes, self.no

    def rebuilt(self, change: Rewrite) -> PagesExpr:
        return choose(change(self.condition), change(self.yes), change(self.no))


TruthExpr = TruthConstant | Not | And | Or | Equal | Less | IsEmpty
NumberExpr = Number | NumberVariable | Plus | NumberIf
PagesExpr = (
    NoPages
    | AllPages
    | ActionPage
    | PagesVariable
    | Complement
    | Intersection
    | Union
    | HostPages
    | Neighbours
    | PagesIf
)
Value = NumberExpr | PagesExpr
"""What a variable can be given."""

Expr = TruthExpr | NumberExpr | PagesExpr

AnySort = TypeVar("AnySort", TruthExpr, NumberExpr, PagesExpr, Value)
_Set = TypeVar("_Set", TruthExpr, PagesExpr)


class Rewrite(Protocol):
    """A function from expressions to expressions of the same sort."""

    def __call__(self, e: AnySort, /) -> AnySort:
        """The expression to put in the place of e."""


# -- all operators alike -----------------------------------------------------------------------------------------------


def walk(root: Expr) -> Iterator[Expr]:
    """Every node below and including the root, each once."""
    return cast(Iterator[Expr], nodes(root))


def mentions_page(root: Node) -> bool:
    """Whether the expression depends on a page parameter of the action."""
    return any(isinstance(node, ActionPage) for node in nodes(root))


def mentions_other(root: Node) -> bool:
    """Whether the expression depends on the second page parameter of the action."""
    return any(node is OTHER for node in nodes(root))


TRUE: TruthExpr = TruthConstant(True)
FALSE: TruthExpr = TruthConstant(False)
EMPTY_SET: PagesExpr = NoPages()
FULL_SET: PagesExpr = AllPages()
PAGE: PagesExpr = ActionPage(second=False)
OTHER: PagesExpr = ActionPage(second=True)


# -- constructors ------------------------------------------------------------------------------------------------------


def truth(value: bool) -> TruthExpr:
    """The constant."""
    return TRUE if value else FALSE


def negation(a: TruthExpr) -> TruthExpr:
    """Not a."""
    if a is TRUE or a is FALSE:
        return truth(a is FALSE)
    return a.operand if isinstance(a, Not) else Not(a)


def conjunction(*parts: TruthExpr) -> TruthExpr:
    """All of the parts."""
    leaves = [leaf for part in parts for leaf in (part.parts if isinstance(part, And) else (part,))]
    together = _together(leaves, negation, neutral=TRUE, absorbing=FALSE)
    return together[0] if len(together) == 1 else And(together)


def disjunction(*parts: TruthExpr) -> TruthExpr:
    """Any of the parts."""
    leaves = [leaf for part in parts for leaf in (part.parts if isinstance(part, Or) else (part,))]
    together = _together(leaves, negation, neutral=FALSE, absorbing=TRUE)
    return together[0] if len(together) == 1 else Or(together)


def _together(
    parts: Iterable[_Set], complement: Callable[[_Set], _Set], neutral: _Set, absorbing: _Set
) -> tuple[_Set, ...]:
    """The parts of a lattice's operator, each once; or the one thing that they come to."""
    distinct: dict[_Set, None] = {}
    for part in parts:
        if part is absorbing or (distinct and complement(part) in distinct):
            return (absorbing,)
        if part is not neutral:
            distinct[part] = None
    return tuple(distinct) or (neutral,)


@lru_cache(maxsize=1024)
def number(value: int) -> NumberExpr:
    """The (stored) number."""
    return Number(int(value))


def variable(v: Variable) -> Value:
    """The variable's value before the step."""
    return NumberVariable(v) if v.sort is Sort.NUMBER else PagesVariable(v)


def constant(e: Expr) -> int | None:
    """The value of a constant number, else None."""
    return e.value if isinstance(e, Number) else None


def as_number(e: Expr) -> NumberExpr:
    """The expression, which is a number.

    Raises:
        TypeError: it is not.
    """
    if isinstance(e, NumberNode):
        return e
    raise TypeError(f"{e} is no number")


def as_pages(e: Expr) -> PagesExpr:
    """The expression, which is a set of pages.

    Raises:
        TypeError: it is not.
    """
    if isinstance(e, PagesNode):
        return e
    raise TypeError(f"{e} is no set of pages")


def number_of(condition: TruthExpr) -> NumberExpr:
    """1 where the condition holds, else 0."""
    return choose(condition, number(1), number(0))


def equal(a: NumberExpr, b: NumberExpr) -> TruthExpr:
    """Two numbers are equal."""
    if a == b:
        return TRUE
    if isinstance(a, Number):
        if isinstance(b, Number):
            return truth(a.value == b.value)
        a, b = b, a
    if isinstance(a, NumberIf) and isinstance(b, Number) and isinstance(a.yes, Number) and isinstance(a.no, Number):
        return choose(a.condition, equal(a.yes, b), equal(a.no, b))
    return Equal(a, b)


def less(a: NumberExpr, b: NumberExpr) -> TruthExpr:
    """One number is less than the other."""
    if a == b:
        return FALSE
    return truth(a.value < b.value) if isinstance(a, Number) and isinstance(b, Number) else Less(a, b)


def plus(a: NumberExpr, b: NumberExpr) -> NumberExpr:
    """The sum; leaving a field's range is found when it happens."""
    return number(a.value + b.value) if isinstance(a, Number) and isinstance(b, Number) else Plus(a, b)


@overload
def choose(condition: TruthExpr, yes: TruthExpr, no: TruthExpr) -> TruthExpr: ...
@overload
def choose(condition: TruthExpr, yes: NumberExpr, no: NumberExpr) -> NumberExpr: ...
@overload
def choose(condition: TruthExpr, yes: PagesExpr, no: PagesExpr) -> PagesExpr: ...


def choose(condition: TruthExpr, yes: Expr, no: Expr) -> Expr:
    """One of two values of the same sort."""
    if condition is TRUE or yes == no:
        return yes
    if condition is FALSE:
        return no
    if isinstance(condition, Not):
        condition, yes, no = condition.operand, no, yes
    if isinstance(yes, NumberNode) and isinstance(no, NumberNode):
        return NumberIf(condition, yes, no)
    if isinstance(yes, PagesNode) and isinstance(no, PagesNode):
        return PagesIf(condition, yes, no)
    if isinstance(yes, TruthNode) and isinstance(no, TruthNode):
        return disjunction(conjunction(condition, yes), conjunction(negation(condition), no))
    raise TypeError(f"{yes} and {no} are of different sorts")


def set_complement(a: PagesExpr) -> PagesExpr:
    """The pages not in the set."""
    if a is EMPTY_SET or a is FULL_SET:
        return FULL_SET if a is EMPTY_SET else EMPTY_SET
    if isinstance(a, Union):
        return intersection(*map(set_complement, a.parts))
    return a.operand if isinstance(a, Complement) else Complement(a)


def intersection(*parts: PagesExpr) -> PagesExpr:
    """The pages in all of the sets."""
    leaves = [leaf for part in parts for leaf in (part.parts if isinstance(part, Intersection) else (part,))]
    together = _together(leaves, set_complement, neutral=FULL_SET, absorbing=EMPTY_SET)
    return together[0] if len(together) == 1 else Intersection(together)


def union(*parts: PagesExpr) -> PagesExpr:
    """The pages in any of the sets."""
    leaves = [leaf for part in parts for leaf in (part.parts if isinstance(part, Union) else (part,))]
    together = _together(leaves, set_complement, neutral=EMPTY_SET, absorbing=FULL_SET)
    return together[0] if len(together) == 1 else Union(together)


def host_pages(a: PagesExpr) -> PagesExpr:
    """All target pages of the host pages that the set touches."""
    return a if isinstance(a, NoPages | AllPages | HostPages) else HostPages(a)


def neighbours(a: PagesExpr, previous: bool) -> PagesExpr:
    """The pages behind those of the set, or in front of them."""
    return a if a is EMPTY_SET else Neighbours(a, previous)


def is_empty(a: PagesExpr) -> TruthExpr:
    """No page is in the set."""
    if a is EMPTY_SET:
        return TRUE
    if a is FULL_SET or isinstance(a, ActionPage):
        return FALSE
    if isinstance(a, HostPages):
        return is_empty(a.operand)
    if isinstance(a, Union):
        return conjunction(*map(is_empty, a.parts))
    return IsEmpty(a)


# -- in words ----------------------------------------------------------------------------------------------------------


def show(e: Expr) -> str:
    """The expression as a person would write it."""
    match e:
        case TruthConstant(value):
            return "true" if value else "false"
        case Not(operand):
            return f"not {operand}"
        case And(parts):
            return _joined(" and ", parts)
        case Or(parts):
            return _joined(" or ", parts)
        case Equal(left, right):
            return f"({_beside(right, left)} == {_beside(left, right)})"
        case Less(left, right):
            return f"({_beside(right, left)} < {_beside(left, right)})"
        case IsEmpty(pages):
            return f"{pages}.empty"
        case Number(stored):
            return str(stored)
        case NumberVariable(v) | PagesVariable(v):
            return v.name
        case Plus(left, right):
            return f"({left} + {right})"
        case NumberIf(condition, yes, no) | PagesIf(condition, yes, no):
            return f"({yes} if {condition} else {no})"
        case NoPages():
            return "none"
        case AllPages():
            return "all"
        case ActionPage(second):
            return "other page" if second else "page"
        case Complement(operand):
            return f"~{operand}"
        case Intersection(parts):
            return _joined(" & ", parts)
        case Union(parts):
            return _joined(" | ", parts)
        case HostPages(operand):
            return f"{operand}.host_pages"
        case Neighbours(operand, previous):
            return f"{operand}.{'previous' if previous else 'next'}"
        case _:
            assert_never(e)


def _joined(sign: str, parts: Iterable[Expr]) -> str:
    return "(" + sign.join(map(str, parts)) + ")"


def _beside(other: NumberExpr, e: NumberExpr) -> str:
    """A number, as a value of the variable that it is compared with."""
    if not isinstance(e, Number) or not isinstance(other, NumberVariable) or not 0 <= e.value < other.variable.size:
        return str(e)
    value = other.variable.decode(e.value)
    return value.name if isinstance(value, Enum) else str(value)
