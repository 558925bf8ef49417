"""A second system beside the first: which parts of a protocol belong to which, for those who look at all of it.

A protocol may have a second machine of the same class, at channels of its own, with a ghost of its own: a second
destination, or the next system at the same host. Its parts have names of their own, and properties and ghosts that
were written for the first system see them by the first one's names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from postcopy.language.variables import Variable
from postcopy.suggestions import did_you_mean


class Beside:
    """Parts of a second system: ``second = Beside(destination="clone", guest="clone_guest", stream="stream_b")``.

    Attributes:
        names: for parts of the first system, the names of those that stand in their place in the second. Parts that
            are not named are shared.
        fields: further variables that belong to the second, as ``source.dirty_b``: fields of a shared machine.
    """

    def __init__(self, fields: tuple[str, ...] = (), **names: str) -> None:
        self.names, self.fields = names, fields

    def problem(self, parts: Mapping[str, object], same_kind: Callable[[object, object], bool]) -> str | None:
        """The mistake in the declaration, or None.

        Args:
            parts: the machines, ghosts and channels of the protocol, by name.
            same_kind: whether two of them are both machines, both ghosts or both channels.
        """
        for name in (*self.names, *self.names.values()):
            if name not in parts:
                return f"names {name}, which is no part of the protocol{did_you_mean(name, parts)}"
        for first, second in self.names.items():
            if not same_kind(parts[first], parts[second]):
                return f"puts {second} in the place of {first}, which is a part of another kind"
        return None if self.names else "names no part: Beside(one=...)"


def name_beside(beside: str, monitor: str) -> str:
    """What the monitor of a property is called that is asked of a second system."""
    return f"{monitor}_{beside}"


@dataclass(frozen=True)
class World:
    """What belongs to one of several systems.

    Attributes:
        names: for the names by which properties and ghosts ask, the parts that they mean.
        listed: parts, and variables of parts, by name.
        inside: whether what is listed belongs to it, or all that is not listed.
    """

    names: Mapping[str, str]
    listed: frozenset[str]
    inside: bool

    def belongs(self, part: str) -> bool:
        """Whether a machine, ghost or channel belongs to it."""
        return (part in self.listed) == self.inside

    def variables(self, of_protocol: Iterable[Variable]) -> list[Variable]:
        """Those of the protocol's variables that belong to it."""
        return [v for v in of_protocol if (v.owner in self.listed or v.name in self.listed) == self.inside]


def second_world(beside: Beside, monitors: Mapping[str, str]) -> World:
    """The world of a second system.

    Args:
        beside: its parts.
        monitors: for monitors of the first system, the names of those of the second.
    """
    own = frozenset((*beside.names.values(), *monitors.values(), *beside.fields))
    return World({**beside.names, **monitors}, own, inside=True)


def first_world(others: Collection[Beside]) -> World:
    """The world of the first system: all that belongs to no other."""
    taken = frozenset(name for beside in others for name in (*beside.names.values(), *beside.fields))
    return World({}, taken, inside=False)
