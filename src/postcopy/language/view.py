"""What properties, ghosts and monitors see: the whole state (`View`), and a step with both its states (`Step`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from postcopy.errors import UnknownNameError
from postcopy.language.actions import ActionInstance
from postcopy.language.channel_ends import ObserverEnd
from postcopy.language.interpretation import Interpretation
from postcopy.language.messages import Event
from postcopy.language.values import NONE, PageSet


class View:
    """The whole state, by attribute: machines, channels, ghosts, monitors. Given to properties and ghosts."""

    def __init__(self, interpretation: Interpretation) -> None:
        self._interpretation = interpretation

    def __getattr__(self, name: str) -> Any:
        parts = self._interpretation.instance.parts
        try:
            return parts[name](self._interpretation)
        except KeyError:
            raise UnknownNameError(
                f"there is no {name} in this protocol, only {', '.join(sorted(parts))}",
                self._interpretation.where(),
            ) from None

    def copies_in_flight(self, **marks: bool) -> PageSet:
        """The pages of all messages of marked kinds, on whatever channel: the copies of pages that are on their way."""
        copies = self._interpretation.pages(NONE)
        for channel in self._interpretation.instance.channels.values():
            end = ObserverEnd(self._interpretation, channel)
            for kind in channel.kinds:
                if kind in channel.marked:
                    copies = copies | end.in_flight(kind, **marks)
        return copies

    def mark_copies(self, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages, on every channel with that mark."""
        for channel in self._interpretation.instance.channels.values():
            if mark in channel.slots[0].marks:
                ObserverEnd(self._interpretation, channel).mark(mark, pages)


@dataclass(eq=False)
class Step:
    """A step as properties and monitors see it: before, after, and what happened between."""

    action: ActionInstance
    before: View
    after: View
    events: list[Event] = field(default_factory=list)
    nothing: PageSet | None = None

    def of(self, what: Enum) -> PageSet:
        """The pages of all events of this kind (no page if there was none)."""
        return self._union(e.pages for e in self.events if e.what is what and not e.channel)

    def happened(self, what: Enum) -> bool:
        """Whether the step has such an event. A plain Python answer: events do not depend on the state."""
        return any(e.what is what and not e.channel for e in self.events)

    def sent(self, kind: Enum) -> PageSet:
        """The pages of all messages of this kind that the step put on a channel."""
        return self._union(e.pages for e in self.events if e.what is kind and e.sent)

    def sends(self, kind: Enum) -> bool:
        """Whether the step puts such a message on a channel."""
        return any(e.what is kind and e.sent for e in self.events)

    def receives(self, kind: Enum) -> bool:
        """Whether the step takes such a message from a channel."""
        return any(e.what is kind and e.channel and not e.sent for e in self.events)

    def _union(self, sets: Iterator[PageSet]) -> PageSet:
        assert self.nothing is not None
        result = self.nothing
        for pages in sets:
            result = result | pages
        return result
