"""What it would mean that a step does not come closer to the end, as an expression for z3."""

from __future__ import annotations

from collections.abc import Sequence

from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr, Sort, Variable
from postcopy.language.instance import Instance
from postcopy.language.symbolic import Leaf
from postcopy.properties.ranking import Component, Measure
from postcopy.prover.unbounded import messages_of


def comes_no_closer(instance: Instance, components: Sequence[Component], leaf: Leaf) -> Expr:
    """The step changes something beside history, and no component gets smaller before another one grows."""
    closer, so_far = ex.FALSE, ex.TRUE
    for component in components:
        variable = _variable(instance, component)
        if variable is None or variable not in leaf.updates:
            continue
        smaller, no_larger = _compare(component.measure, variable, leaf.updates[variable])
        closer = ex.disjunction(closer, ex.conjunction(so_far, smaller))
        so_far = ex.conjunction(so_far, no_larger)
    return ex.conjunction(_changes(leaf), ex.negation(closer))


def _variable(instance: Instance, component: Component) -> Variable | None:
    if component.name in instance.channels:
        return messages_of(instance.channels[component.name])
    return instance.variable.get(component.name)


def _compare(measure: Measure, variable: Variable, new: Expr) -> tuple[Expr, Expr]:
    """When the component gets smaller, and when it does not grow."""
    if measure is Measure.DRAINS:
        return _drains(new)
    old = ex.variable(variable)
    if measure in (Measure.SHRINKS, Measure.FILLS):
        more, less = (old, new) if measure is Measure.SHRINKS else (new, old)
        inside = ex.is_empty(ex.intersection(less, ex.set_complement(more)))
        return ex.conjunction(inside, ex.negation(ex.is_empty(ex.intersection(more, ex.set_complement(less))))), inside
    low, high = (old, new) if measure is Measure.ADVANCES else (new, old)
    return ex.less(low, high), ex.negation(ex.less(high, low))


def _drains(messages: Expr) -> tuple[Expr, Expr]:
    """When a channel certainly has fewer messages after a step, and when it certainly has no more."""
    grown, shortened = 0, False
    while messages.op not in ("variable", "lost"):
        grown += {"sent": 1, "received": -1}.get(messages.op, 0)
        shortened = shortened or messages.op == "shortened"
        messages = messages.operands[0]
    if messages.op == "lost":
        return ex.FALSE, ex.TRUE if grown <= 0 else ex.FALSE
    fewer = ex.negation(Expr("head_is", (messages, 0), Sort.TRUTH)) if shortened and grown == 0 else ex.FALSE
    return ex.TRUE if grown < 0 else fewer, ex.TRUE if grown <= 0 else ex.FALSE


def _changes(leaf: Leaf) -> Expr:
    """When a step may change something beside history."""
    changes = []
    for variable, new in leaf.updates.items():
        old = ex.variable(variable)
        if variable.ghost:
            continue
        if variable.sort is Sort.NUMBER:
            changes.append(ex.negation(ex.equal(old, new)))
        elif variable.sort is Sort.PAGES:
            gone, added = ex.intersection(old, ex.set_complement(new)), ex.intersection(new, ex.set_complement(old))
            changes.append(ex.negation(ex.is_empty(ex.union(gone, added))))
        elif any(node.op in ("sent", "received", "shortened", "lost") for node in ex.walk(new)):
            changes.append(ex.TRUE)
    return ex.disjunction(*changes)
