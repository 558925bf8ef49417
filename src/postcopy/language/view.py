"""What properties, ghosts and monitors see: the whole state (`View`), and a step with both its states (`Step`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, cast

from postcopy.errors import UnknownNameError
from postcopy.language.actions import ActionInstance
from postcopy.language.channel_ends import ObserverEnd
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.interpretation import Interpretation
from postcopy.language.looks import How, Looks, Sight
from postcopy.language.messages import Event
from postcopy.language.values import NONE, PageSet
from postcopy.language.variables import Variable
from postcopy.language.worlds import World


class View:
    """The whole state, by attribute: machines, channels, ghosts, monitors. Given to properties and ghosts."""

    def __init__(self, interpretation: Interpretation, world: World | None = None) -> None:
        self._interpretation = interpretation
        self._world = world or interpretation.instance.worlds.get("")

    def __getattr__(self, name: str) -> Any:
        parts = self._interpretation.instance.parts
        try:
            return parts[self._world.names.get(name, name) if self._world else name](self._interpretation)
        except KeyError:
            raise UnknownNameError(
                f"there is no {name} in this protocol, only {', '.join(sorted(parts))}",
                self._interpretation.where(),
            ) from None

    def beside(self, name: str) -> View:
        """The same state as the parts of a second system see it, which the protocol calls `name` (a `Beside`)."""
        instance = self._interpretation.instance
        if name not in instance.worlds:
            raise UnknownNameError(
                f"there is no {name} in this protocol: declare {name} = Beside(...)", self._interpretation.where()
            )
        return View(self._interpretation, instance.worlds[name])

    def waited_for(self) -> PageSet:
        """The pages that threads wait for: those of all sets that are declared with `waits`."""
        self._note_roles()
        return self._union(v for v in self._variables() if v.waits)

    def pages_of(self, role: Enum) -> PageSet:
        """The pages of a role: those of all machines' sets and all messages on their way that are declared with it."""
        self._note_roles()
        instance = self._interpretation.instance
        pages = self._union(v for v in self._variables() if v.role is role and not v.ghost)
        kinds = [kind for kind, its in instance.roles if its is role]
        for channel in self._channels():
            for kind in channel.kinds:
                if any(kind is known for known in kinds):
                    pages = pages | ObserverEnd(self._interpretation, channel).in_flight(kind)
        return pages

    def _note_roles(self) -> None:
        if self._interpretation.looks is not None:
            self._interpretation.looks.roles = True

    @property
    def sees_all(self) -> bool:
        """Whether there is one system only, so that every part concerns it."""
        return self._world is None

    def concerns(self, part: str) -> bool:
        """Whether a machine or channel belongs to the system whose parts are seen."""
        return self._world is None or self._world.belongs(part)

    def _variables(self) -> Iterable[Variable]:
        found = self._interpretation.instance.variable.values()
        return found if self._world is None else self._world.variables(found)

    def _channels(self) -> Iterable[ChannelVariables]:
        channels = self._interpretation.instance.channels.values()
        return [c for c in channels if self.concerns(c.name)]

    def _union(self, sets: Iterable[Variable]) -> PageSet:
        pages = self._interpretation.pages(NONE)
        for variable in sets:
            pages = pages | cast(PageSet, self._interpretation.load(variable))
        return pages

    def copies_in_flight(self, **marks: bool) -> PageSet:
        """The pages of all messages of marked kinds, on whatever channel: the copies of pages that are on their way."""
        copies = self._interpretation.pages(NONE)
        for channel in self._channels():
            end = ObserverEnd(self._interpretation, channel)
            for kind in channel.kinds:
                if channel.marks_copies(kind):
                    copies = copies | end.in_flight(kind, **marks)
        return copies

    def mark_copies(self, mark: str, pages: PageSet) -> None:
        """Mark every message of a marked kind that concerns one of the pages, on every channel with that mark."""
        for channel in self._channels():
            if mark in channel.slots[0].marks:
                ObserverEnd(self._interpretation, channel).mark(mark, pages)


@dataclass(eq=False)
class Step:
    """A step as properties and monitors see it: before, after, and what happened between.

    Attributes:
        action: the action that was taken.
        before, after: the states.
        events: what happened.
        nothing: the set with no page.
        looks: where it is noted what is looked for; None where that is of no interest.
    """

    action: ActionInstance
    before: View
    after: View
    events: list[Event] = field(default_factory=list)
    nothing: PageSet | None = None
    looks: Looks | None = None

    def beside(self, name: str) -> Step:
        """The same step as the parts of a second system see it: see `View.beside`."""
        return replace(self, before=self.before.beside(name), after=self.after.beside(name))

    def of(self, what: Enum) -> PageSet:
        """The pages of all events of this kind (no page if there was none)."""
        self._note(what, How.OBSERVED)
        return self._union(e.pages for e in self._seen(what) if not e.channel)

    def happened(self, what: Enum) -> bool:
        """Whether the step has such an event. A plain Python answer: events do not depend on the state."""
        self._note(what, How.OBSERVED)
        return any(not e.channel for e in self._seen(what))

    def sent(self, kind: Enum) -> PageSet:
        """The pages of all messages of this kind that the step put on a channel."""
        self._note(kind, How.SENT)
        return self._union(e.pages for e in self._seen(kind) if e.sent)

    def sends(self, kind: Enum) -> bool:
        """Whether the step puts such a message on a channel."""
        self._note(kind, How.SENT)
        return any(e.sent for e in self._seen(kind))

    def receives(self, kind: Enum) -> bool:
        """Whether the step takes such a message from a channel."""
        self._note(kind, How.RECEIVED)
        return any(e.channel and not e.sent for e in self._seen(kind))

    def _seen(self, what: Enum) -> list[Event]:
        """The events of a kind in this system: messages on its channels, and what its machines observe."""
        return [e for e in self.events if e.what is what and self.before.concerns(e.channel or self.action.machine)]

    def _note(self, what: Enum, how: How) -> None:
        if self.looks is not None:
            self.looks.sights.add(Sight(what, how))

    def _union(self, sets: Iterator[PageSet]) -> PageSet:
        assert self.nothing is not None
        result = self.nothing
        for pages in sets:
            result = result | pages
        return result
