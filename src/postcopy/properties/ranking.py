"""Why a migration ends, once the guest has been handed over: what every step from then on uses up.

The components are compared in their order, as words in a dictionary: a step comes closer to the end if the first
component in which it differs gets smaller. Each component can get smaller only finitely often in a row, since there
are finitely many pages, so only finitely many steps change anything. `postcopy prove` proves that each step that
changes more than history comes closer; with the absence of deadlock, the end follows (docs/proof.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from postcopy.language import View


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
        name: the variable or the channel.
        measure: in which way it gets smaller.
        because: what uses it up.
    """

    name: str
    measure: Measure
    because: str


def from_here_on(state: View) -> bool:
    """The guest has been handed over. Before that the guest may write for ever, and precopy need not end (R2)."""
    done: bool = state.Handover.done
    return done


RANKING = (
    Component("source.phase", Measure.ADVANCES, "the source goes through its phases once"),
    Component("destination.state", Measure.ADVANCES, "and so does the destination (R9)"),
    Component("destination.main", Measure.ADVANCES, "the main thread goes through the package once"),
    Component("wire.failed", Measure.ADVANCES, "the network fails once"),
    Component("source.dirty", Measure.SHRINKS, "every page is sent at most once (R13, R14)"),
    Component("stream", Measure.DRAINS, "what was sent is read"),
    Component("destination.owes_shut", Measure.RETREATS, "the destination answers once"),
    Component("destination.waiting[0]", Measure.FILLS, "a vCPU falls asleep, until a page comes from the stream"),
    Component("destination.waiting[1]", Measure.FILLS, "and so does the other"),
    Component("destination.device_waiting", Measure.FILLS, "and so does the device load"),
    Component("destination.faulted", Measure.SHRINKS, "a fault is read"),
    Component("return_path", Measure.DRAINS, "what was answered or asked for is read"),
    Component("source.requests", Measure.SHRINKS, "and a request is served, or dropped"),
)
"""The components, the first that counts most first."""
