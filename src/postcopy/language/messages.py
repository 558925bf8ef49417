"""Messages and events as bodies, ghosts and properties see them, and patterns of messages to look for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

from postcopy.language.values import PageSet, UnsupportedOperation


class Marks(dict[str, PageSet]):
    """For each ghost mark, the pages of a message if it is so marked (else none)."""

    def __missing__(self, mark: str) -> PageSet:
        raise UnsupportedOperation(f"the message carries no mark {mark}; its marks are {', '.join(self) or 'none'}")


class Carried(dict[str, Any]):
    """What a message says beside its pages, by the name of the field."""

    def __missing__(self, field: str) -> NoReturn:
        raise UnsupportedOperation(
            f"the message has no field {field}; its fields are {', '.join(self) or 'none'}: declare it, "
            f'Channel(..., fields={{"{field}": Flag("...")}})'
        )


@dataclass(frozen=True)
class Pattern:
    """A kind of message to look for on a channel.

    Attributes:
        kind: the kind.
        marks: ghost marks that it has to have (or not to have).
        about: whether it has to concern the page that is asked for; else any such message will do.
        part: whether it has to concern a part of the page's host page only; asked of one that is `about` the page.
        fields: the values that its fields have to have, as stored numbers.
        having: marks and values of fields by name, of a pattern that a property has written; where it is looked for on
            a channel, they become `marks` and `fields`.
        enumeration: the enumeration of the kind: a member of an IntEnum equals those of others, and patterns of the
            two are not the same.
    """

    kind: Enum
    marks: tuple[tuple[str, bool], ...] = ()
    about: bool = False
    part: bool = False
    fields: tuple[tuple[str, int], ...] = ()
    having: tuple[tuple[str, object], ...] = ()
    enumeration: type[Enum] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "enumeration", type(self.kind))

    def of(self, pages: PageSet) -> PageSet:
        """Of the pages of a message, those for which it is what is looked for."""
        part: PageSet = pages & (~pages).host_pages
        return part if self.part else pages


def about(kind: Enum, **having: object) -> Pattern:
    """A message of this kind, with these ghost marks and values of fields, that concerns the page in question."""
    return Pattern(kind, about=True, having=tuple(having.items()))


def about_part(kind: Enum, **having: object) -> Pattern:
    """A message of this kind, with these ghost marks and values of fields, that concerns the page in question and not
    all of its host page."""
    return Pattern(kind, about=True, part=True, having=tuple(having.items()))


@dataclass(frozen=True, eq=False)
class Message:
    """A message that was received: its pages, its marks, and what it says in its fields."""

    pages: PageSet
    marked: Marks
    carried: Carried


@dataclass(frozen=True, eq=False)
class Event:
    """Something that a step did, seen from outside.

    Attributes:
        what: a member of a protocol's own enumeration, or of a channel's kinds.
        pages: the pages that it concerns.
        channel: for a message sent or received, the channel.
        sent: whether the message was sent (else received, or no message at all).
    """

    what: Enum
    pages: PageSet
    channel: str = ""
    sent: bool = False
