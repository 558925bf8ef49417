"""Members of a choice that several enumerations have a part in, as the concrete interpretation gives them to bodies.

Members of an IntEnum compare by their numbers, which say nothing beside those of another enumeration. Such a choice
has its values in an order of its own, and its members compare by their places in it.
"""

from __future__ import annotations

from postcopy.language.values import UnsupportedOperation
from postcopy.language.variables import Variable, has_order, in_words, index_of


class ExtendedMember:
    """A member of a choice with the members of several enumerations.

    Attributes:
        member: the member.
        values: all values of the choice, in their order.
    """

    __slots__ = ("member", "values")

    def __init__(self, member: object, values: tuple[object, ...]) -> None:
        self.member, self.values = member, values

    def _places(self, other: object) -> tuple[int, int]:
        """Where this member and another one stand in the longer of their orders."""
        theirs = other.member if isinstance(other, ExtendedMember) else other
        longer = other.values if isinstance(other, ExtendedMember) and len(other.values) > len(self.values) else None
        values = longer or self.values
        try:
            return index_of(values, self.member), index_of(values, theirs)
        except ValueError:
            raise UnsupportedOperation(f"a {in_words(self.values)} is compared with {theirs!r}") from None

    def _in_order(self, other: object) -> tuple[int, int]:
        if not has_order(self.values):
            raise UnsupportedOperation(f"the members of {in_words(self.values)} have no order")
        return self._places(other)

    def __eq__(self, other: object) -> bool:
        mine, theirs = self._places(other)
        return mine == theirs

    def __lt__(self, other: object) -> bool:
        mine, theirs = self._in_order(other)
        return mine < theirs

    def __gt__(self, other: object) -> bool:
        mine, theirs = self._in_order(other)
        return mine > theirs

    def __le__(self, other: object) -> bool:
        return not self > other

    def __ge__(self, other: object) -> bool:
        return not self < other

    def __hash__(self) -> int:
        raise UnsupportedOperation("a value of the state cannot be looked up in a Python set or dictionary: compare it")

    def __repr__(self) -> str:
        return repr(self.member)


def as_bodies_see(variable: Variable, value: object) -> object:
    """The value of a variable as a body gets it: a member of an extended choice compares by its place."""
    return ExtendedMember(value, variable.values) if variable.extended else value


def plain(variable: Variable, value: object) -> object:
    """What a body gives to a variable, as it is stored.

    Raises:
        ValueError: it is of a choice with values that the variable does not have.
    """
    if not isinstance(value, ExtendedMember):
        return value
    for each in value.values:
        index_of(variable.values, each)
    return value.member
