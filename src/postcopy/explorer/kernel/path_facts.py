"""What is known of a state on a path, and what that makes simpler.

A step's properties are asked on every path through an action. Most of them cannot be violated there, and what has been
decided on the way says so: a page that was found waiting is not one that waits for nothing. The reading folds
constants and no more, so that generated text stays what was written. Machine code is read by nobody, and each
condition that is not in it is neither translated, compiled nor evaluated.

An expression has to have the same value before and after in every state on its path; the plain text of a kernel is made
of what was read, and the tests compare both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast

from postcopy.language import expressions as ex
from postcopy.language.expressions import AnySort, Expr, PagesExpr, TruthExpr, Value
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.language.variables import Variable

Sets = Mapping[PagesExpr, PagesExpr]
"""Sets of which it is known whether the pages that are looked at are in it: the full set or the empty one."""

MOST_VALUES = 256
"""So many values a number has of which it is followed which it can still have."""

_CONSTANTS = (ex.TruthConstant, ex.Number, ex.NoPages, ex.AllPages)


class Facts:
    """What is known on a path: conditions that were decided, and the values that numbers can still have.

    Args:
        one_page: whether there is one page only, which is then in each set that is not empty.
    """

    def __init__(self, one_page: bool) -> None:
        self._one_page = one_page
        self._known: dict[Expr, Expr] = {ex.PAGE: ex.FULL_SET, ex.OTHER: ex.FULL_SET} if one_page else {}
        self._values: dict[Variable, int] = {}
        """For a number the values that it can have, as bits; all of its values where it is not here."""

    def knowing(self, conditions: Iterable[tuple[TruthExpr, bool]]) -> Facts:
        """What is known where some conditions hold or fail besides."""
        other = Facts(self._one_page)
        other._known, other._values = dict(self._known), dict(self._values)
        for condition, holds in conditions:
            other._note(condition, holds)
        return other

    def _note(self, condition: TruthExpr, holds: bool) -> None:
        passing = _passing(condition)
        if isinstance(condition, ex.Not):
            self._note(condition.operand, not holds)
        elif isinstance(condition, ex.And | ex.Or) and isinstance(condition, ex.And) == holds:
            for part in condition.parts:
                self._note(part, holds)
        elif passing is not None:
            self._keep(*passing, holds)
        elif isinstance(condition, ex.IsEmpty) and (holds or self._one_page):
            self._known[condition] = ex.truth(holds)
            self._known[condition.pages] = ex.EMPTY_SET if holds else ex.FULL_SET
        else:
            self._known[condition] = ex.truth(holds)

    def _keep(self, variable: Variable, values: int, holds: bool) -> None:
        possible = self._possible(variable)
        self._values[variable] = possible & (values if holds else ~values)

    def _possible(self, variable: Variable) -> int:
        return self._values.get(variable, _below(variable.size))

    def __call__(self, e: AnySort, /) -> AnySort:
        """The expression, as simple as what is known makes it."""
        if isinstance(e, _CONSTANTS):
            return e
        known = self._known.get(e)
        if known is not None:
            return cast(AnySort, known)
        result: Expr
        if isinstance(e, ex.Not):
            result = ex.negation(self(e.operand))
        elif isinstance(e, ex.Equal | ex.Less):
            result = self._comparison(e)
        elif isinstance(e, ex.And | ex.Or):
            result = self._together(e.parts, isinstance(e, ex.And))
        elif isinstance(e, ex.NumberVariable) and e.variable.size <= MOST_VALUES:
            values = self._possible(e.variable)
            result = e if values & values - 1 or not values else ex.number(values.bit_length() - 1)
        elif isinstance(e, ex.Complement | ex.Intersection | ex.Union):
            result = _in_each_page(e.rebuilt(self), {})
        else:
            result = e.rebuilt(self)
        return cast(AnySort, self._known.get(result, result))

    def _comparison(self, e: ex.Equal | ex.Less) -> TruthExpr:
        passing = _passing(e)
        return e.rebuilt(self) if passing is None else self._compared(e, *passing)

    def has(self, variable: Variable, e: Value) -> bool:
        """Whether it is known that a variable has a value."""
        if isinstance(e, ex.Number):
            return self._values.get(variable) == 1 << e.value
        before = ex.variable(variable)
        return e is before or (isinstance(e, _CONSTANTS) and self._known.get(before) is e)

    def _compared(self, e: TruthExpr, variable: Variable, values: int) -> TruthExpr:
        """A comparison that holds for some values of a variable."""
        possible = self._possible(variable)
        if not possible & values:
            return ex.FALSE
        return e if possible & ~values else ex.TRUE

    def _together(self, parts: tuple[TruthExpr, ...], every: bool) -> TruthExpr:
        """A conjunction or disjunction: in each part it is known that those before hold, or fail; short ones first."""
        facts, done = self, list[TruthExpr]()
        for part in sorted(parts, key=lambda part: isinstance(part, ex.And | ex.Or)):
            simple = facts(part)
            if simple is ex.truth(not every):
                return simple
            facts = facts.knowing([(simple, every)])
            done.append(simple)
        return ex.conjunction(*done) if every else ex.disjunction(*done)


def _passing(e: TruthExpr) -> tuple[Variable, int] | None:
    """Of a comparison of a variable that has few values with a constant: the variable, and for which it holds."""
    if not isinstance(e, ex.Equal | ex.Less):
        return None
    left, right = e.left, e.right
    if isinstance(left, ex.NumberVariable) and isinstance(right, ex.Number) and left.variable.size <= MOST_VALUES:
        value = min(right.value, left.variable.size)
        every = _below(left.variable.size)
        return left.variable, every & (1 << value if isinstance(e, ex.Equal) else _below(value))
    if isinstance(right, ex.NumberVariable) and isinstance(left, ex.Number) and right.variable.size <= MOST_VALUES:
        value = min(left.value, right.variable.size)
        every = _below(right.variable.size)
        return right.variable, every & (1 << value if isinstance(e, ex.Equal) else ~_below(value + 1))
    return None


def _below(value: int) -> int:
    """The numbers from 0 on below a value, as bits."""
    return (1 << value) - 1


def _in_each_page(e: PagesExpr, known: Sets) -> PagesExpr:
    """A set, where it is known of each page that is looked at whether it is in some others."""
    if e in known:
        return known[e]
    if isinstance(e, ex.Complement):
        return ex.set_complement(_in_each_page(e.operand, known))
    if not isinstance(e, ex.Intersection | ex.Union):
        return e
    every = isinstance(e, ex.Intersection)
    inside, outside = (ex.FULL_SET, ex.EMPTY_SET) if every else (ex.EMPTY_SET, ex.FULL_SET)
    others, done = dict(known), list[PagesExpr]()
    for part in sorted(e.parts, key=lambda part: isinstance(part, ex.Intersection | ex.Union)):
        simple = _in_each_page(part, others)
        if simple is outside:
            return simple
        others[simple], others[ex.set_complement(simple)] = inside, outside
        done.append(simple)
    return ex.intersection(*done) if every else ex.union(*done)


def simplified(tree: Tree, facts: Facts) -> tuple[Tree, dict[int, Leaf]]:
    """A tree as simple as what is known makes it, without what no state comes to; and by the identity of each of its
    leaves the one that it stands for.

    A new value that a variable has already is left out of a leaf's updates. A check that cannot fail is `TRUE`.
    """
    originals: dict[int, Leaf] = {}

    def of(tree: Tree, facts: Facts) -> Tree:
        if tree is None:
            return None
        if isinstance(tree, Leaf):
            leaf = _leaf(tree, facts)
            originals[id(leaf)] = tree
            return leaf
        condition = facts(tree.condition)
        if condition in (ex.TRUE, ex.FALSE):
            return of(tree.yes if condition is ex.TRUE else tree.no, facts)
        yes = of(tree.yes, facts.knowing([(condition, True)]))
        no = of(tree.no, facts.knowing([(condition, False)]))
        return None if yes is None and no is None else Branch(condition, yes, no)

    return of(tree, facts), originals


def _leaf(leaf: Leaf, facts: Facts) -> Leaf:
    updates = {v: e if isinstance(e, _CONSTANTS) else facts(e) for v, e in leaf.updates.items()}
    violated = ((prop, facts(condition)) for prop, condition in leaf.violated)
    return replace(
        leaf,
        updates={v: e for v, e in updates.items() if not facts.has(v, e)},
        violated=tuple((prop, condition) for prop, condition in violated if condition is not ex.FALSE),
        checks=tuple((facts(condition), message, place) for condition, message, place in leaf.checks),
    )
