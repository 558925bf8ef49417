"""The kinds of values that a body can have in its hands, and what it may ask of each.

They follow from the public members of the language's own classes: what is public there is allowed, and nothing else.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from types import FunctionType

from postcopy.language.actions import ActionInstance
from postcopy.language.channel_ends import ChannelEnd, DeclaredEnd, NetworkEnd, ObserverEnd, ReceiveEnd, SendEnd
from postcopy.language.choices import Choice
from postcopy.language.fields import Bitmap, Count, CpuBitmap, CpuPages, Field, Flag
from postcopy.language.locks import Lock, LockValue
from postcopy.language.machines import Part
from postcopy.language.messages import Event, Message
from postcopy.language.semaphores import Semaphore, SemaphoreValue
from postcopy.language.values import Cpu, Page, PageSet
from postcopy.language.view import Step, View


class Simple(Enum):
    """Kinds that need no more said of them."""

    ANYTHING = auto()
    """Not known before it runs: the argument of a helper. It may be asked whatever some kind may be asked."""
    ABSENT = auto()
    """There is no such name: Python or the interpretation says so when the body runs, and gets no further."""
    NOTHING = auto()
    TRUTH = auto()
    NUMBER = auto()
    """The value of a `Count`."""
    CONSTANT = auto()
    """A number, text or member that does not depend on the state, e.g. a vCPU or the variable of a loop."""
    MARKS = auto()
    CARRIED = auto()
    EVENTS = auto()
    HAPPENED = auto()
    """What an event is: a member of any enumeration."""


@dataclass(frozen=True)
class Member:
    """A member of an enumeration: the value of a `Choice`, a parameter, the variable of a loop.

    Attributes:
        enumerations: the one; several for a choice that is extended.
    """

    enumerations: tuple[type[Enum], ...]


@dataclass(frozen=True)
class Of:
    """A value of one of the language's classes: a set of pages, a message, an end of a channel, a view."""

    cls: type


@dataclass(frozen=True)
class PartOf:
    """A machine, ghost or monitor."""

    cls: type[Part]


@dataclass(frozen=True)
class FieldsOf:
    """Some fields of another machine, which this one maps.

    Attributes:
        cls: the other machine's class.
        fields: the names of the fields.
    """

    cls: type[Part]
    fields: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Fixed:
    """A value from outside of the state, which is the same in every run.

    Attributes:
        value: the value.
        text: what the body calls it.
    """

    value: object
    text: str


@dataclass(frozen=True)
class Method:
    """A method or function. A body may call it, and nothing else.

    Attributes:
        name: what the text calls it.
        bodies: the author's functions that it may stand for, each with the class of the part of the state that it is
            called on; none for one of the language's own.
        answers: the kind of its answer, where that is known.
        unbound: it was asked of a class: its first argument is the object.
        known: for a function of the language or of Python that stands by itself, that function.
    """

    name: str
    bodies: tuple[tuple[FunctionType, type[Part] | None], ...] = ()
    answers: Kind = Simple.ANYTHING
    unbound: bool = False
    known: object = None


@dataclass(frozen=True)
class Items:
    """A tuple or list that the body has written down, or whatever else it may loop over.

    Attributes:
        of: the kind of the items.
        most: how many there are at most.
    """

    of: Kind
    most: int


Kind = Simple | Member | Of | PartOf | FieldsOf | Fixed | Method | Items

PAGES = Of(PageSet)
VALUES: tuple[type, ...] = (
    PageSet,
    CpuPages,
    SemaphoreValue,
    LockValue,
    Message,
    Event,
    Step,
    View,
    ActionInstance,
    SendEnd,
    ReceiveEnd,
    NetworkEnd,
    ObserverEnd,
)
"""The language's classes whose public members a body may use."""

EVENTS_IN_A_STEP = 16
"""How many events a step is taken to have, when the work of a loop over them is counted."""

_OF_CLASS: dict[type, Kind] = {
    bool: Simple.TRUTH,
    type(None): Simple.NOTHING,
    PageSet: PAGES,
    Page: PAGES,
    Cpu: Simple.CONSTANT,
    int: Simple.CONSTANT,
    str: Simple.CONSTANT,
    Message: Of(Message),
    Event: Of(Event),
    Step: Of(Step),
    View: Of(View),
    ActionInstance: Of(ActionInstance),
}
_OF_ANNOTATION: dict[str, Kind] = {
    **{cls.__name__: kind for cls, kind in _OF_CLASS.items()},
    "None": Simple.NOTHING,
    "Marks": Simple.MARKS,
    "Carried": Simple.CARRIED,
    "Number": Simple.NUMBER,
    "Enum": Simple.HAPPENED,
    "list[Event]": Items(Of(Event), EVENTS_IN_A_STEP),
}
_OF_FIELD: dict[type, Kind] = {
    Bitmap: PAGES,
    Flag: Simple.TRUTH,
    Count: Simple.NUMBER,
    Semaphore: Of(SemaphoreValue),
    Lock: Of(LockValue),
    CpuBitmap: Of(CpuPages),
}


