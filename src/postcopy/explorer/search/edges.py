"""The steps that an interpreted search takes, kept as it goes, so that liveness need not expand the states again."""

from __future__ import annotations

from array import array

from postcopy.explorer.kernel.kernel import Words


class Edges:
    """Every step that changes a state, in the order in which the search takes them.

    Attributes:
        origin: the index of the state before each.
        target: the index of the state that is stored for the one after it.
        action: the index of its action.
        after: the words after it, before a renaming; those of one step behind those of the other.
        found: for each state, what `examine` says of it.
    """

    def __init__(self) -> None:
        self.origin, self.target, self.action = array("q"), array("q"), array("h")
        self.after, self.found = array("Q"), array("q")

    def add(self, origin: int, target: int, action: int, after: Words) -> None:
        """Keep a step."""
        self.origin.append(origin)
        self.target.append(target)
        self.action.append(action)
        self.after.extend(after)

    def extend(self, origin: bytes, target: list[int], action: bytes, after: bytes) -> None:
        """Keep some steps; what is not a list is the memory of an array with the elements of the one here."""
        self.origin.frombytes(origin)
        self.target.extend(target)
        self.action.frombytes(action)
        self.after.frombytes(after)

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return sum(len(each) * each.itemsize for each in (self.origin, self.target, self.action, self.after))
