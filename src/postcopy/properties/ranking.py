"""Why a migration ends, once the guest has been handed over: what every step from then on uses up.

`postcopy prove` proves that each step that changes more than history comes closer to the end; with the absence of
deadlock, the end follows (docs/proof.md).
"""

from __future__ import annotations

from dataclasses import replace

from postcopy.language import View
from postcopy.language.ranking import Component, Measure, Ranking
from postcopy.properties.safety import Handover


def from_here_on(state: View) -> bool:
    """The guest has been handed over. Before that the guest may write for ever, and precopy need not end (R2)."""
    done: bool = state.Handover.done
    return done


_COMPONENTS = (
    Component("source.phase", Measure.ADVANCES, "the source goes through its phases once"),
    Component("destination.state", Measure.ADVANCES, "and so does the destination (R9)"),
    Component("destination.main", Measure.ADVANCES, "the main thread goes through the package once"),
    Component("wire.failed", Measure.ADVANCES, "the network fails once"),
    Component("source.dirty", Measure.SHRINKS, "every page is sent at most once (R13, R14)"),
    Component("stream", Measure.DRAINS, "what was sent is read"),
    Component("destination.owes_shut", Measure.RETREATS, "the destination answers once"),
    Component("destination.waiting", Measure.FILLS, "a vCPU falls asleep, until a page comes from the stream"),
    Component("destination.device_waiting", Measure.FILLS, "and so does the device load"),
    Component("destination.faulted", Measure.SHRINKS, "a fault is read"),
    Component("return_path", Measure.DRAINS, "what was answered or asked for is read"),
    Component("source.requests", Measure.SHRINKS, "and a request is served, or dropped"),
)

RANKING = Ranking(from_here_on, Handover, _COMPONENTS)
"""Why the document's protocol ends, and each change of it that is proved to end."""


def ranking_with(*components: Component, before: str | None = None) -> Ranking:
    """The ranking of the document's protocol with what a change uses up beside it.

    Args:
        components: in order.
        before: the name of the component in front of which they are; None: they are behind all.

    Raises:
        ValueError: there is no component of that name.
    """
    names = [component.name for component in _COMPONENTS]
    at = len(names) if before is None else names.index(before)
    return replace(RANKING, components=(*_COMPONENTS[:at], *components, *_COMPONENTS[at:]))
