"""The meaning of the symbolic interpretation's trees, written down as plainly as possible, to compare with.

Truth values are bools, numbers ints (as stored), sets of pages ints (bit i is page i).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import reduce
from typing import assert_never

from postcopy.language import expressions as ex
from postcopy.language.actions import PageChoice, numbers_of
from postcopy.language.expressions import Expr
from postcopy.language.instance import Instance, State
from postcopy.language.trees import Branch, Tree


@dataclass(frozen=True)
class Outcome:
    """What a step does.

    Attributes:
        state: the state after it.
        events: what happened: kind, pages, channel, whether sent.
        violated: names of the properties of steps that it violates.
        error: message of the first check of the specification that fails, or None.
    """

    state: State
    events: tuple[tuple[Enum, int, str, bool], ...]
    violated: tuple[str, ...]
    error: str | None


def evaluate(e: Expr, state: State, page: PageChoice, instance: Instance) -> int:
    """The value of an expression in a state (bools are ints)."""
    universe = (1 << instance.pages) - 1

    def of(operand: Expr) -> int:
        return evaluate(operand, state, page, instance)

    match e:
        case ex.TruthConstant(value) | ex.Number(value):
            return value
        case ex.NoPages():
            return 0
        case ex.AllPages():
            return universe
        case ex.ActionPage(second):
            return 1 << numbers_of(page)[second]
        case ex.NumberVariable(variable) | ex.PagesVariable(variable):
            return state[instance.index[variable]]
        case ex.Not(operand):
            return not of(operand)
        case ex.And(operands):
            return all(map(of, operands))
        case ex.Or(operands):
            return any(map(of, operands))
        case ex.Equal(left, right):
            return of(left) == of(right)
        case ex.Less(left, right):
            return of(left) < of(right)
        case ex.Plus(left, right):
            return of(left) + of(right)
        case ex.NumberIf(condition, yes, no) | ex.PagesIf(condition, yes, no):
            return of(yes) if of(condition) else of(no)
        case ex.Complement(operand):
            return universe & ~of(operand)
        case ex.Intersection(sets):
            return reduce(lambda bits, more: bits & of(more), sets, universe)
        case ex.Union(sets):
            return reduce(lambda bits, more: bits | of(more), sets, 0)
        case ex.Neighbours(operand, previous):
            return of(operand) >> 1 if previous else of(operand) << 1 & universe
        case ex.HostPages(operand):
            host = (1 << instance.group) - 1
            hosts = [host << start for start in range(0, instance.pages, instance.group)]
            touched = of(operand)
            return sum(bits for bits in hosts if bits & touched)
        case ex.IsEmpty(pages):
            return of(pages) == 0
        case _:
            assert_never(e)


def apply(tree: Tree, instance: Instance, state: State, page: PageChoice) -> Outcome | None:
    """Take the step that a tree describes; None where a guard forbids it."""
    while isinstance(tree, Branch):
        tree = tree.yes if evaluate(tree.condition, state, page, instance) else tree.no
    if tree is None:
        return None
    after = list(state)
    for variable, e in tree.updates.items():
        after[instance.index[variable]] = int(evaluate(e, state, page, instance))
    events = tuple(
        (event.what, evaluate(event.pages, state, page, instance), event.channel, event.sent) for event in tree.events
    )
    violated = tuple(
        instance.properties[index].name
        for index, condition in tree.violated
        if evaluate(condition, state, page, instance)
    )
    failed = [message for condition, message, _ in tree.checks if not evaluate(condition, state, page, instance)]
    return Outcome(tuple(after), events, violated, failed[0] if failed else None)
