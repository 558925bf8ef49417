"""Variables of a packed state with one page, read and set where they lie: to unpack a state takes long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.layout import Layout
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.variables import Variable


class Field(NamedTuple):
    """Where a variable lies.

    Attributes:
        word: in which word.
        shift: its lowest bit.
        mask: its bits before shifting; 0 for a constant, which is not stored.
        constant: what a constant is.
    """

    word: int
    shift: int
    mask: int
    constant: int = 0

    def of(self, words: Words) -> int:
        """Its value in a state."""
        return words[self.word] >> self.shift & self.mask if self.mask else self.constant

    def put(self, words: list[int], value: int) -> None:
        """Set it."""
        if self.mask:
            words[self.word] = words[self.word] & ~(self.mask << self.shift) | value << self.shift


def fields(layout: Layout) -> dict[Variable, Field]:
    """All variables of a layout for one page."""
    ((word, base),) = layout.records
    found = {variable: Field(0, 0, 0, value) for variable, value in layout.constants.items()}
    found |= {variable: Field(word, base + offset, 1) for offset, variable in enumerate(layout.sets)}
    found |= {variable: Field(its.word, its.shift, its.mask) for variable, its in layout.numbers.items()}
    return found


@dataclass(frozen=True)
class Queue:
    """The messages that are under way on a channel.

    Attributes:
        kinds: for each slot the field that is 0 where it is empty.
        slots: for each slot the fields of its message, its kind first, without what is history.
        pages: for each slot the field that says whether its message is about the page.
    """

    kinds: tuple[Field, ...]
    slots: tuple[tuple[Field, ...], ...]
    pages: tuple[Field, ...]

    @classmethod
    def of(cls, channel: ChannelVariables, where: dict[Variable, Field]) -> Queue:
        """That of a channel."""
        return cls(
            tuple(where[slot.kind] for slot in channel.slots),
            tuple(tuple(where[v] for v in slot.variables if not v.ghost) for slot in channel.slots),
            tuple(where[slot.pages] for slot in channel.slots),
        )

    def length(self, words: Words) -> int:
        """How many messages there are."""
        for number, kind in enumerate(self.kinds):
            if not kind.of(words):
                return number
        return len(self.kinds)

    def newest(self, words: Words) -> bool:
        """Whether the newest message is about the page."""
        return bool(self.pages[self.length(words) - 1].of(words))

    def closed_up(self, words: Words) -> Words | None:
        """The state without messages that follow their like; None where more are left than there may be."""
        length, most = self.length(words), len(self.slots)
        if length >= 2:
            messages = [tuple(field.of(words) for field in slot) for slot in self.slots[:length]]
            left = [message for number, message in enumerate(messages) if not number or message != messages[number - 1]]
            if len(left) < length:
                words = self._with(words, left)
                length = len(left)
        return words if length < most or most == 1 else None

    def _with(self, words: Words, messages: list[tuple[int, ...]]) -> Words:
        found = list(words)
        for number, slot in enumerate(self.slots):
            message = messages[number] if number < len(messages) else (0,) * len(slot)
            for field, value in zip(slot, message, strict=True):
                field.put(found, value)
        return tuple(found)
