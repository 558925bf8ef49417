"""Objects that are equal exactly where they are the same one: expressions and variables.

Reading a protocol builds the same expressions again and again, compares them, and looks them up. So each is made once:
to make it again gives the one that is there. Equality and hashes are then those of any Python object, which need no
code of ours. Objects that nobody has any more are forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from threading import Lock
from typing import Any
from weakref import ref

LATEST = 1 << 16
"""So many objects that were made last are kept: each run of a body makes those of the run before again."""


class _Table:
    """All objects by their keys, as long as anybody has them."""

    def __init__(self) -> None:
        self.known: dict[Hashable, ref[Any]] = {}
        self.latest: deque[object] = deque(maxlen=LATEST)
        self._sweep_at = 2 * LATEST
        self._lock = Lock()

    def the_one(self, made: object, key: Hashable) -> object:
        """The object that is known by a key; the one that was made, where none is."""
        with self._lock:
            kept = self.known.get(key)
            known = None if kept is None else kept()
            if known is None:
                known, self.known[key] = made, ref(made)
                if len(self.known) >= self._sweep_at:
                    self.sweep()
            self.latest.append(known)
        return known

    def sweep(self) -> None:
        """Forget objects that nobody has any more. References could say so one by one, but Ctrl-C is lost where it
        comes while they do."""
        before = -1
        while len(self.known) != before:  # a key holds the operands of what is gone
            before = len(self.known)
            self.known = {key: kept for key, kept in self.known.items() if kept() is not None}
        self._sweep_at = 2 * max(LATEST, len(self.known))


_table = _Table()


class Interned(type):
    """The type of classes whose objects are equal exactly where they are the same one.

    Such a class is immutable, has `__match_args__` for all that it is made of, and can be referred to weakly. What it
    is made of has to be equal only where nothing tells it apart: members of two IntEnums with the same number are not.
    """

    def __call__(cls, *parts: object, **named: object) -> Any:  # noqa: ANN401  (one of the class)
        """The object that is made of these parts."""
        kept = None if named else _table.known.get((cls, parts))
        known = None if kept is None else kept()
        if known is not None:
            return known
        made = super().__call__(*parts, **named)
        return _table.the_one(made, (cls, cls._told_apart(made)))

    def _told_apart(cls, made: object) -> tuple[object, ...]:
        """What an object is made of, told apart."""
        return tuple(getattr(made, name) for name in cls.__match_args__)  # type: ignore[attr-defined]
