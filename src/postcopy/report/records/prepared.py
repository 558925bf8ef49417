"""Loops that were prepared, as a record."""

from __future__ import annotations

import msgspec


class LoopsRecord(msgspec.Struct, frozen=True):
    """Functions that are compiled together.

    Attributes:
        loop: search, liveness or small table.
        words: for states of so many words; null where they are for any.
        compiled: they were compiled now, and not there before.
        bytes: what they take in the cache.
    """

    loop: str
    words: int | None
    compiled: bool
    bytes: int


class PreparedRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy prepare`.

    Attributes:
        cache: the directory in which they are kept.
        loops: all that were asked for, in the order of their names and words.
        bytes: what they take there.
        seconds: how long it took, by the clock.
    """

    cache: str
    loops: list[LoopsRecord]
    bytes: int
    seconds: float
