"""The work of the guest: it writes pages, reads them again, and checks every byte against what it wrote.

Each vCPU owns every n-th page and knows the version of each; a page is filled with its number and version. So a page
that is torn, stale or lost is found by the first read, which also tells the three apart. The versions are part of the
vCPU's state and travel as device state, apart from the memory that they judge.
"""

from __future__ import annotations

import random
import struct
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any, Protocol

from postcopy.engine.errors import GuestError

KINDS = ("random", "sequential", "hot", "readonly", "idle")
SLICE = 0.002
"""Seconds: a vCPU that is ahead of its rate rests this long."""

_STAMP = struct.Struct("<QQ")


class GuestMemory(Protocol):
    """How the guest touches its memory; a touch of a missing page returns when the page has come."""

    def read(self, page: int, who: int) -> bytes:
        """A whole page."""

    def write(self, page: int, data: bytes, who: int) -> None:
        """A whole page."""


def contents(page: int, version: int, size: int) -> bytes:
    """The content of a page in a version; version 0 is a page that was never written, of zeros."""
    return _STAMP.pack(page + 1, version) * (size // 16) if version else bytes(size)


def diagnose(data: bytes, page: int, version: int) -> str:
    """The damage of a page that should hold a version, in words."""
    stamps = set(_STAMP.iter_unpack(data))
    versions = {found for number, found in stamps if number == page + 1 and found}
    if len(stamps) > 1:
        return f"torn: it holds {len(stamps)} different stamps, versions {sorted(versions)[:4]} of {version}"
    if stamps == {(0, 0)}:
        return f"lost: it holds zeros instead of version {version}"
    if versions:
        return f"stale: it holds version {versions.pop()} instead of {version}"
    return f"wrong: it holds something else than version {version}"


class Vcpu:
    """One vCPU.

    Args:
        index: which of them.
        count: how many there are.
        pages: pages of the guest.
        kind: one of `KINDS`.
        rate: touches per second, 0 for as many as there can be.
    """

    def __init__(self, index: int, count: int, pages: int, size: int, kind: str, rate: int, seed: int) -> None:
        self.index, self.count, self.pages, self.size, self.kind, self.rate = index, count, pages, size, kind, rate
        self.versions = array("I", bytes(4 * len(range(index, pages, count))))
        self.random = random.Random(seed * 1000 + index)
        self.at = 0
        self.reads = 0
        self.writes = 0
        self.damage: list[str] = []

    def state(self) -> dict[str, Any]:
        """The whole state of the vCPU, for the device state."""
        return {
            "versions": self.versions.tobytes(),
            "random": self.random.getrandbits(32),
            **{name: getattr(self, name) for name in ("at", "reads", "writes", "damage", "kind", "rate")},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        versions = array("I")
        versions.frombytes(state["versions"])
        if len(versions) != len(self.versions):
            raise ValueError(f"a vCPU with {len(versions)} pages is no vCPU of this guest")
        self.versions = versions
        self.random.seed(state["random"])
        for name in ("at", "reads", "writes", "damage", "kind", "rate"):
            setattr(self, name, state[name])

    def check(self, memory: GuestMemory, slot: int, who: int) -> None:
        """Read a page and compare all of it."""
        page = slot * self.count + self.index
        data = memory.read(page, who)
        self.reads += 1
        if data != contents(page, self.versions[slot], self.size) and len(self.damage) < 20:
            self.damage.append(f"page {page} {diagnose(data, page, self.versions[slot])}")

    def write(self, memory: GuestMemory, slot: int) -> None:
        """Write the next version of a page."""
        page = slot * self.count + self.index
        self.versions[slot] += 1
        memory.write(page, contents(page, self.versions[slot], self.size), self.index)
        self.writes += 1

    def fill(self, memory: GuestMemory, part: float) -> None:
        """Write this part of all pages once."""
        for slot in range(len(self.versions)):
            if self.random.random() < part:
                self.write(memory, slot)

    def run(self, memory: GuestMemory, stop: Callable[[], bool]) -> None:
        """Touch pages until `stop` says so; a touch that has begun is completed."""
        begin, done = time.monotonic(), 0
        while not stop():
            if self.kind == "idle" or (self.rate and done > (time.monotonic() - begin) * self.rate):
                time.sleep(SLICE)
                continue
            try:
                for _ in range(16):
                    self._touch(memory)
            except GuestError:
                return  # the page will never come
            done += 16

    def _touch(self, memory: GuestMemory) -> None:
        slots = len(self.versions)
        if not slots:
            return
        if self.kind == "sequential":
            self.at = (self.at + 1) % slots
            slot = self.at
        elif self.kind == "hot" and self.random.random() < 0.9:
            slot = self.random.randrange(max(1, slots // 10))
        else:
            slot = self.random.randrange(slots)
        self.check(memory, slot, self.index)  # before a write too: it would cover the damage up
        if self.kind != "readonly" and self.random.random() < 0.5:
            self.write(memory, slot)


class Cpus:
    """All vCPUs, each a thread while they run."""

    def __init__(self, vcpus: list[Vcpu], memory: GuestMemory) -> None:
        self.vcpus, self._memory = vcpus, memory
        self._stop = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Let them run."""
        self._stop = False
        self._threads = [
            threading.Thread(target=cpu.run, args=(self._memory, lambda: self._stop), daemon=True) for cpu in self.vcpus
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them between two touches."""
        self._stop = True
        for thread in self._threads:
            thread.join()
        self._threads = []
