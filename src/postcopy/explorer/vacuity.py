"""What an exhaustive search has not seen, so that an answer "holds" says less than it seems.

A property of steps holds vacuously where the events that it looks for never happen. The search counts how often each
leaf of an action's tree is taken, and a leaf knows its events: so this costs the search nothing. What a protocol cannot
do at all at some size, because variables never change there (`Program.constants`), is folded away before the search and
is not missed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from postcopy.explorer.kernel.labels import Labels
from postcopy.language.instance import Instance
from postcopy.language.looks import How, Looks, Sight
from postcopy.language.program import Program
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort


class Missing(Enum):
    """What can be missing."""

    ACTION = "action never taken"
    CHANGE = "action changes nothing"
    BRANCH = "branch without effect never taken"
    EVENT = "event never happens"
    HISTORY = "history never changes"
    PAGES = "set of pages not asked about"
    ROLE = "set of pages without a role"
    PROPERTY = "property cannot fail"
    WITNESS = "witness not reached"
    PROMISE = "promise never made"


@dataclass(frozen=True)
class Gap:
    """Something that the search has not seen.

    Attributes:
        missing: what kind of thing it is.
        name: the action, event, field or property.
        properties: the properties that say less because of it, by name.
    """

    missing: Missing
    name: str
    properties: tuple[str, ...] = ()


def gaps(
    program: Program, labels: Labels, fired: Sequence[int], changed: Sequence[int], violated: str = ""
) -> tuple[Gap, ...]:
    """What a search of all states has missed of actions, events, history and sets of pages.

    Args:
        program: what was searched.
        labels: its leaves.
        fired: for each leaf, how often it was taken.
        changed: for each leaf, how often that changed something.
        violated: name of the property that is violated, if one is. If it reads roles, sets of pages without one are
            named as what may be wrong with it, and the search need not have seen all states for that.
    """
    taken = [leaf for leaf, times in zip(labels.leaves, fired, strict=True) if times]
    return (
        *_without_effect(program.instance, labels, fired, changed),
        *_events(program, labels.leaves, taken),
        *_history(program, taken),
        *_sets(program, violated),
        *(Gap(Missing.PROPERTY, name, (name,)) for name in sorted(program.trivial)),
    )


def _without_effect(instance: Instance, labels: Labels, fired: Sequence[int], changed: Sequence[int]) -> Iterator[Gap]:
    """Actions that are taken, change nothing, and observe nothing either; and branches of actions that would do nothing
    and are never taken, so that something may have been forgotten there."""
    took, did, idle = set(), set(), set()
    for leaf, action, times, changes in zip(labels.leaves, labels.action_of, fired, changed, strict=True):
        if times:
            took.add(action)
            if changes or leaf.events:
                did.add(action)
        elif not leaf.updates and not leaf.events:
            idle.add(action)
    yield from (Gap(Missing.CHANGE, instance.actions[action].name) for action in sorted(took - did))
    yield from (Gap(Missing.BRANCH, instance.actions[action].name) for action in sorted(idle & took))


def _seen(leaves: Sequence[Leaf]) -> set[Sight]:
    found = set()
    for event in (event for leaf in leaves for event in leaf.events):
        how = (How.SENT if event.sent else How.RECEIVED) if event.channel else How.OBSERVED
        found.add(Sight(event.what, how))
    return found


def _events(program: Program, leaves: Sequence[Leaf], taken: Sequence[Leaf]) -> Iterator[Gap]:
    """Events that a property looks for and that never happen; and those beside others that do happen.

    A property may look for several messages of which each protocol sends but some. So messages are missed only where a
    property sees nothing of all that it looks for.
    """
    seen = _seen(taken)
    observed = {sight.enumeration for sight in _seen(leaves) if sight.how is How.OBSERVED}
    beside = {Sight(member, How.OBSERVED) for enumeration in observed for member in enumeration}
    wanted: dict[Sight, list[str]] = {sight: [] for sight in beside - seen}
    for name, looks in program.looks.items():
        missed = looks.sights - seen
        for sight in missed:
            if sight.how is How.OBSERVED or missed == looks.sights:
                wanted.setdefault(sight, []).append(name)
    for sight in sorted(wanted, key=lambda sight: sight.name):
        yield Gap(Missing.EVENT, sight.name, tuple(wanted[sight]))


def _history(program: Program, taken: Sequence[Leaf]) -> Iterator[Gap]:
    """Fields of monitors that never change."""
    instance = program.instance
    updated = {variable for leaf in taken for variable in leaf.updates}
    for variable in instance.variables:
        if variable.owner in instance.monitors and (variable in program.constants or variable not in updated):
            concerned = [p.name for p in instance.properties if p.monitor and p.monitor.__name__ == variable.owner]
            yield Gap(Missing.HISTORY, variable.name, tuple(concerned))


def _sets(program: Program, violated: str) -> Iterator[Gap]:
    """Sets of pages of machines that no property reads and that have no role, where roles are declared or asked for.

    A property that is violated and reads roles may be wrong for want of theirs.
    """
    instance, looks = program.instance, program.looks.get(violated, Looks())
    if not looks.roles and not any(variable.role for variable in instance.variables):
        return
    witnesses = {p.name for p in instance.properties if p.is_witness}
    read = Looks.all_of(looks for name, looks in program.looks.items() if name not in witnesses).variables
    names = dict.fromkeys(
        variable.name.partition("[")[0]
        for variable in program.variables
        if variable.sort is Sort.PAGES
        and variable.owner in instance.machines
        and not (variable.role or variable.waits or variable in read)
    )
    asks_roles = looks.roles or any(v.role or v.waits for v in looks.variables)
    yield from (Gap(Missing.ROLE, name, (violated,)) if asks_roles else Gap(Missing.PAGES, name) for name in names)
