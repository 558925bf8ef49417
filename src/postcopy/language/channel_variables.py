"""The variables that hold the messages of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from postcopy.language.variables import Variable, index_of


@dataclass(frozen=True)
class Slot:
    """The variables of one place in a channel. Where there is no message, all of them are stored as 0.

    Attributes:
        kind: the kind of the message; 0 where there is none.
        pages: its pages.
        marks: its ghost marks, by name.
        fields: what else it says, by name.
    """

    kind: Variable
    pages: Variable
    marks: dict[str, Variable]
    fields: dict[str, Variable]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All of them."""
        return self.kind, self.pages, *self.marks.values(), *self.fields.values()


@dataclass(frozen=True)
class ChannelVariables:
    """A bounded FIFO channel, flattened.

    Attributes:
        name: as declared in the protocol.
        kinds: the messages that it can carry.
        slots: oldest message first.
        up: whether the connection below stands.
        marked: the kinds of message that carry ghost marks.
        fields: what its messages say beside their pages, by name. The variables are those of no message: each slot has
            its own.
        given: what they say where the sender says nothing: a value for each field.
        listening: whether a new connection may be made; None for a channel that is connected once and for all.
    """

    name: str
    kinds: tuple[Enum, ...]
    slots: tuple[Slot, ...]
    up: Variable
    marked: tuple[Enum, ...]
    fields: Mapping[str, Variable]
    given: Mapping[str, object]
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
