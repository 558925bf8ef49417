"""Actions taken apart into the ways through them, truth values into parts that hold together."""

from __future__ import annotations

from collections.abc import Iterator

from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr
from postcopy.language.symbolic import Branch, Leaf, Tree


def parts_of(e: Expr) -> list[Expr]:
    """Truth values that hold together where the given one holds: a conjunction taken apart as far as it goes."""
    if e.op == "and":
        return [part for operand in e.operands for part in parts_of(operand)]
    if e.op == "or":
        return _parts_of_alternatives(e)
    return [] if e is ex.TRUE else [e]


def _parts_of_alternatives(e: Expr) -> list[Expr]:
    """ "If c then x else y", which is how decisions are written, is both "not c or x" and "c or y"."""
    alternatives = e.operands
    conditions = {part: other for other in alternatives for part in (other.operands if other.op == "and" else (other,))}
    for condition, yes in conditions.items():
        no = conditions.get(ex.negation(condition))
        if no is not None and len(alternatives) == 2 and no is not yes:
            return [
                *parts_of(ex.disjunction(ex.negation(condition), _less(yes, condition))),
                *parts_of(ex.disjunction(condition, _less(no, ex.negation(condition)))),
            ]
    for alternative in alternatives:
        several = parts_of(alternative)
        if len(several) > 1:
            others = ex.disjunction(*(a for a in alternatives if a is not alternative))
            return [part for one in several for part in parts_of(ex.disjunction(others, one))]
    return [e]


def _less(conjunction: Expr, condition: Expr) -> Expr:
    return ex.conjunction(
        *(p for p in (conjunction.operands if conjunction.op == "and" else (conjunction,)) if p != condition)
    )


def paths_of(tree: Tree, guard: tuple[Expr, ...] = ()) -> Iterator[tuple[tuple[Expr, ...], Leaf]]:
    """Every way through an action: what it needs, and what it does."""
    if isinstance(tree, Branch):
        yield from paths_of(tree.yes, (*guard, tree.condition))
        yield from paths_of(tree.no, (*guard, ex.negation(tree.condition)))
    elif tree is not None:
        yield guard, tree
