"""Stored numbers, sets of pages and messages in the words that a person reads. No run, no layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from postcopy.language.actions import PageChoice
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.instance import Instance, State
from postcopy.language.variables import Sort, Variable


def members(bits: int) -> list[int]:
    """The pages of a set given as bits, in order."""
    return [page for page in range(bits.bit_length()) if bits >> page & 1]


def set_words(bits: int) -> str:
    """A set of pages as ``{0, 2}``."""
    return "{" + ", ".join(map(str, members(bits))) + "}"


def page_words(bits: int) -> str:
    """Pages (at least one) inside a sentence: ``page 1``, ``pages 0 and 2``."""
    *firsts, last = map(str, members(bits))
    return f"pages {', '.join(firsts)} and {last}" if firsts else f"page {last}"


def step_count(steps: int) -> str:
    """A number of steps: ``1 step``, ``17 steps``."""
    return f"{steps} step{'s' * (steps != 1)}"


def plain(name: str) -> str:
    """An identifier as words: ``return_path`` is "return path"."""
    return name.replace("_", " ")


def value_words(variable: Variable, stored: int) -> str:
    """The value of a variable: yes or no, ``{0, 2}``, a member's name in lower case, or a number."""
    if variable.sort is Sort.PAGES:
        return set_words(stored)
    value = variable.decode(stored)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value.name).lower() if isinstance(value, Enum) else str(value)


def variable_words(variable: Variable) -> str:
    """What a variable is called in the document: the part of its doc before a colon, else its name."""
    return variable.doc.split(": ")[0] or plain(variable.name)


@dataclass(frozen=True)
class MessageInWords:
    """A message, on a channel or on its way to or from it.

    Attributes:
        channel: the channel's name in words.
        kind: its kind, as the protocol spells it.
        pages: its pages, one bit a page.
        marks: what only an all-seeing observer knows of it, e.g. ``("stale",)``.
        fields: what it says that is not as in the declaration, e.g. ``("urgent: yes",)``.
    """

    channel: str
    kind: str
    pages: int
    marks: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The message on an arrow: ``PAGE 0``, ``DISCARD {0, 2}``, ``RUN``, ``REQ_PAGES 0 urgent: yes``."""
        pages = members(self.pages)
        concerned = [str(pages[0])] if len(pages) == 1 else [set_words(self.pages)] if pages else []
        return " ".join([self.kind, *concerned, *self.fields])

    @property
    def words(self) -> str:
        """The message in a list, with its marks: ``PAGE {0} stale``."""
        return " ".join([self.kind, *([set_words(self.pages)] if self.pages else []), *self.fields, *self.marks])


def slot_variables(channel: ChannelVariables) -> list[Variable]:
    """The variables that hold what is on a channel."""
    return [v for slot in channel.slots for v in slot.variables]


def contents(instance: Instance, state: State, channel: ChannelVariables) -> list[MessageInWords]:
    """The messages on a channel, oldest first."""
    found = []
    for slot in channel.slots:
        kind = slot.kind.decode(state[instance.index[slot.kind]])
        if isinstance(kind, Enum):
            marks = tuple(name for name, mark in slot.marks.items() if state[instance.index[mark]])
            pages = state[instance.index[slot.pages]]
            fields = tuple(
                f"{plain(name)}: {value_words(v, state[instance.index[v]])}"
                for name, v in slot.fields.items()
                if state[instance.index[v]] != instance.encode(v, channel.given[name])
            )
            found.append(MessageInWords(plain(channel.name), kind.name, pages, marks, fields))
    return found


def contents_words(messages: list[MessageInWords]) -> str:
    """The messages on a channel as ``[PAGE {0} stale, DISCARD {0}]``."""
    return "[" + ", ".join(message.words for message in messages) + "]"


def step_words(doc: str, page: PageChoice) -> str:
    """A step in words with its page: "sends a dirty page in precopy, page 0", "reads page 0"; or with both pages."""
    if page is None:
        return doc
    if isinstance(page, tuple):
        return f"{doc}, pages {page[0]} and {page[1]}"
    named = re.sub(r"\ba page$", f"page {page}", doc)
    return named if named != doc else f"{doc}, page {page}"
