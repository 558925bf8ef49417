"""Whether a protocol treats its vCPUs alike: then of two states that differ in their names alone one is enough.

That is seen from the trees. With vCPU i called j and j called i, the tree of each action has to be that of the action
of the renamed vCPU, up to the order of operands where that means nothing; likewise every property, where the protocol
may rest, and the initial states. A protocol for which this cannot be shown so is searched without.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from itertools import permutations
from typing import assert_never

from postcopy.explorer.kernel.canonical_form import Inapplicable, Reduction, Rewriting
from postcopy.explorer.kernel.expression_code import keeping
from postcopy.explorer.kernel.layout import Layout
from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr, PagesVariable
from postcopy.language.fields import CpuBitmap
from postcopy.language.instance import Instance
from postcopy.language.program import Program, fold
from postcopy.language.trees import Branch, Tree
from postcopy.language.variables import Variable


def _of(program: Program, layout: Layout) -> Rewriting | Inapplicable:
    if why := asymmetric(program):
        return Inapplicable(f"{why} tells vCPUs apart")
    return Rewriting(partial(_text, layout), around=True) if program.instance.cpus > 1 else Inapplicable()


REDUCTION = Reduction("vCPU symmetry", _of, keeps_runs=False)
"""A renaming of vCPUs would mix up which of them is neglected."""


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
        case ex.Neighbours(operand, previous):
            return type(e), _form(operand), previous
        case _:
            assert_never(e)


def _text(layout: Layout, name: str, inside: str) -> list[str]:
    """The least of what `inside` makes of the state with its vCPUs renamed in every way."""
    words, best, other = ([f"{letter}{k}" for k in range(layout.words)] for letter in "wbc")
    listed = ", ".join(words)
    offset = {v: i for i, v in enumerate(layout.sets)}
    groups = [[offset[v] for v in family] for family in families(layout.instance) if all(v in offset for v in family)]
    lines = [f"def {name}({listed}):", f"    {', '.join(best)}, = {inside}({listed})"]
    for order in list(permutations(range(layout.instance.cpus)))[1:]:
        moves = [(group[a], group[b]) for group in groups for a, b in enumerate(order) if a != b]
        renamed = list(words)
        for k in range(layout.page_words):
            moved = sum(layout.stride(k) << a for a, _ in moves)
            bits = [f"((w{k} >> {a} & {layout.stride(k)}) << {b})" for a, b in moves]
            renamed[k] = " | ".join([f"(w{k} & {keeping(moved)})", *bits])
        lines.append(f"    {', '.join(other)}, = {inside}({', '.join(renamed)})")
        less = f"{other[-1]} < {best[-1]}"
        for b, c in zip(best[-2::-1], other[-2::-1], strict=True):
            less = f"{c} < {b} or ({c} == {b} and ({less}))"
        lines.append(f"    less = {less}")
        lines += [f"    {b} = {c} if less else {b}" for b, c in zip(best, other, strict=True)]
    return [*lines, f"    return {', '.join(best)},"]
