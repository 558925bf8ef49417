"""Channels: how a protocol declares one, and how a change extends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from postcopy.errors import SpecError
from postcopy.language.channel_variables import ChannelVariables, Slot
from postcopy.language.fields import Field
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
        fields: what its messages say in addition.
    """

    kinds: Kinds = ()
    marked: tuple[Enum, ...] = ()
    reconnects: bool | None = None
    capacity: int | None = None
    fields: Mapping[str, Field[Any]] = field(default_factory=dict)

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
        fields: what each message says beside its kind and pages, by name.
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
        fields: Mapping[str, Field[Any]] | None = None,
    ) -> None:
        self.kinds, self.marks, self.marked, self.reconnects = kinds, marks, marked, reconnects
        self.capacity = capacity
        self.fields = _checked(fields)
        self.origin: Channel = self
        self.extensions: tuple[Extension, ...] = ()

    def extended(
        self,
        *kinds: type[Enum] | Enum,
        marked: tuple[Enum, ...] = (),
        reconnects: bool | None = None,
        capacity: int | None = None,
        fields: Mapping[str, Field[Any]] | None = None,
    ) -> Channel:
        """The same channel with more kinds of message, for a change: ``stream = Postcopy.stream.extended(More)``.

        Args:
            kinds: the enumerations, or members of some, that it carries beside those that it has.
            marked: those of the new ones that carry the channel's marks.
            reconnects: as for a new channel; None leaves it as it is.
            capacity: as for a new channel; None leaves it as it is.
            fields: what its messages say in addition.
        """
        return self.with_extension(Extension(kinds, marked, reconnects, capacity, _checked(fields)))

    def with_extension(self, extension: Extension) -> Channel:
        """The same channel with an extension."""
        has = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
        channel = Channel(
            (*has, *extension.kinds),
            self.marks,
            (*self.marked, *extension.marked),
            self.reconnects if extension.reconnects is None else extension.reconnects,
            self.capacity if extension.capacity is None else extension.capacity,
            {**self.fields, **extension.fields},
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
                {
                    field: its.carried(f"{name}[{i}].{field}", name, f"{its.doc} (message {i} on {name})")
                    for field, its in self.fields.items()
                },
            )
            for i in range(in_flight if self.capacity is None else self.capacity)
        )
        up = Variable(f"{name}.up", name, Sort.NUMBER, 2, (False, True), doc=f"the connection below {name} stands")
        initial: list[tuple[Variable, object]] = [(up, True)]
        for slot in slots:
            initial += [(slot.kind, None), (slot.pages, NONE), *((m, False) for m in slot.marks.values())]
            initial += ((v, NONE if v.sort is Sort.PAGES else v.decode(0)) for v in slot.fields.values())
        listening = None
        if self.reconnects:
            doc = f"a new connection for {name} is waited for"
            listening = Variable(f"{name}.listening", name, Sort.NUMBER, 2, (False, True), doc=doc)
            initial.append((listening, False))
        given = {name: its.initial for name, its in self.fields.items()}
        fields = {field: its.carried(f"{name}.{field}", name, its.doc) for field, its in self.fields.items()}
        return ChannelVariables(name, self.messages, slots, up, self.marked, fields, given, listening), initial


def _checked(fields: Mapping[str, Field[Any]] | None) -> Mapping[str, Field[Any]]:
    if fields is not None and not isinstance(fields, Mapping):
        raise SpecError(
            f'the fields of messages are a dictionary, fields={{"urgent": Flag("...")}}, not {fields!r}', "Channel"
        )
    return fields or {}


def _messages(kinds: Kinds) -> tuple[Enum, ...]:
    return tuple(kind for some in kinds for kind in (some if isinstance(some, type) else (some,)))


def _mark(channel: str, i: int, mark: str) -> Variable:
    doc = f"message {i} on {channel} is {mark}"
    return Variable(f"{channel}[{i}].{mark}", channel, Sort.NUMBER, 2, (False, True), ghost=True, doc=doc)
