"""What has been read of a protocol at a size, so that nothing is read twice (docs/decisions/0029-one-reading.md).

The body of an action does not depend on properties. What the monitors remember of a step does not depend on the
properties beside them, and when a step violates a property does not depend on the other properties.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import TruthExpr
from postcopy.language.instance import Instance
from postcopy.language.judgements import Judgements
from postcopy.language.looks import Looks
from postcopy.language.machines import Monitor
from postcopy.language.path_joining import join_paths
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.symbolic import SymbolicInterpretation, read_body, watch
from postcopy.language.trees import Leaf, Tree, leaves, on_leaves

PROTOCOLS_KEPT = 8
"""So many protocols, each at a size, are remembered: a comparison needs two at two sizes."""


class Bodies:
    """The bodies of a protocol's actions at a size as trees. Each is read once, when it is first asked for.

    Args:
        instance: the protocol at that size. Its properties do not matter.
        make: the symbolic interpretation to read them with.
    """

    def __init__(self, instance: Instance, make: type[SymbolicInterpretation] = SymbolicInterpretation) -> None:
        self._instance, self._make = instance, make
        self._trees: dict[str, Tree] = {}

    def tree(self, action: ActionInstance) -> Tree:
        """The tree of one action's body, without what monitors and properties make of it.

        Raises:
            SpecError: the action cheats or errs.
        """
        if action.name not in self._trees:
            self._trees[action.name] = read_body(self._instance, action, self._make)
        return self._trees[action.name]


class Steps:
    """What monitors and properties make of a protocol's steps at a size. Each is read once, when it is asked for.

    Args:
        instance: the protocol at that size, with its monitors. Its properties do not matter.
        bodies: the bodies of its actions.
    """

    def __init__(self, instance: Instance, bodies: Bodies) -> None:
        self._instance, self._bodies = instance, bodies
        self._watched: dict[str, tuple[Tree, dict[str, Looks]]] = {}
        self._violations: dict[Property, dict[tuple[str, int], tuple[TruthExpr, Looks]]] = {}
        self._judgements = Judgements(instance)

    def tree(
        self, action: ActionInstance, properties: Sequence[Property], looks: Mapping[str, Looks] | None = None
    ) -> Tree:
        """The tree of an action, with what the monitors remember, and which of the properties each step violates.

        Args:
            action: which action.
            properties: those of steps among them are asked; a leaf names them by their index.
            looks: where it is noted what each monitor and property looks at, by its name.

        Raises:
            SpecError: the action, a monitor or a property cheats or errs.
        """
        if action.name not in self._watched:
            noted = {name: Looks() for name in self._instance.monitors}
            body = join_paths(self._bodies.tree(action))
            self._watched[action.name] = watch(self._instance, action, body, SymbolicInterpretation, noted), noted
        watched, noted = self._watched[action.name]
        asked: Mapping[str, Looks] = {} if looks is None else looks
        for name in asked.keys() & noted:
            asked[name].add(noted[name])
        of_steps = [
            (index, prop, self._violations.setdefault(prop, {}), asked.get(prop.name, Looks()))
            for index, prop in enumerate(properties)
            if prop.of_steps
        ]
        numbers = iter(range(sum(1 for _ in leaves(watched))))

        def judged(leaf: Leaf) -> Leaf:
            number, violated = next(numbers), []
            for index, prop, known, sees in of_steps:
                found = known.get((action.name, number))
                if found is None:
                    found = known[action.name, number] = self._judgements.of(action, leaf, prop)
                wrong, seen = found
                sees.add(seen)
                if wrong is not ex.FALSE:
                    violated.append((index, wrong))
            return replace(leaf, violated=tuple(violated))

        return on_leaves(watched, judged)


def bodies_of(instance: Instance, make: type[SymbolicInterpretation] = SymbolicInterpretation) -> Bodies:
    """The bodies of an instance's protocol at its size: the same object for all instances that differ in properties."""
    return _bodies(cast(Hashable, instance.protocol), instance.pages, instance.in_flight, instance.group, make)


@lru_cache(maxsize=PROTOCOLS_KEPT)
def _bodies(
    protocol: type[Protocol], pages: int, in_flight: int, group: int, make: type[SymbolicInterpretation]
) -> Bodies:
    return Bodies(Instance(protocol, pages, in_flight, (), group), make)


def steps_of(instance: Instance, make: type[SymbolicInterpretation] = SymbolicInterpretation) -> Steps:
    """The steps of an instance's protocol at its size: the same object for all instances with the same monitors."""
    monitors = tuple(instance.monitors.values())
    return _steps(cast(Hashable, instance.protocol), instance.pages, instance.in_flight, instance.group, monitors, make)


@lru_cache(maxsize=PROTOCOLS_KEPT)
def _steps(
    protocol: type[Protocol],
    pages: int,
    in_flight: int,
    group: int,
    monitors: tuple[type[Monitor], ...],
    make: type[SymbolicInterpretation],
) -> Steps:
    instance = Instance(protocol, pages, in_flight, (), group, monitors)
    return Steps(instance, bodies_of(instance, make))
