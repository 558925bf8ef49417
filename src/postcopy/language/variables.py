"""The variables of a protocol's state: what they are called, what values they take, how these are stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from postcopy.language.interning import Interned


class Sort(Enum):
    """What an expression denotes."""

    TRUTH = "truth"
    NUMBER = "number"
    PAGES = "pages"
    MESSAGES = "messages"
    """What is on a channel of unbounded length; only the prover's interpretation has it."""


class _OneForEach(Interned):
    """The type of `Variable`: members of IntEnums with the same number make different variables."""

    def _told_apart(cls, made: object) -> tuple[object, ...]:  # noqa: N805  (of a metaclass)
        assert isinstance(made, Variable)
        return (super()._told_apart(made), type(made.role), *map(type, made.values))


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Variable(metaclass=_OneForEach):
    """One variable of a protocol's state: there is one for each that differs in anything.

    Attributes:
        name: qualified, as ``destination.waiting[1]`` or ``stream[0].kind``.
        owner: the machine or channel that it belongs to.
        sort: `Sort.NUMBER` or `Sort.PAGES`.
        size: for a number, how many values it has (0 to size - 1).
        values: for an enumeration or truth value, what each number means; empty for a plain number.
        low: for a plain number, what the stored 0 means.
        ghost: history for the properties; no guard may read it.
        doc: what it is, in the document's words.
        waits: the thread that waits for these pages, as in a sentence: ``vCPU 1``; empty where none does.
        role: for a set of pages, what its pages are in the protocol; None where that is not declared.
        extended: its values are members of several enumerations, in an order of their own.
        chosen: a set of whole host pages, or an option, that is chosen at the start, and that no step changes.
    """

    name: str
    owner: str
    sort: Sort
    size: int = 0
    values: tuple[object, ...] = ()
    low: int = 0
    ghost: bool = False
    doc: str = ""
    waits: str = ""
    role: Enum | None = None
    extended: bool = False
    chosen: bool = False

    def __reduce__(self) -> tuple[object, ...]:
        return Variable, tuple(getattr(self, name) for name in self.__match_args__)

    @property
    def kind(self) -> str:
        """The type of its values, in words."""
        if self.extended:
            return in_words(self.values)
        return type(self.values[-1]).__name__ if self.values else "whole number"

    def decode(self, stored: int) -> object:
        """The value that a stored number stands for."""
        return self.values[stored] if self.values else stored + self.low


def stored(variable: Variable, value: object) -> int:
    """The stored number of a value of a variable that is no set of pages.

    Raises:
        ValueError: the value is of another type (a number out of range is not found here).
    """
    if variable.values:
        return index_of(variable.values, value)
    if type(value) is not int:
        raise ValueError(value)
    return value - variable.low


def in_words(values: tuple[object, ...]) -> str:
    """The types of values, as in a sentence: ``Phase``, or ``Phase or More``."""
    return " or ".join(dict.fromkeys(type(value).__name__ for value in values))


def has_order(values: tuple[object, ...]) -> bool:
    """Whether members compare with ``<``: the enumeration of the first is an IntEnum with ascending numbers.

    Another enumeration that a choice is extended by has places in the order of that one.
    """
    numbers = [value for value in values if type(value) is type(values[0])]
    return all(isinstance(n, int) for n in numbers) and numbers == sorted(numbers)  # type: ignore[type-var]


def same_values(a: tuple[object, ...], b: tuple[object, ...]) -> bool:
    """Whether two choices have the same values. (A member of an IntEnum equals those of others.)"""
    return len(a) == len(b) and all(one is other for one, other in zip(a, b, strict=True))


def index_of(values: tuple[object, ...], value: object) -> int:
    """Where a value stands; of another type it is another one (a member of an IntEnum equals those of others).

    Raises:
        ValueError: it is not there.
    """
    for index, known in enumerate(values):
        if type(known) is type(value) and known == value:
            return index
    raise ValueError(value)
