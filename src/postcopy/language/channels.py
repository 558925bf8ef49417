"""Channels: how a protocol declares one, and how a change extends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from postcopy.language.channel_variables import ChannelVariables, Slot
from postcopy.language.values import NONE
from postcopy.language.variables import Sort, Variable

MAX_IN_FLIGHT = 8
"""The largest capacity of a channel at a size."""

Kinds = tuple[type[Enum] | Enum, ...]
"""Kinds of message: enumerations, or members of some."""


@dataclass(frozen=True, eq=False)
class Extension:
    """What a change adds to a channel, or says of it instead of what was said before.

    Attributes:
        kinds: what it carries in addition.
        marked: those of them that carry the channel's marks.
        reconnects: whether a new connection can be made; None leaves it as it is.
        capacity: how many messages there is room for; None leaves it as it is.
    """

    kinds: Kinds = ()
    marked: tuple[Enum, ...] = ()
    reconnects: bool | None = None
    capacity: int | None = None

    @property
    def messages(self) -> tuple[Enum, ...]:
        """Every kind of message that it adds, in the order of declaration."""
        return _messages(self.kinds)


class Channel:
    """A bounded FIFO channel of a protocol.

    Attributes:
        kinds: the messages that it can carry: an enumeration, or several, or single members.
        marks: names of ghost marks that some messages carry (e.g. whether a page's content is stale).
        marked: the kinds of message that carry them.
        reconnects: whether a new connection can be made when the old one is broken.
        capacity: how many messages there is room for; None: as many as the size says (`--in-flight`).
        origin: the channel that this one extends; itself where it extends none.
        extensions: what was added to the origin, in order.
    """

    def __init__(
        self,
        kinds: type[Enum] | Kinds,
        marks: tuple[str, ...] = (),
        marked: tuple[Enum, ...] = (),
        reconnects: bool = False,
        capacity: int | None = None,
    ) -> None:
        self.kinds, self.marks, self.marked, self.reconnects = kinds, marks, marked, reconnects
        self.capacity = capacity
        self.origin: Channel = self
        self.extensions: tuple[Extension, ...] = ()

    def extended(
        self,
        *kinds: type[Enum] | Enum,
        marked: tuple[Enum, ...] = (),
        reconnects: bool | None = None,
        capacity: int | None = None,
    ) -> Channel:
        """The same channel with more kinds of message, for a change: ``stream = Postcopy.stream.extended(More)``.

        Args:
            kinds: the enumerations, or members of some, that it carries beside those that it has.
            marked: those of the new ones that carry the channel's marks.
            reconnects: as for a new channel; None leaves it as it is.
            capacity: as for a new channel; None leaves it as it is.
        """
        return self.with_extension(Extension(kinds, marked, reconnects, capacity))

    def with_extension(self, extension: Extension) -> Channel:
        """The same channel with an extension."""
        has = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
        channel = Channel(
            (*has, *extension.kinds),
            self.marks,
            (*self.marked, *extension.marked),
            self.reconnects if extension.reconnects is None else extension.reconnects,
            self.capacity if extension.capacity is None else extension.capacity,
        )
        channel.origin, channel.extensions = self.origin, (*self.extensions, extension)
        return channel

    @property
    def messages(self) -> tuple[Enum, ...]:
        """Every kind of message, in the order of declaration."""
        return _messages(self.kinds if isinstance(self.kinds, tuple) else (self.kinds,))

    def flatten(self, name: str, in_flight: int) -> tuple[ChannelVariables, list[tuple[Variable, object]]]:
        """The channel's variables, and each with its initial value.

        Args:
            name: as declared in the protocol.
            in_flight: how many messages there is room for where the channel does not say.
        """
        values = (None, *self.messages)
        slots = tuple(
            Slot(
                Variable(f"{name}[{i}].kind", name, Sort.NUMBER, len(values), values, doc=f"message {i} on {name}"),
                Variable(f"{name}[{i}].pages", name, Sort.PAGES, doc=f"pages of message {i} on {name}"),
                {mark: _mark(name, i, mark) for mark in self.marks},
            )
            for i in range(in_flight if self.capacity is None else self.capacity)
        )
        up = Variable(f"{name}.up", name, Sort.NUMBER, 2, (False, True), doc=f"the connection below {name} stands")
        initial: list[tuple[Variable, object]] = [(up, True)]
        for slot in slots:
            initial += [(slot.kind, None), (slot.pages, NONE), *((m, False) for m in slot.marks.values())]
        listening = None
        if self.reconnects:
            doc = f"a new connection for {name} is waited for"
            listening = Variable(f"{name}.listening", name, Sort.NUMBER, 2, (False, True), doc=doc)
            initial.append((listening, False))
        return ChannelVariables(name, self.messages, slots, up, self.marked, listening), initial


def _messages(kinds: Kinds) -> tuple[Enum, ...]:
    return tuple(kind for some in kinds for kind in (some if isinstance(some, type) else (some,)))


def _mark(channel: str, i: int, mark: str) -> Variable:
    doc = f"message {i} on {channel} is {mark}"
    return Variable(f"{channel}[{i}].{mark}", channel, Sort.NUMBER, 2, (False, True), ghost=True, doc=doc)
