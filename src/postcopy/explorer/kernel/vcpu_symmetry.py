"""Whether a protocol treats its vCPUs alike: then of two states that differ in their names alone one is enough.

That is seen from the trees. With vCPU i called j and j called i, the tree of each action has to be that of the action
of the renamed vCPU, up to the order of operands where that means nothing; likewise every property, where the protocol
may rest, and the initial states. A protocol for which this cannot be shown so is searched without.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import assert_never

from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr, PagesVariable
from postcopy.language.fields import CpuBitmap
from postcopy.language.instance import Instance
from postcopy.language.program import Program, fold
from postcopy.language.trees import Branch, Tree
from postcopy.language.variables import Variable


def families(instance: Instance) -> list[list[Variable]]:
    """The variables that there are one of for each vCPU, in the order of vCPUs."""
    fields = [
        f"{name}.{field.name}"
        for name, machine in (instance.machines | instance.ghosts).items()
        for field in machine.fields().values()
        if isinstance(field, CpuBitmap)
    ]
    return [[instance.variable[f"{field}[{cpu}]"] for cpu in range(instance.cpus)] for field in fields]


def asymmetric(program: Program) -> str:
    """The name of an action or property that treats vCPUs differently; empty where none does."""
    instance = program.instance
    for first in range(instance.cpus - 1):
        names = {first: first + 1, first + 1: first}
        renamed = {family[a]: PagesVariable(family[b]) for family in families(instance) for a, b in names.items()}
        trees = {(action.machine, action.method, action.cpu): tree for action, tree in program.actions}
        for action, tree in program.actions:
            other = names.get(action.cpu, action.cpu) if action.cpu is not None else None
            if _tree(tree, renamed) != _tree(trees[action.machine, action.method, other], {}):
                return action.name
        for _, prop, holds in program.predicates:
            if _form(fold(holds, renamed)) != _form(holds):
                return prop.name
        if _form(fold(program.resting, renamed)) != _form(program.resting):
            return "where the protocol may rest"
        states = instance.initial_states()
        index = {v: instance.index[e.variable] for v, e in renamed.items()}
        exchanged = {tuple(state[index.get(v, i)] for i, v in enumerate(instance.variables)) for state in states}
        if exchanged != set(states):
            return "the initial states"
    return ""


def _tree(tree: Tree, renamed: dict[Variable, PagesVariable]) -> Hashable:
    if tree is None:
        return None
    if isinstance(tree, Branch):
        return _form(fold(tree.condition, renamed)), _tree(tree.yes, renamed), _tree(tree.no, renamed)
    targets = ((renamed[v].variable if v in renamed else v, e) for v, e in tree.updates.items())
    return (
        frozenset((v, _form(fold(e, renamed))) for v, e in targets),
        frozenset((i, _form(fold(e, renamed))) for i, e in tree.violated),
        tuple(_form(fold(e, renamed)) for e, _, _ in tree.checks),
    )


def _form(e: Expr) -> Hashable:
    """The expression without the order of operands that does not matter."""
    match e:
        case ex.And(operands) | ex.Or(operands) | ex.Intersection(operands) | ex.Union(operands):
            return type(e), frozenset(map(_form, operands))
        case ex.TruthConstant() | ex.Number() | ex.NumberVariable():
            return e
        case ex.NoPages() | ex.AllPages() | ex.ActionPage() | ex.PagesVariable():
            return e
        case (
            ex.Not()
            | ex.Equal()
            | ex.Less()
            | ex.IsEmpty()
            | ex.Plus()
            | ex.NumberIf()
            | ex.Complement()
            | ex.HostPages()
            | ex.PagesIf()
        ):
            return type(e), tuple(map(_form, e.operands))
        case _:
            assert_never(e)
