"""How a search stands, and the numbers by which the compiled loop and its driver understand each other."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a search, or one shard or worker of it, stands. Checkpoints hold these numbers."""

    RUNNING = 0
    """There is more to do."""

    LEVEL = 1
    """Of a shard: nothing more on this level."""

    STEP = 2
    """A step violates a property."""

    STATE = 3
    """A state violates a property."""

    DEADLOCK = 4
    """A state is a deadlock."""

    WRONG = 5
    """A check of the specification failed."""

    FULL = 6
    """There is no room for more states."""

    OUTBOX_FULL = 7
    """Of a shard: there is no room for more states that belong to another."""

    DONE = 8
    """All states were seen."""


FOUND = frozenset({Status.STEP, Status.STATE, Status.DEADLOCK, Status.WRONG})
"""Something was found that ends the search."""

ENDED = FOUND | {Status.FULL}
"""The whole search ends where a shard stands so."""

COUNT, HEAD, LEVEL_END, STATUS, AT, DETAIL, WITNESSES = range(7)
"""Where the numbers that a shard keeps between calls lie in its array `control`."""
