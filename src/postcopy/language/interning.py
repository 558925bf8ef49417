"""Objects that are equal exactly where they are the same one: expressions and variables.

Reading a protocol builds the same expressions again and again, compares them, and looks them up. So each is made once:
to make it again gives the one that is there. Equality and hashes are then those of any Python object, which need no
code of ours. Objects that nobody has any more are forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Any
from weakref import ref

LATEST = 1 << 16
"""So many objects that were made last are kept: each run of a body makes those of the run before again."""


class _Kept(ref[Any]):
    """A reference that knows where it is kept."""

    __slots__ = ("key",)
    key: Hashable


_known: dict[Hashable, _Kept] = {}
_latest: deque[object] = deque(maxlen=LATEST)


class Interned(type):
    """The type of classes whose objects are equal exactly where they are the same one.

    Such a class is immutable, has `__match_args__` for all that it is made of, and can be referred to weakly. What it
    is made of has to be equal only where nothing tells it apart: members of two IntEnums with the same number are not.
    """

    def __call__(cls, *parts: object, **named: object) -> Any:  # noqa: ANN401  (one of the class)
        """The object that is made of these parts."""
        kept = None if named else _known.get((cls, parts))
        known = None if kept is None else kept()
        if known is not None:
            return known
        made = super().__call__(*parts, **named)
        return cls._the_one(made, (cls, cls._told_apart(made)))

    def _told_apart(cls, made: object) -> tuple[object, ...]:
        """What an object is made of, told apart."""
        return tuple(getattr(made, name) for name in cls.__match_args__)  # type: ignore[attr-defined]

    def _the_one(cls, made: object, key: Hashable) -> object:
        """The object that is known by a key; the one that was made, where none is."""
        mine = _Kept(made, _forget)
        mine.key = key
        while True:
            kept = _known.setdefault(key, mine)  # in one piece: another thread may make the same
            known = kept()
            if known is not None:
                _latest.append(known)
                return known
            _forget(kept)


def _forget(gone: ref[Any]) -> None:
    """Forget an object that nobody has any more, unless another one has taken its place."""
    assert isinstance(gone, _Kept)
    if _known.get(gone.key) is gone:
        del _known[gone.key]
