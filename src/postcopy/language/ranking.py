"""How it is stated why a protocol comes to an end: what every step from some point on uses up.

A ranking is a sequence of components, compared like the letters of words in a dictionary: a step comes closer to the
end if the first component in which it differs gets smaller. Each component can get smaller only finitely often in a
row, since there are finitely many pages; so only finitely many steps change anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from postcopy.language.machines import Monitor
from postcopy.language.view import View


class Measure(Enum):
    """In which way a component gets smaller."""

    ADVANCES = auto()
    """A number that grows, up to its last value."""
    RETREATS = auto()
    """A number that gets less, or a flag that is taken down."""
    SHRINKS = auto()
    """A set that loses pages and gets none."""
    FILLS = auto()
    """A set that gets pages and loses none."""
    DRAINS = auto()
    """A channel that has fewer messages."""


@dataclass(frozen=True)
class Component:
    """One component.

    Attributes:
        name: the variable or the channel; of a set for each vCPU, the field: it stands for all of them, in order.
        measure: in which way it gets smaller.
        because: what uses it up.
    """

    name: str
    measure: Measure
    because: str


@dataclass(frozen=True)
class Ranking:
    """Why a protocol comes to an end.

    Attributes:
        applies: from which states on every step has to come closer to the end.
        monitor: the history that `applies` reads, if any; where no property has it, nothing is claimed.
        components: the first counts most.
    """

    applies: Callable[[View], bool]
    monitor: type[Monitor] | None
    components: tuple[Component, ...]
