"""Variables that never change at a given size are replaced by their value, and what depends on them folds away.

Found optimistically: all variables are taken for constant, whatever is then seen to change is taken back, until
nothing is. With one target page a host page, all that assembles host pages disappears this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.expression_nodes import Node
from postcopy.language.expressions import AnySort, Expr, TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.looks import Looks
from postcopy.language.path_joining import join_paths
from postcopy.language.properties import Kind, Property
from postcopy.language.readings import steps_of
from postcopy.language.removals import check_removed
from postcopy.language.substitution import Substitution
from postcopy.language.symbolic import SymbolicInterpretation, read_predicate, read_resting
from postcopy.language.trees import Branch, Leaf, Tree, expressions_of, leaves
from postcopy.language.values import Cpu, PageSet
from postcopy.language.variables import Sort, Variable
from postcopy.language.view import View

Values = dict[Variable, Value]


@dataclass(frozen=True)
class Program:
    """A protocol instance as trees, with what never changes folded away.

    Attributes:
        instance: what was read.
        constants: the variables that never change, with their value.
        variables: the others: the state that has to be stored.
        actions: each action with its tree.
        predicates: for each property of states or witness, its index in `instance.properties` and its expression.
        resting: where nothing needs to happen.
        looks: for each property, by its name, what it and its monitor look at.
        trivial: the properties of states that are true of every state, whatever the size.
        constant: the other properties that no state or step can violate at this size, as reading the actions shows.
    """

    instance: Instance
    constants: Values
    variables: tuple[Variable, ...]
    actions: tuple[tuple[ActionInstance, Tree], ...]
    predicates: tuple[tuple[int, Property, TruthExpr], ...]
    resting: TruthExpr
    looks: Mapping[str, Looks]
    trivial: frozenset[str]
    constant: frozenset[str]

    def looks_at_neighbours(self) -> str:
        """The name of an action or a property that asks for neighbours of pages; empty where none does.

        A property of steps is named by the action whose step it looks at.
        """
        seen: set[Node] = set()
        for action, tree in self.actions:
            if any(_has_neighbours(e, seen) for e in expressions_of(tree)):
                return f"{action.machine}.{action.method}"
        for _, prop, holds in self.predicates:
            if _has_neighbours(holds, seen):
                return prop.name
        return "where the protocol may rest" if _has_neighbours(self.resting, seen) else ""


def _has_neighbours(root: Node, seen: set[Node]) -> bool:
    """Whether an expression asks for neighbours, but for what has been seen already; notes what it sees."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ex.Neighbours):
            return True
        if node not in seen:
            seen.add(node)
            stack.extend(node.operands)
    return False


def read(instance: Instance, make: type[SymbolicInterpretation] = SymbolicInterpretation) -> Program:
    """Read all actions and properties symbolically and fold what never changes.

    Searches for different properties share what their readings have in common
    (docs/decisions/0029-one-reading.md).

    Args:
        instance: the protocol at its size, with its properties.
        make: the symbolic interpretation to read the bodies with.

    Raises:
        SpecError: an action or a property cheats or errs.
    """
    check_removed(instance)
    looks = {name: Looks() for name in (*(p.name for p in instance.properties), *instance.monitors)}
    steps = steps_of(instance, make)
    trees = [(action, steps.tree(action, instance.properties, looks)) for action in instance.actions]
    predicates = [
        (index, prop, read_predicate(instance, prop.holds, looks=looks[prop.name]))
        for index, prop in enumerate(instance.properties)
        if prop.of_states or prop.is_witness
    ]
    constants = _constants(instance, [tree for _, tree in trees])
    actions = tuple((action, join_paths(fold_tree(tree, constants))) for action, tree in trees)
    folded = tuple((index, prop, fold(e, constants)) for index, prop, e in predicates)
    trivial = frozenset(p.name for _, p, e in predicates if p.of_states and e == ex.TRUE and _always_true(instance, p))
    return Program(
        instance,
        constants,
        tuple(v for v in instance.variables if v not in constants),
        actions,
        folded,
        fold(read_resting(instance), constants),
        {p.name: _looks(instance, p, looks) for p in instance.properties},
        trivial,
        _never_violated(instance, actions, folded) - trivial,
    )


def _always_true(instance: Instance, prop: Property) -> bool:
    """Whether a property of states that is true of every state is so with host pages of several target pages, too."""
    if instance.group > 1:
        return True
    return read_predicate(Instance(instance.protocol, 2, 1, (prop,), 2), prop.holds) == ex.TRUE


