"""Actions taken apart into the ways through them, truth values into parts that hold together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.prover.channel_expressions import Carries, HasRoom, HeadIs, HeadMarked, Truth, as_truth


def parts_of(e: Truth) -> list[TruthExpr]:
    """Truth values that hold together where the given one holds: a conjunction taken apart as far as it goes."""
    match e:
        case ex.And(parts):
            return [piece for part in parts for piece in parts_of(part)]
        case ex.Or(alternatives):
            return _parts_of_alternatives(e, alternatives)
        case ex.TruthConstant(value):
            return [] if value else [e]
        case ex.Not() | ex.Equal() | ex.Less() | ex.IsEmpty():
            return [e]
        case HeadIs() | HeadMarked() | Carries() | HasRoom():
            return [as_truth(e)]
        case _:
            assert_never(e)


def _parts_of_alternatives(e: TruthExpr, alternatives: tuple[TruthExpr, ...]) -> list[TruthExpr]:
    """ "If c then x else y", which is how decisions are written, is both "not c or x" and "c or y"."""
    conditions = {part: other for other in alternatives for part in _conjuncts(other)}
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


def _conjuncts(e: TruthExpr) -> tuple[TruthExpr, ...]:
    return e.parts if isinstance(e, ex.And) else (e,)


def _less(conjunction: TruthExpr, condition: TruthExpr) -> TruthExpr:
    return ex.conjunction(*(part for part in _conjuncts(conjunction) if part != condition))


def paths_of(tree: Tree, guard: tuple[TruthExpr, ...] = ()) -> Iterator[tuple[tuple[TruthExpr, ...], Leaf]]:
    """Every path through an action: its condition, and its updates."""
    if isinstance(tree, Branch):
        yield from paths_of(tree.yes, (*guard, tree.condition))
        yield from paths_of(tree.no, (*guard, ex.negation(tree.condition)))
    elif tree is not None:
        yield guard, tree
