"""The variables of a protocol's state: what they are called, what values they take, how these are stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Sort(Enum):
    """What an expression denotes."""

    TRUTH = "truth"
    NUMBER = "number"
    PAGES = "pages"
    MESSAGES = "messages"
    """What is on a channel of unbounded length; only the prover's interpretation has it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a protocol's state.

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

    def __hash__(self) -> int:
        return hash(
            self.name
        )  # names are unique in a protocol; hashing all the rest took a tenth of all interpretation

    @property
    def kind(self) -> str:
        """The type of its values, in words."""
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


def index_of(values: tuple[object, ...], value: object) -> int:
    """Where a value stands; of another type it is another one (a member of an IntEnum equals those of others).

    Raises:
        ValueError: it is not there.
    """
    for index, known in enumerate(values):
        if type(known) is type(value) and known == value:
            return index
    raise ValueError(value)