def _never_violated(
    instance: Instance,
    actions: Iterable[tuple[ActionInstance, Tree]],
    predicates: Iterable[tuple[int, Property, TruthExpr]],
) -> frozenset[str]:
    """The properties of states that are true everywhere, and those of steps that no leaf can violate."""
    violable = {index for _, tree in actions for leaf in leaves(tree) for index, _ in leaf.violated}
    of_steps = {p.name for i, p in enumerate(instance.properties) if p.of_steps and i not in violable}
    return frozenset(of_steps | {p.name for _, p, e in predicates if p.of_states and e == ex.TRUE})


def _looks(instance: Instance, prop: Property, looks: Mapping[str, Looks]) -> Looks:
    """What a property and its monitor look at. What a property of runs looks at is read here; `looks` has the rest."""
    own = looks[prop.name]
    if prop.kind is Kind.NO_DEADLOCK:
        read_predicate(instance, instance.protocol.may_rest, looks=own)
    for cpu in range(instance.cpus) if "cpu" in prop.each else (0,):
        if prop.of_runs:
            read_predicate(instance, _promise(prop, cpu), looks=own)
    return Looks.all_of([own, looks[prop.monitor.__name__]] if prop.monitor is not None else [own])


def _promise(prop: Property, cpu: int) -> Callable[..., bool]:
    """A property of runs, asked for one vCPU (where it is asked for each), as if it were one of states."""
    each: dict[str, object] = {"cpu": Cpu(cpu)} if "cpu" in prop.each else {}

    def for_a_page(state: View, page: PageSet) -> bool:
        return prop.promises(state, page=page, **each).then

    def for_all(state: View) -> bool:
        return prop.promises(state, **each).then

    return for_a_page if "page" in prop.each else for_all


def _constants(instance: Instance, trees: list[Tree]) -> Values:
    states = instance.initial_states()
    everything = (1 << instance.pages) - 1
    constants: Values = {}
    for i, v in enumerate(instance.variables):
        stored = states[0][i]
        if all(state[i] == stored for state in states) and (v.sort is Sort.NUMBER or stored in (0, everything)):
            constants[v] = ex.number(stored) if v.sort is Sort.NUMBER else ex.FULL_SET if stored else ex.EMPTY_SET
    while True:
        changed: set[Variable] = set()
        folded = Substitution(constants, {})
        for tree in trees:
            _note_changed(tree, constants, folded, changed)
        if not changed:
            return constants
        for v in changed:
            del constants[v]


def _note_changed(tree: Tree, constants: Values, folded: Substitution, changed: set[Variable]) -> None:
    """Note which of the variables taken for constant a tree changes, on branches that are possible if all are."""
    if isinstance(tree, Branch):
        condition = folded(tree.condition)
        if condition != ex.FALSE:
            _note_changed(tree.yes, constants, folded, changed)
        if condition != ex.TRUE:
            _note_changed(tree.no, constants, folded, changed)
    elif tree is not None:
        changed.update(v for v, e in tree.updates.items() if v in constants and folded(e) != constants[v])


def fold(e: AnySort, values: Mapping[Variable, Value], memo: dict[Expr, Expr] | None = None) -> AnySort:
    """The expression with variables replaced by values and constants folded."""
    return Substitution(values, {} if memo is None else memo)(e)


def fold_tree(tree: Tree, values: Values, memo: dict[Expr, Expr] | None = None) -> Tree:
    """The tree with variables replaced by values, without the branches that this makes impossible."""
    return _folded(tree, Substitution(values, {} if memo is None else memo))


def _folded(tree: Tree, folded: Substitution) -> Tree:
    if tree is None:
        return None
    if isinstance(tree, Branch):
        condition = folded(tree.condition)
        if condition in (ex.TRUE, ex.FALSE):
            return _folded(tree.yes if condition == ex.TRUE else tree.no, folded)
        yes, no = _folded(tree.yes, folded), _folded(tree.no, folded)
        return None if yes is None and no is None else Branch(condition, yes, no)
    violated = tuple((i, folded(e)) for i, e in tree.violated)
    checks = tuple((folded(e), message, place) for e, message, place in tree.checks)
    return Leaf(
        {v: folded(e) for v, e in tree.updates.items()},
        tree.events,
        tuple((i, e) for i, e in violated if e != ex.FALSE),
        tuple(check for check in checks if check[0] != ex.TRUE),
    )
