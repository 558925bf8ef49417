"""How often each action was taken, machine by machine, as a page shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import groupby

from postcopy.language.actions import ActionInstance
from postcopy.language.instance import Instance
from postcopy.report.story.words import plain


@dataclass(frozen=True)
class Covered:
    """An action, and how often it was taken.

    Attributes:
        action: the action.
        times: how often.
        impossible: it cannot be taken at this size.
    """

    action: ActionInstance
    times: int
    impossible: bool


@dataclass(frozen=True)
class Coverage:
    """All actions.

    Attributes:
        machines: the actions of each machine, by its name in words.
        most: how often the one was taken that was taken most.
    """

    machines: tuple[tuple[str, tuple[Covered, ...]], ...]
    most: int


def coverage(instance: Instance, fired: Mapping[str, int], impossible: Collection[str]) -> Coverage:
    """The table of actions.

    Args:
        instance: the protocol at its size.
        fired: how often each action was taken, by its name.
        impossible: the names of actions that cannot be taken at this size.
    """
    covered = [Covered(action, fired.get(action.name, 0), action.name in impossible) for action in instance.actions]
    by_machine = groupby(covered, key=lambda each: each.action.machine)
    return Coverage(tuple((plain(name), tuple(its)) for name, its in by_machine), max(fired.values(), default=0))
