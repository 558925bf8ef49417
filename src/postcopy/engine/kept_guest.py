"""A guest of QEMU that is kept and not run: its machine, its memory, and its devices' states, which stay opaque."""

from __future__ import annotations

import hashlib
import mmap
import threading

from postcopy.engine.contents import PageContents
from postcopy.engine.errors import GuestError
from postcopy.engine.messages import Device
from postcopy.engine.opening import Opening
from postcopy.engine.source import RAM_SECTION


class KeptGuest:
    """A guest that comes from a QEMU, and may go to another.

    Args:
        opening: what the stream says of it.

    Attributes:
        opening: the same.
        geometry: its memory in pages.
        map: the contents of its memory.
        running: is set from RUN on. There are no CPUs that would run.

    Raises:
        GuestError: there is no room for its memory.
    """

    def __init__(self, opening: Opening) -> None:
        self.opening, self.geometry = opening, opening.geometry
        size = self.geometry.pages * self.geometry.target_page
        try:
            self.map = mmap.mmap(-1, size)
        except (OSError, OverflowError) as error:
            raise GuestError(f"there is no room for a guest with {size:,} bytes of memory: {error}") from None
        self.contents = PageContents(self.map, self.geometry)
        self.running = threading.Event()
        self._devices: list[Device] = []
        self._given_up = threading.Event()

    @property
    def lost(self) -> str:
        """Why there is no guest any more, in words; empty while there is one."""
        return "the guest was given up" if self._given_up.is_set() else ""

    def load(self, device: Device) -> None:
        """Keep a device's state. Sections are numbered anew: the first is that of memory."""
        section = RAM_SECTION + 1 + len(self._devices)
        self._devices.append(Device(section, device.name, device.instance, device.version, device.data))

    def devices(self) -> list[Device]:
        """The states of all devices, in the order in which they came."""
        return list(self._devices)

    def take_dirty(self) -> list[range]:
        """Nothing is written."""
        return []

    def start(self) -> None:
        """The CPUs would run from here on."""
        self.running.set()

    def stop(self) -> None:
        """They run no more."""
        self.running.clear()

    def kill(self) -> None:
        """Give the guest up."""
        self._given_up.set()

    def wait_for_death(self) -> None:
        """Return when the guest has been given up."""
        self._given_up.wait()

    def digest(self) -> str:
        """Of the names and contents of all blocks, in order: the same where all pages are. SHA-256, the first half."""
        found, at = hashlib.sha256(), 0
        for block in self.geometry.blocks:
            found.update(f"{block.name} {block.length}\n".encode())
            found.update(memoryview(self.map)[at : at + block.length])
            at += block.length
        return found.hexdigest()[:32]
