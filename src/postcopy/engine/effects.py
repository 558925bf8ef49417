"""What the destination's core asks of its host: replies for the return path, and effects on guest and memory."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from postcopy.engine.messages import Contents, Device, Reply


class _Effect(msgspec.Struct, frozen=True, gc=False):
    """Base of what is to be done to the guest or its memory."""


class PrepareMemory(_Effect, frozen=True):
    """Make memory fit for postcopy: not locked, no huge pages (R23, R26)."""


class LoadPages(_Effect, frozen=True):
    """Write target pages of precopy; None stands for zeros."""

    pages: range
    data: Contents | None


class DropPages(_Effect, frozen=True):
    """Throw pages away, so that touching one is a fault again (R11)."""

    pages: range


class Sensitise(_Effect, frozen=True):
    """From here on touching a missing page is a fault (R5)."""


class PlacePages(_Effect, frozen=True):
    """Place host pages, each whole and in one step, and wake those that wait for them (R22); None stands for zeros.

    Attributes:
        pages: all of their target pages.
    """

    pages: range
    data: Contents | None


class LoadDevice(_Effect, frozen=True):
    """Load a device's state. It may touch missing memory and wait (R6): no lock may be held."""

    device: Device


class StartGuest(_Effect, frozen=True):
    """Start the CPUs (R7)."""


class ReleaseMemory(_Effect, frozen=True):
    """All has come: touching memory is no fault any more."""


class GiveUpGuest(_Effect, frozen=True):
    """The guest must never run here, or no longer."""


Effect: TypeAlias = (
    PrepareMemory
    | LoadPages
    | DropPages
    | Sensitise
    | PlacePages
    | LoadDevice
    | StartGuest
    | ReleaseMemory
    | GiveUpGuest
)
"""Something to be done to the guest or its memory."""

Output: TypeAlias = Reply | Effect
"""A reply for the return path, or an effect."""
