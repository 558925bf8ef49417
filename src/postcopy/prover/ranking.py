"""The claim that a step does not come closer to the end, as an expression for z3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from postcopy.language import expressions as ex
from postcopy.language.expressions import NumberExpr, PagesExpr, TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.ranking import Component, Measure, Ranking
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable
from postcopy.prover.channel_expressions import (
    HeadIs,
    Lost,
    Marked,
    Messages,
    MessagesVariable,
    Received,
    Sent,
    Shortened,
    as_truth,
    messages_after,
    walk,
)
from postcopy.prover.unbounded import messages_of

Comparison = tuple[TruthExpr, TruthExpr]
"""When a component gets smaller, and when it does not grow."""


def comes_no_closer(instance: Instance, components: Sequence[Component], leaf: Leaf) -> TruthExpr:
    """The step changes something beside history, and no component gets smaller before another one grows."""
    closer, so_far = ex.FALSE, ex.TRUE
    measured = [(component.measure, v) for component in components for v in _variables(instance, component)]
    for measure, variable in measured:
        if variable not in leaf.updates:
            continue
        smaller, no_larger = _compare(measure, variable, leaf)
        closer = ex.disjunction(closer, ex.conjunction(so_far, smaller))
        so_far = ex.conjunction(so_far, no_larger)
    return ex.conjunction(_changes(leaf), ex.negation(closer))


def components_without_variable(instance: Instance, ranking: Ranking) -> list[str]:
    """The components of a ranking that speak of what the protocol does not have, or has as something else."""
    return [component.name for component in ranking.components if not _variables(instance, component)]


_SORTS = {
    Measure.ADVANCES: Sort.NUMBER,
    Measure.RETREATS: Sort.NUMBER,
    Measure.SHRINKS: Sort.PAGES,
    Measure.FILLS: Sort.PAGES,
    Measure.DRAINS: Sort.MESSAGES,
}


def _variables(instance: Instance, component: Component) -> list[Variable]:
    """The variable of a component, or that of each vCPU, if the protocol has it and it can be measured so."""
    name = component.name
    if name in instance.channels:
        found = [messages_of(instance.channels[name])]
    else:
        each = [name, *(f"{name}[{cpu}]" for cpu in range(instance.cpus))]
        found = [instance.variable[one] for one in each if one in instance.variable]
    return [variable for variable in found if variable.sort is _SORTS[component.measure]]


def _compare(measure: Measure, variable: Variable, leaf: Leaf) -> Comparison:
    new: Value = leaf.updates[variable]
    match measure:
        case Measure.DRAINS:
            return _drains(messages_after(leaf.updates, variable))
        case Measure.SHRINKS:
            return _loses_pages(ex.PagesVariable(variable), ex.as_pages(new))
        case Measure.FILLS:
            return _loses_pages(ex.as_pages(new), ex.PagesVariable(variable))
        case Measure.ADVANCES:
            return _grows(ex.NumberVariable(variable), ex.as_number(new))
        case Measure.RETREATS:
            return _grows(ex.as_number(new), ex.NumberVariable(variable))
        case _:
            assert_never(measure)


def _loses_pages(before: PagesExpr, after: PagesExpr) -> Comparison:
    inside = ex.is_empty(ex.intersection(after, ex.set_complement(before)))
    fewer = ex.negation(ex.is_empty(ex.intersection(before, ex.set_complement(after))))
    return ex.conjunction(inside, fewer), inside


def _grows(before: NumberExpr, after: NumberExpr) -> Comparison:
    return ex.less(before, after), ex.negation(ex.less(after, before))


def _drains(messages: Messages) -> Comparison:
    """When a channel certainly has fewer messages after a step, and when it certainly has no more."""
    grown, shortened = 0, False
    while True:
        match messages:
            case Lost():
                return ex.FALSE, ex.truth(grown <= 0)
            case MessagesVariable():
                any_before = ex.negation(as_truth(HeadIs(messages, 0)))
                fewer = any_before if shortened and grown == 0 else ex.truth(grown < 0)
                return fewer, ex.truth(grown <= 0)
            case Sent():
                grown += 1
            case Received():
                grown -= 1
            case Shortened():
                shortened = True
            case Marked():
                pass
            case _:
                assert_never(messages)
        messages = messages.messages


def differs(variable: Variable, new: PagesExpr) -> TruthExpr:
    """Whether a set of pages becomes another one."""
    old = ex.PagesVariable(variable)
    gone, added = ex.intersection(old, ex.set_complement(new)), ex.intersection(new, ex.set_complement(old))
    return ex.negation(ex.is_empty(ex.union(gone, added)))


def _changes(leaf: Leaf) -> TruthExpr:
    """When a step may change something beside history."""
    changes = []
    for variable, new in leaf.updates.items():
        if variable.ghost:
            continue
        if variable.sort is Sort.NUMBER:
            changes.append(ex.negation(ex.equal(ex.NumberVariable(variable), ex.as_number(new))))
        elif variable.sort is Sort.PAGES:
            changes.append(differs(variable, ex.as_pages(new)))
        elif any(isinstance(node, Sent | Received | Shortened | Lost) for node in walk(new)):
            changes.append(ex.TRUE)
    return ex.disjunction(*changes)
