"""What the hosts need of a guest and its memory: of a guest process that runs, or of a guest of QEMU that is kept."""

from __future__ import annotations

import mmap
from typing import Protocol, TypeAlias

from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import Contents, Device

Fault: TypeAlias = tuple[int, str]
"""A page, and the toucher that waits for it."""


class Guest(Protocol):
    """What both hosts need.

    Attributes:
        geometry: its memory in pages.
    """

    geometry: Geometry

    @property
    def lost(self) -> str:
        """Why there is no guest any more, in words; empty while there is one."""

    def start(self) -> None:
        """Start the CPUs."""

    def kill(self) -> None:
        """End the guest."""

    def wait_for_death(self) -> None:
        """Return when the guest has ended, for whatever reason."""


class SourceGuest(Guest, Protocol):
    """A guest that leaves.

    Attributes:
        map: the contents of its memory.
    """

    map: mmap.mmap

    def stop(self) -> None:
        """Stop the CPUs."""

    def devices(self) -> list[Device]:
        """The state of all devices; the CPUs have been stopped."""


class IncomingGuest(Guest, Protocol):
    """A guest that comes."""

    def load(self, device: Device) -> None:
        """Load a device; returns when all memory that it touches has come."""


class SourceMemory(Protocol):
    """Memory from which pages are sent."""

    def take_dirty(self) -> list[range]:
        """Pages written since the last time."""


class IncomingMemory(Protocol):
    """Memory into which pages are loaded and placed."""

    def load(self, pages: range, data: Contents | None) -> None:
        """Write target pages of precopy; None stands for zeros."""

    def drop(self, pages: range) -> None:
        """Throw pages away."""

    def place(self, pages: range, data: Contents | None) -> None:
        """Place whole host pages, and wake those that wait for them."""

    def sensitise(self) -> None:
        """Touching a missing page is a fault from here on."""

    def release(self) -> None:
        """Touching a missing page is no fault any more."""

    def faults(self, timeout: float) -> list[Fault]:
        """Faults, as soon as there are some, after `stop_faults`, or after the timeout, in seconds."""

    def stop_faults(self) -> None:
        """Let a thread that waits for faults return. It returns the faults that there are; none is dropped."""

    def close(self) -> None:
        """Let every thread return that waits for a page or a fault."""
