"""Choices among the members of an enumeration, and how a change adds members to those of its base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast, overload

from postcopy.errors import SpecError
from postcopy.language.fields import EITHER, Field, FieldOwner
from postcopy.language.source_locations import of_class
from postcopy.language.variables import Sort

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, eq=False)
class Extension:
    """What a change adds to a choice.

    Attributes:
        more: the enumeration with the further members.
        after: the member behind which they have their places; None: behind all others.
    """

    more: type[Enum]
    after: Enum | None


class Choice(Field[E]):
    """A member of an enumeration (an IntEnum where order means something).

    Attributes:
        origin: the choice that this one extends; itself where it extends none.
        extensions: what was added to the origin, in order.
    """

    def __init__(self, doc: str, initial: E) -> None:
        super().__init__(doc, initial)
        self.origin: Choice[Any] = self
        self.extensions: tuple[Extension, ...] = ()

    @overload
    def __get__(self, part: None, owner: type) -> Choice[E]: ...
    @overload
    def __get__(self, part: FieldOwner, owner: type) -> E: ...
    def __get__(self, part: FieldOwner | None, owner: type) -> Choice[E] | E:
        return self if part is None else super().__get__(part, owner)

    def __set__(self, part: FieldOwner, value: E) -> None:
        super().__set__(part, value)

    def extended(self, more: type[Enum], after: Enum | None = None) -> Choice[Any]:
        """The same choice with more members, for a change: ``phase = Source.phase.extended(More, after=Phase.IDLE)``.

        Args:
            more: an enumeration with the further members.
            after: the member behind which they have their places: `<` compares by the order that results. None: they
                stand behind all others.
        """
        return self.with_extensions((*self.extensions, Extension(more, after)))

    def with_extensions(self, extensions: Sequence[Extension]) -> Choice[Any]:
        """The origin with these extensions."""
        choice: Choice[Any] = Choice(self.origin.doc, self.origin.initial)
        choice.origin, choice.extensions, choice.name = self.origin, tuple(extensions), self.name
        return choice

    @property
    def enumerations(self) -> tuple[type[Enum], ...]:
        """The enumerations whose members it can be."""
        return (type(cast(Enum, self.origin.initial)), *(extension.more for extension in self.extensions))

    @property
    def values(self) -> tuple[Enum, ...]:
        """Its values in their order. What several changes put behind one member stands in the order of the changes."""
        behind_all = [
            member for each in self.extensions if each.after is None for member in self._with_those_behind(each.more)
        ]
        return (*self._with_those_behind(self.enumerations[0]), *behind_all)

    def _with_those_behind(self, members: type[Enum]) -> Iterator[Enum]:
        for member in members:
            yield member
            for extension in self.extensions:
                if extension.after is member:
                    yield from self._with_those_behind(extension.more)

    def _extended(self) -> bool:
        return bool(self.extensions)

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        values = self.values
        return (Sort.NUMBER, len(values), values, 0)

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        if self.initial is EITHER:
            return "starts as EITHER, which only a Flag or a Bitmap can"
        if not isinstance(self.initial, Enum):
            return f"starts as {self.initial!r}: it can start as a member of an enumeration"
        known: list[Enum] = list(type(self.initial))
        for extension in self.extensions:
            more, after = extension.more, extension.after
            if not (isinstance(more, type) and issubclass(more, Enum) and len(more)):
                return f"is extended by {more!r}: an enumeration of the further members is needed"
            if after is not None and not any(after is member for member in known):
                return f"has no member {after!r} behind which those of {more.__name__} could stand"
            if twice := [member.name for member in more if member.name in {other.name for other in known}]:
                return f"has two members called {twice[0]}, one of {more.__name__}: choose another name"
            known += more
        return None


def together(part: type, name: str) -> Choice[Any]:
    """A choice as the nearest class of a part of the state declares it, with the extensions of all bases.

    The extensions come in the order of the bases, the most basic first. One that two of them have counts once.

    Raises:
        SpecError: a base extends another choice of that name, and the nearest class does not know it.
    """
    nearest: Choice[Any] = getattr(part, name)
    found: dict[Extension, None] = {}
    for base in reversed(part.__mro__):
        choice = vars(base).get(name)
        if not isinstance(choice, Choice):
            continue
        if choice.origin is nearest.origin:
            found |= dict.fromkeys(choice.extensions)
        elif not any(issubclass(each, base) for each in part.__mro__ if vars(each).get(name) is nearest):
            raise SpecError(
                f"{base.__name__} declares another choice {name}, and no class says which is meant: extend the one of "
                f"a base in both, {name} = Base.{name}.extended(...), or give one of them another name",
                of_class(part),
            )
    return nearest if tuple(found) == nearest.extensions else nearest.with_extensions(tuple(found))
