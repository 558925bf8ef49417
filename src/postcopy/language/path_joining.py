"""Paths of an action that differ only in the values that they write are joined to one.

A body with ten decisions that have nothing to do with each other has a thousand paths. Where two paths have the same
events and write the same variables, one path does for both: it writes the one value or the other. A reader of the tree
then has ten choices between values instead of a thousand leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.trees import Branch, Happening, Leaf, Tree, leaves
from postcopy.language.variables import Variable

MOST_PATHS = 8
"""So many paths an action may have before paths are joined: to decide is cheaper than to compute both values."""


def join_paths(tree: Tree, most: int = MOST_PATHS) -> Tree:
    """The tree with paths joined, if it has more of them than `most`; else the tree as it is.

    What a step does, what happens in it and what it violates stays the same in every state. A path that changes
    nothing is joined only with others that change nothing.
    """
    return _joined(tree) if sum(1 for _ in leaves(tree)) > most else tree


@dataclass(frozen=True)
class _Guarded:
    """A path behind a guard: what a tree without decisions is."""

    guard: TruthExpr
    leaf: Leaf

    def tree(self) -> Tree:
        if self.guard is ex.TRUE:
            return self.leaf
        return None if self.guard is ex.FALSE else Branch(self.guard, self.leaf, None)


def _joined(tree: Tree) -> Tree:
    if not isinstance(tree, Branch):
        return tree
    yes, no = _joined(tree.yes), _joined(tree.no)
    together = _join(tree.condition, yes, no)
    return Branch(tree.condition, yes, no) if together is None else together


def _join(condition: TruthExpr, yes: Tree, no: Tree) -> Tree:
    """One tree for two that a condition decides between, or None where they differ in more than values."""
    first, second = _guarded(yes), _guarded(no)
    if first is not None and second is not None:
        leaf = _one_leaf(condition, first.leaf, second.leaf)
        return None if leaf is None else _Guarded(ex.choose(condition, first.guard, second.guard), leaf).tree()
    if isinstance(yes, Branch) and isinstance(no, Branch) and yes.condition == no.condition:
        return _join_branches(condition, yes, no)
    return None


def _join_branches(condition: TruthExpr, yes: Branch, no: Branch) -> Tree:
    """Two trees that decide the same next, if they can be joined on both sides of that decision."""
    sides: list[Tree] = []
    for a, b in ((yes.yes, no.yes), (yes.no, no.no)):
        side = _join(condition, a, b)
        if side is None and not (a is None and b is None):
            return None
        sides.append(side)
    return Branch(yes.condition, *sides)


def _guarded(tree: Tree) -> _Guarded | None:
    """A tree as one path behind a guard, if it is that."""
    if isinstance(tree, Leaf):
        return _Guarded(ex.TRUE, tree)
    if tree is None or (tree.yes is not None and tree.no is not None):
        return None
    inner = _guarded(tree.no if tree.yes is None else tree.yes)
    if inner is None:
        return None
    here = ex.negation(tree.condition) if tree.yes is None else tree.condition
    return replace(inner, guard=ex.conjunction(here, inner.guard))


def _one_leaf(condition: TruthExpr, yes: Leaf, no: Leaf) -> Leaf | None:
    """One path for two that have the same events, and change something or change nothing."""
    if bool(yes.updates) != bool(no.updates) or not _same_history(yes, no):
        return None
    events = _one_for_both(condition, yes.events, no.events)
    if events is None:
        return None
    variables = dict.fromkeys((*yes.updates, *no.updates))
    return Leaf(
        {v: _chosen(condition, v, yes, no) for v in variables},
        events,
        _violated(condition, yes, no),
        _checks(condition, yes, no),
    )


def _same_history(yes: Leaf, no: Leaf) -> bool:
    """Both write the same ghosts, so that it can still be said which of them a search has not seen change."""
    return {v for v in yes.updates if v.ghost} == {v for v in no.updates if v.ghost}


def _one_for_both(
    condition: TruthExpr, yes: tuple[Happening, ...], no: tuple[Happening, ...]
) -> tuple[Happening, ...] | None:
    if [replace(event, pages=ex.EMPTY_SET) for event in yes] != [replace(event, pages=ex.EMPTY_SET) for event in no]:
        return None
    return tuple(replace(a, pages=ex.choose(condition, a.pages, b.pages)) for a, b in zip(yes, no, strict=True))


def _chosen(condition: TruthExpr, variable: Variable, yes: Leaf, no: Leaf) -> Value:
    before = ex.variable(variable)
    a, b = (leaf.updates.get(variable, before) for leaf in (yes, no))
    if isinstance(a, ex.NumberNode) and isinstance(b, ex.NumberNode):
        return ex.choose(condition, a, b)
    return ex.choose(condition, ex.as_pages(a), ex.as_pages(b))


def _violated(condition: TruthExpr, yes: Leaf, no: Leaf) -> tuple[tuple[int, TruthExpr], ...]:
    first, second = dict(yes.violated), dict(no.violated)
    return tuple(
        (index, ex.choose(condition, first.get(index, ex.FALSE), second.get(index, ex.FALSE)))
        for index in sorted(first.keys() | second.keys())
    )


def _checks(condition: TruthExpr, yes: Leaf, no: Leaf) -> tuple[tuple[TruthExpr, str, str], ...]:
    both = dict.fromkeys((*yes.checks, *no.checks))
    return tuple((ex.disjunction(_where(condition, check, yes, no), check[0]), check[1], check[2]) for check in both)


def _where(condition: TruthExpr, check: tuple[TruthExpr, str, str], yes: Leaf, no: Leaf) -> TruthExpr:
    """Where a check is not asked."""
    if check in yes.checks and check in no.checks:
        return ex.FALSE
    return ex.negation(condition) if check in yes.checks else condition
