"""The meaning of the symbolic interpretation's trees, written down as plainly as possible, to compare with.

Truth values are bools, numbers ints (as stored), sets of pages ints (bit i is page i).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import cast

from postcopy.language.expressions import Expr, Variable
from postcopy.language.instance import Instance, State
from postcopy.language.symbolic import Branch, Tree


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


def evaluate(e: Expr, state: State, page: int | None, instance: Instance) -> int:
    """The value of an expression in a state (bools are ints)."""
    universe = (1 << instance.pages) - 1
    inner = [evaluate(operand, state, page, instance) for operand in e.operands]
    match e.op:
        case "true" | "false":
            return e.op == "true"
        case "none" | "all":
            return universe if e.op == "all" else 0
        case "page":
            assert page is not None
            return 1 << page
        case "number":
            return cast(int, e.args[0])
        case "variable":
            return state[instance.index[cast(Variable, e.args[0])]]
        case "not":
            return not inner[0]
        case "and" | "or":
            return all(inner) if e.op == "and" else any(inner)
        case "equal":
            return inner[0] == inner[1]
        case "less":
            return inner[0] < inner[1]
        case "plus":
            return inner[0] + inner[1]
        case "if":
            return inner[1] if inner[0] else inner[2]
        case "complement":
            return universe & ~inner[0]
        case "intersection" | "union":
            result = universe if e.op == "intersection" else 0
            for bits in inner:
                result = result & bits if e.op == "intersection" else result | bits
            return result
        case "host":
            host = (1 << instance.group) - 1
            hosts = [host << start for start in range(0, instance.pages, instance.group)]
            return sum(bits for bits in hosts if bits & inner[0])
        case "empty":
            return inner[0] == 0
    raise AssertionError(f"no meaning for {e.op}")


def apply(tree: Tree, instance: Instance, state: State, page: int | None) -> Outcome | None:
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
