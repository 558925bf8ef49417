"""The guest process: ``python -m postcopy.engine.guest``, started by the engine, whose requests it answers on a socket.

It ends with the engine, however that ends and whatever the guest is waiting for.

It is a process of its own because a thread that touches missing memory while it holds the interpreter's lock would stop
the threads that bring the page. Here memory is touched by `memcpy` through ctypes, which releases that lock, so that
one vCPU can wait while the other runs.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import sys
from typing import Any

import msgspec

from postcopy.engine import uffd
from postcopy.engine.errors import EngineError, GuestError
from postcopy.engine.link import Link
from postcopy.engine.workload import Cpus, GuestMemory, Vcpu

_libc = ctypes.CDLL(None)
_memcpy = _libc.memcpy
_memcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_memcpy.restype = ctypes.c_void_p

DEVICE_LOAD = -1
"""The name under which the device load touches memory."""
RING_PAGES = 4
_SET_DEATH_SIGNAL = 1
"""See prctl(2)."""


class Setup(msgspec.Struct):
    """The guest that the engine asks for.

    Attributes:
        memory: ``userfaultfd`` or ``software``.
        memfd, table, faults: descriptors: memory, the page table in software, one socket for each toucher.
        incoming: the guest waits for its state instead of making one.
    """

    memory: str
    pages: int
    page_size: int
    vcpus: int
    workload: str
    rate: int
    seed: int
    incoming: bool
    memfd: int
    table: int = -1
    faults: list[int] = []


class MappedMemory:
    """Memory under the kernel's page table: the kernel stops a thread that touches a missing page, and notes which
    pages are written."""

    def __init__(self, memfd: int, size: int, page_size: int) -> None:
        self._map = mmap.mmap(memfd, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._size = page_size
        self._buffers: dict[int, Any] = {}

    def read(self, page: int, who: int) -> bytes:
        """A whole page."""
        buffer = self._buffers.get(who)
        if buffer is None:
            buffer = self._buffers[who] = ctypes.create_string_buffer(self._size)
        _memcpy(buffer, self.address + page * self._size, self._size)
        return bytes(buffer.raw)

    def write(self, page: int, data: bytes, who: int) -> None:  # noqa: ARG002
        """A whole page."""
        _memcpy(self.address + page * self._size, data, self._size)


class TableMemory(MappedMemory):
    """Memory behind a page table in software: for each target page a byte "present", then for each a byte "written"."""

    def __init__(self, memfd: int, size: int, page_size: int, table: int, faults: list[int]) -> None:
        super().__init__(memfd, size, page_size)
        self._pages = size // page_size
        self._table = mmap.mmap(table, 2 * self._pages)
        self._faults = [socket.socket(fileno=fd) for fd in faults]

    def _wait_for(self, page: int, who: int) -> None:
        if self._table[page]:
            return
        line = self._faults[who]
        line.send(page.to_bytes(8, "little"))
        while line.recv(1):  # an answer may belong to an earlier question, or come for all questions at the end
            if self._table[page]:
                return
        raise GuestError("the engine is gone, and the page with it")

    def read(self, page: int, who: int) -> bytes:
        """A whole page, once it is present."""
        self._wait_for(page, who)
        return super().read(page, who)

    def write(self, page: int, data: bytes, who: int) -> None:
        """A whole page, once it is present; marked as written afterwards, so that no write is missed."""
        self._wait_for(page, who)
        super().write(page, data, who)
        self._table[self._pages + page] = 1


class Guest:
    """What the engine can ask of the guest; every method is a request."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        size = setup.pages * setup.page_size
        memory: GuestMemory
        self.descriptors: list[int] = []
        self.address = 0
        if setup.memory == "software":
            memory = TableMemory(setup.memfd, size, setup.page_size, setup.table, setup.faults)
        else:
            mapped = memory = MappedMemory(setup.memfd, size, setup.page_size)
            self.address = mapped.address
            if setup.incoming:
                self.descriptors = [uffd.create(uffd.MISSING_SHMEM | uffd.THREAD_ID)]
            else:
                self._log = uffd.create(uffd.WP_SHMEM | uffd.WP_UNPOPULATED | uffd.WP_ASYNC)
                uffd.register(self._log, self.address, size, uffd.MODE_WP)
        self._memory = memory
        self._vcpus = [
            Vcpu(i, setup.vcpus, setup.pages, setup.page_size, setup.workload, setup.rate, setup.seed)
            for i in range(setup.vcpus)
        ]
        self._cpus = Cpus(self._vcpus, memory)

    def fill(self, part: float) -> None:
        """Write a part of all pages once."""
        for cpu in self._vcpus:
            cpu.fill(self._memory, part)

    def start(self) -> None:
        """Start the CPUs."""
        self._cpus.start()

    def stop(self) -> None:
        """Stop the CPUs."""
        self._cpus.stop()

    def state(self) -> list[tuple[str, int, bytes]]:
        """Name, instance and data of every device; the CPUs have been stopped."""
        cpus = [("cpu", i, msgspec.msgpack.encode(cpu.state())) for i, cpu in enumerate(self._vcpus)]
        ring = [self._vcpus[0].random.randrange(self._setup.pages) for _ in range(RING_PAGES)]
        return [*cpus, ("ring", 0, msgspec.msgpack.encode(ring))]

    def load(self, name: str, instance: int, data: bytes) -> None:
        """Load a device. The ring reads guest memory, as loading a virtio device does."""
        if name == "cpu":
            self._vcpus[instance].load(msgspec.msgpack.decode(data))
        elif name == "ring":
            for page in msgspec.msgpack.decode(data, type=list[int]):
                cpu = self._vcpus[page % len(self._vcpus)]
                cpu.check(self._memory, page // len(self._vcpus), DEVICE_LOAD)
        else:
            raise EngineError(f"the guest has no device {name}")

    def check(self) -> None:
        """Read and compare every page; the CPUs have been stopped."""
        for cpu in self._vcpus:
            for slot in range(len(cpu.versions)):
                cpu.check(self._memory, slot, cpu.index)

    def verdict(self) -> dict[str, Any]:
        """Counts of what the vCPUs have done, and the damage that they have found."""
        return {
            "reads": sum(cpu.reads for cpu in self._vcpus),
            "writes": sum(cpu.writes for cpu in self._vcpus),
            "damage": [text for cpu in self._vcpus for text in cpu.damage],
        }


def serve(link: Link) -> None:
    """Carry out the engine's requests until it closes the socket."""
    setup, _ = link.receive()
    guest = None
    try:
        guest = Guest(msgspec.convert(setup, Setup))
        link.send({"address": guest.address, "pid": os.getpid()}, guest.descriptors)
    except (EngineError, OSError) as error:
        link.send({"error": str(error)})
        return
    while True:
        (name, *arguments), _ = link.receive()
        try:
            link.send({"value": getattr(guest, name)(*arguments)})
        except (EngineError, ValueError, LookupError, msgspec.MsgspecError) as error:
            link.send({"error": str(error)})


def end_with_the_engine() -> None:
    """From now on the kernel kills this process when the thread that started it has ended, however that ends.

    It works for a guest that was stopped (SIGSTOP), and for one that waits for a page that will not come. If the engine
    has ended before this call, the guest finds its line to the engine closed when it asks for its setup.
    """
    _libc.prctl(_SET_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL))


if __name__ == "__main__":
    end_with_the_engine()
    try:
        serve(Link(socket.socket(fileno=int(sys.argv[1]))))
    except (EngineError, KeyboardInterrupt):
        pass
    os._exit(0)  # vCPUs may be waiting for pages that will never come