@cache
def members(cls: type) -> dict[str, Kind]:
    """What may be asked of a value of one of the language's classes, by name, with the kinds of the answers."""
    found: dict[str, Kind] = {}
    for base in reversed(cls.__mro__):
        for name, annotation in vars(base).get("__annotations__", {}).items():
            if not name.startswith("_"):
                found[name] = _OF_ANNOTATION.get(str(annotation), Simple.ANYTHING)
        for name, value in vars(base).items():
            if name.startswith("_"):
                continue
            if isinstance(value, property):
                found[name] = _answers(value.fget)
            elif inspect.isfunction(value):
                found[name] = Method(name, answers=_answers(value))
    return found


def _answers(function: object) -> Kind:
    annotation = getattr(function, "__annotations__", {}).get("return")
    return _OF_ANNOTATION.get(str(annotation), Simple.ANYTHING)


@cache
def every_member() -> dict[str, Kind]:
    """What may be asked of some value of the language, by name. A kind is given where all that have the name agree."""
    found: dict[str, Kind] = {}
    for cls in VALUES:
        for name, kind in members(cls).items():
            known = found.setdefault(name, kind)
            if known != kind:
                found[name] = Method(name) if isinstance(kind, Method) else Simple.ANYTHING
    return found


def of_field(field: Field[typing.Any]) -> Kind:
    """The kind of a field's value."""
    if isinstance(field, Choice):
        return Member(field.enumerations) if isinstance(field.initial, Enum) else Simple.ANYTHING
    return next((kind for cls, kind in _OF_FIELD.items() if isinstance(field, cls)), Simple.ANYTHING)


def of_end(end: DeclaredEnd[typing.Any]) -> Kind:
    """The kind of a declared end of a channel."""
    return Of(end.view)


def of_annotation(cls: object) -> Kind:
    """The kind of a parameter that is annotated with a class."""
    if isinstance(cls, type) and issubclass(cls, Part):
        return PartOf(cls)
    if isinstance(cls, type) and issubclass(cls, Enum):
        return Member((cls,))
    return _OF_CLASS.get(cls, Simple.ANYTHING) if isinstance(cls, type) else Simple.ANYTHING


def of_constant(value: object) -> Kind:
    """The kind of a constant that the body writes down."""
    return Simple.NOTHING if value is None else Fixed(value, repr(value))


def enumerations_of(kind: Kind) -> tuple[type[Enum], ...]:
    """The enumerations that a value may be a member of; none where it is another value, or that is not known."""
    if isinstance(kind, Fixed) and isinstance(kind.value, Enum):
        return (type(kind.value),)
    return kind.enumerations if isinstance(kind, Member) else ()


def joined(a: Kind, b: Kind) -> Kind:
    """The kind of a value that is one of two."""
    plain = (Simple.CONSTANT, Simple.TRUTH)
    if a == b or (isinstance(a, Fixed) and isinstance(b, Fixed) and a.value is b.value):
        return a
    if (enumerations := enumerations_of(a)) and enumerations == enumerations_of(b):
        return Member(enumerations)
    if isinstance(a, Items) and isinstance(b, Items):
        return Items(joined(a.of, b.of), max(a.most, b.most))
    if all(isinstance(kind, Fixed) or kind in plain for kind in (a, b)):
        return Simple.CONSTANT
    return Simple.ANYTHING


def all_joined(kinds: Sequence[Kind]) -> Kind:
    """The kind of a value that is one of several."""
    return functools.reduce(joined, kinds) if kinds else Simple.NOTHING


def described(kind: Kind) -> str:
    """What a value of this kind is, in a sentence."""
    of_classes: dict[type, str] = {
        PageSet: "a set of pages",
        CpuPages: "a set of pages for each vCPU",
        LockValue: "a lock",
        SemaphoreValue: "a semaphore",
        View: "a state",
    }
    if isinstance(kind, Of):
        if issubclass(kind.cls, ChannelEnd):
            return "an end of a channel"
        return of_classes.get(kind.cls, f"{_article(kind.cls.__name__)} {kind.cls.__name__}")
    if isinstance(kind, PartOf):
        return kind.cls.__name__
    if isinstance(kind, FieldsOf):
        return f"the mapped fields of {kind.cls.__name__}"
    if isinstance(kind, Fixed):
        return kind.text
    if isinstance(kind, Member):
        names = [enumeration.__name__ for enumeration in kind.enumerations]
        return f"{_article(names[0])} {' or '.join(names)}"
    return {
        Simple.TRUTH: "a truth value",
        Simple.NUMBER: "the value of a Count",
        Simple.HAPPENED: "what an event is",
        Simple.MARKS: "the marks of a message",
        Simple.CARRIED: "the fields of a message",
    }.get(typing.cast(Simple, kind), "this")


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOUaeiou" else "a"
