"""Channels: how a protocol declares one, and the variables that hold its messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from postcopy.language.values import NONE
from postcopy.language.variables import Sort, Variable, index_of


@dataclass(frozen=True)
class Slot:
    """The variables of one place in a channel: a message's kind (0: none), its pages, its ghost marks."""

    kind: Variable
    pages: Variable
    marks: dict[str, Variable]


@dataclass(frozen=True)
class ChannelVariables:
    """A bounded FIFO channel, flattened.

    Attributes:
        name: as declared in the protocol.
        kinds: the messages that it can carry.
        slots: oldest message first.
        up: whether the connection below stands.
        marked: the kinds of message that carry ghost marks.
        listening: whether a new connection may be made; None for a channel that is connected once and for all.
    """

    name: str
    kinds: tuple[Enum, ...]
    slots: tuple[Slot, ...]
    up: Variable
    marked: tuple[Enum, ...]
    listening: Variable | None = None

    def code(self, kind: Enum) -> int:
        """The stored number of a kind of message; 0 is kept for "no message"."""
        return 1 + index_of(self.kinds, kind)

    def marks_copies(self, kind: object) -> bool:
        """Whether messages of this kind carry ghost marks. (A member of an IntEnum equals those of others.)"""
        return any(kind is known for known in self.marked)

    @property
    def carries(self) -> str:
        """The names of the enumerations that its messages are of."""
        return " and ".join(dict.fromkeys(type(kind).__name__ for kind in self.kinds))


class Channel:
    """A bounded FIFO channel of a protocol, with room for `in_flight` messages.

    Attributes:
        kinds: the messages that it can carry: an enumeration, or several, or single members.
        marks: names of ghost marks that some messages carry (e.g. whether a page's content is stale).
        marked: the kinds of message that carry them.
        reconnects: whether a new connection can be made when the old one is broken.
    """

    def __init__(
        self,
        kinds: type[Enum] | tuple[type[Enum] | Enum, ...],
        marks: tuple[str, ...] = (),
        marked: tuple[Enum, ...] = (),
        reconnects: bool = False,
    ) -> None:
        self.kinds, self.marks, self.marked, self.reconnects = kinds, marks, marked, reconnects

    def extended(
        self, *kinds: type[Enum] | Enum, marked: tuple[Enum, ...] = (), reconnects: bool | None = None
    ) -> Channel:
        """The same channel with more kinds of message, for a change: ``stream = Postcopy.stream.extended(More)``.

        Args:
            kinds: the enumerations, or members of some, that it carries beside those that it has.
            marked: those of the new ones that carry the channel's marks.
            reconnects: as for a new channel; None leaves it as it is.
        """
        has = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
        again = self.reconnects if reconnects is None else reconnects
        return Channel((*has, *kinds), self.marks, (*self.marked, *marked), again)

    @property
    def messages(self) -> tuple[Enum, ...]:
        """Every kind of message, in the order of declaration."""
        given = self.kinds if isinstance(self.kinds, tuple) else (self.kinds,)
        return tuple(kind for some in given for kind in (some if isinstance(some, type) else (some,)))

    def flatten(self, name: str, capacity: int) -> tuple[ChannelVariables, list[tuple[Variable, object]]]:
        """The channel's variables, and each with its initial value."""
        values = (None, *self.messages)
        slots = tuple(
            Slot(
                Variable(f"{name}[{i}].kind", name, Sort.NUMBER, len(values), values, doc=f"message {i} on {name}"),
                Variable(f"{name}[{i}].pages", name, Sort.PAGES, doc=f"pages of message {i} on {name}"),
                {mark: _mark(name, i, mark) for mark in self.marks},
            )
            for i in range(capacity)
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


def _mark(channel: str, i: int, mark: str) -> Variable:
    doc = f"message {i} on {channel} is {mark}"
    return Variable(f"{channel}[{i}].{mark}", channel, Sort.NUMBER, 2, (False, True), ghost=True, doc=doc)
