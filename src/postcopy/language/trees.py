"""Trees of guarded updates: what the symbolic interpretation makes of an action's body, and all that its readers know.

A tree is a `Branch`, a `Leaf`, or None where a guard fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from postcopy.language.expressions import Expr, PagesExpr, TruthExpr, Value
from postcopy.language.variables import Variable


@dataclass(frozen=True)
class Happening:
    """An event of a path: what, which pages, and for a message its channel and direction."""

    what: Enum
    pages: PagesExpr
    channel: str
    sent: bool


@dataclass(frozen=True)
class Leaf:
    """The end of a path: what the step does.

    Attributes:
        updates: new values, for the variables that change.
        events: what happened.
        violated: for each property that speaks of steps, its index and when this step violates it.
        checks: (condition, message, place): where a condition fails, the specification is wrong.
    """

    updates: dict[Variable, Value]
    events: tuple[Happening, ...]
    violated: tuple[tuple[int, TruthExpr], ...]
    checks: tuple[tuple[TruthExpr, str, str], ...]


@dataclass(frozen=True)
class Branch:
    """A decision on the state before the step (or, in monitors, on what the step has computed)."""

    condition: TruthExpr
    yes: Tree
    no: Tree


Tree = Branch | Leaf | None


def leaves(tree: Tree) -> Iterator[Leaf]:
    """All leaves of a tree, from left to right."""
    if isinstance(tree, Branch):
        yield from leaves(tree.yes)
        yield from leaves(tree.no)
    elif tree is not None:
        yield tree


def on_leaves(tree: Tree, change: Callable[[Leaf], Leaf]) -> Tree:
    """The tree with each leaf replaced, from left to right."""
    if isinstance(tree, Branch):
        yes = on_leaves(tree.yes, change)
        return Branch(tree.condition, yes, on_leaves(tree.no, change))
    return None if tree is None else change(tree)


def expressions_of(tree: Tree) -> Iterator[Expr]:
    """All expressions of a tree: conditions, new values, pages of events, violations and checks."""
    if isinstance(tree, Branch):
        yield tree.condition
        yield from expressions_of(tree.yes)
        yield from expressions_of(tree.no)
    elif tree is not None:
        yield from tree.updates.values()
        yield from (event.pages for event in tree.events)
        yield from (violated for _, violated in tree.violated)
        yield from (condition for condition, _, _ in tree.checks)
