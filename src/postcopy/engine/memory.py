"""Guest memory as the engine sees it: a guest process, its memory, and how pages are read, logged, dropped and placed.

Memory is shared (a memfd): reads and writes of the engine through its own mapping are no touches by the guest. It is of
one of two kinds:

- ``userfaultfd``: the kernel's page table. Faults and placing by userfaultfd, the dirty log by asynchronous write
  protection, discards by punching holes.
- ``software``: the engine's own page table in shared memory, for systems that do not permit userfaultfd. Cores and
workload are the same.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import numpy as np

from postcopy.engine import uffd
from postcopy.engine.contents import Rows
from postcopy.engine.errors import GuestError
from postcopy.engine.geometry import Geometry
from postcopy.engine.guest import Setup
from postcopy.engine.guests import Fault, SourceMemory
from postcopy.engine.link import Link
from postcopy.engine.messages import Block, Contents, Device
from postcopy.engine.page_vectors import address_of

KINDS = ("userfaultfd", "software")
FIRST_DEVICE_SECTION = 3
MOST_PLACED = 256
"""The most pages that are placed at once."""
BOOT_TIMEOUT = 30.0
"""Seconds."""


class GuestOptions(msgspec.Struct, frozen=True):
    """The guest: its memory and what it does.

    Attributes:
        size: bytes of memory.
        target_page: bytes of a target page.
        memory: one of `KINDS`.
        workload: one of `postcopy.engine.workload.KINDS`.
        rate: touches per second of each vCPU, 0 for no limit.
        filled: the part of all pages that is written before the migration.
    """

    size: int = 64 << 20
    target_page: int = 4096
    memory: str = "userfaultfd"
    workload: str = "random"
    vcpus: int = 2
    rate: int = 20_000
    filled: float = 0.5
    seed: int = 1

    def geometry(self) -> Geometry:
        """One block, in pages."""
        return Geometry([Block("guest.ram", self.size)], self.target_page, uffd.SYSTEM_PAGE)


class GuestProcess:
    """A guest process, made to run or to wait for its state. It ends with the thread that makes it, at the latest.

    Args:
        timeout: seconds that the guest may take for an answer, or stand still.

    Raises:
        GuestError: it cannot be started, for example where userfaultfd is not permitted.
    """

    def __init__(self, options: GuestOptions, *, incoming: bool, timeout: float = 30.0) -> None:
        uffd.require_linux()
        self.options, self.geometry, self._timeout = options, options.geometry(), timeout
        _fill_standard_descriptors()
        self.memfd = os.memfd_create("postcopy-guest", os.MFD_CLOEXEC)
        os.ftruncate(self.memfd, options.size)
        self.map = mmap.mmap(self.memfd, options.size)
        self.table_fd, self.table = -1, None
        self.fault_lines: list[socket.socket] = []
        theirs: list[socket.socket] = []
        passed = [self.memfd]
        if options.memory == "software":
            self.table_fd = os.memfd_create("postcopy-table", os.MFD_CLOEXEC)
            os.ftruncate(self.table_fd, 2 * self.geometry.pages)
            self.table = mmap.mmap(self.table_fd, 2 * self.geometry.pages)
            if not incoming:
                self.table[: self.geometry.pages] = b"\1" * self.geometry.pages
            for _ in range(options.vcpus + 1):  # the last one is the device load's
                ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self.fault_lines.append(ours)
                theirs.append(its)
            passed += [self.table_fd, *(s.fileno() for s in theirs)]
        line, its_line = socket.socketpair()
        theirs.append(its_line)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "postcopy.engine.guest", str(its_line.fileno())],
            pass_fds=[*passed, its_line.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is for the engine to act on
        )
        numbers = [s.fileno() for s in theirs]
        for s in theirs:
            s.close()
        line.settimeout(BOOT_TIMEOUT)
        self._link = Link(line)
        self._turn = threading.Lock()
        self._lost = ""  # why it is not asked any more
        setup = Setup(
            memory=options.memory,
            pages=self.geometry.pages,
            page_size=options.target_page,
            vcpus=options.vcpus,
            workload=options.workload,
            rate=options.rate,
            seed=options.seed,
            incoming=incoming,
            memfd=self.memfd,
            table=self.table_fd,
            faults=numbers[:-1],
        )
        self.descriptors: list[int] = []
        try:
            self._link.send(msgspec.to_builtins(setup))
            answer, self.descriptors = self._link.receive()
            if "error" in answer:
                raise GuestError(f"{answer['error']}; --memory software does without")
        except GuestError:
            self.close()
            raise
        self.address: int = answer["address"]
        self.pid: int = answer["pid"]

    @property
    def lost(self) -> str:
        """Why the guest answers no more, in words; empty while it does, as far as is known."""
        return self._lost or ("" if self._process.poll() is None else "the guest process is gone")

    def ask(self, what: str, *arguments: Any) -> Any:
        """Have the guest do something (see `postcopy.engine.guest.Guest`).

        Raises:
            GuestError: it cannot, is gone, or has not answered in time; after that it is not asked again.
        """
        return self._ask(self._timeout, what, *arguments)

    def work(self, what: str, *arguments: Any) -> None:
        """The same for a request that takes the longer the more memory there is.

        Raises:
            GuestError: as `ask`, but it may take any time, as long as the guest computes.
        """
        self._ask(self._timeout, what, *arguments, while_computing=True)

    def start(self) -> None:
        """Start the CPUs. Raises as `ask`."""
        self.ask("start")

    def stop(self) -> None:
        """Stop the CPUs. Raises as `ask`."""
        self.ask("stop")

    def load(self, device: Device) -> None:
        """Load a device; returns when all memory that it touches has come. There is no deadline here: the thread that
        receives the pages has one, and kills the guest after it.

        Raises:
            GuestError: it cannot, or is gone.
        """
        self._ask(None, "load", device.name, device.instance, device.data)

    def _ask(self, timeout: float | None, what: str, *arguments: Any, while_computing: bool = False) -> Any:
        with self._turn:
            if self._lost:
                raise GuestError(self._lost)
            try:
                self._link.send([what, *arguments])
                self._wait(timeout, while_computing=while_computing)
                answer, _ = self._link.receive()
            except GuestError as error:
                self._lost = str(error)
                raise
        if "error" in answer:
            raise GuestError(f"the guest: {answer['error']}")
        return answer["value"]

    def _wait(self, timeout: float | None, *, while_computing: bool) -> None:
        """Wait for an answer."""
        computed = self.processor_time
        while not self._link.wait(timeout):
            before, computed = computed, self.processor_time
            if not while_computing or computed <= before:
                raise GuestError(f"the guest process has not answered for {timeout:g} s")

    @property
    def processor_time(self) -> float:
        """Seconds that the guest process has computed."""
        try:
            return time.clock_gettime(~self.pid << 3 | 2)  # its clock, see clock_getcpuclockid(3)
        except OSError:
            return 0.0  # it is gone

    def devices(self) -> list[Device]:
        """The state of all devices; the CPUs have been stopped."""
        state = self.ask("state")
        return [Device(FIRST_DEVICE_SECTION + i, name, n, 1, data) for i, (name, n, data) in enumerate(state)]

    def wait_for_death(self) -> None:
        """Return when the guest process has ended, for whatever reason."""
        self._process.wait()

    def kill(self) -> None:
        """End the guest process."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the guest process, and release its descriptors and mappings."""
        self.kill()
        self._link.close()
        for s in self.fault_lines:
            s.close()
        for fd in [*self.descriptors, self.memfd, self.table_fd]:
            if fd >= 0:
                os.close(fd)
        self.descriptors, self.memfd, self.table_fd = [], -1, -1


def _fill_standard_descriptors() -> None:
    """Where standard input, output or errors were closed, the next file that is opened would pass for it, and would be
    replaced in the guest process."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


class KernelSourceMemory:
    """The kernel's dirty log."""

    def __init__(self, guest: GuestProcess) -> None:
        self._geometry = guest.geometry
        self._log = uffd.DirtyLog(guest.pid, guest.address, guest.options.size)

    def take_dirty(self) -> list[range]:
        """Pages written since the last time; a system page is one or several target pages."""
        size = self._geometry.target_page
        return [range(offset // size, (offset + length) // size) for offset, length in self._log.take()]


class TableSourceMemory:
    """The dirty log of the page table in software."""

    def __init__(self, guest: GuestProcess) -> None:
        assert guest.table is not None
        self._table, self._pages = guest.table, guest.geometry.pages

    def take_dirty(self) -> list[range]:
        """Pages written since the last time. A mark is taken away before its page is read: no write is missed."""
        found: list[range] = []
        begin = self._pages
        while (begin := self._table.find(b"\1", begin)) >= 0:
            end = self._table.find(b"\0", begin)
            end = 2 * self._pages if end < 0 else end
            self._table[begin:end] = bytes(end - begin)
            found.append(range(begin - self._pages, end - self._pages))
            begin = end
        return found


def source_memory(guest: GuestProcess) -> SourceMemory:
    """The memory of a guest that is to be sent."""
    return KernelSourceMemory(guest) if guest.options.memory == "userfaultfd" else TableSourceMemory(guest)


class MappedGuest(Protocol):
    """What is needed of a guest to place pages through the kernel; `GuestProcess` has it.

    Attributes:
        memfd: the descriptor of its memory.
        address: where that is in its process.
        pid: the number of that.
        descriptors: the first one is its userfaultfd.
    """

    geometry: Geometry
    memfd: int
    address: int
    pid: int
    descriptors: list[int]


class DestinationMemory:
    """Memory into which pages are loaded and placed: the part that both kinds share.

    Args:
        staging: room for `MOST_PLACED` target pages; on the wire there are gaps between pages, and the kernel wants
        none.
    """

    def __init__(self, guest: MappedGuest, staging: mmap.mmap | bytearray) -> None:
        self.geometry, self._memfd = guest.geometry, guest.memfd
        self._staging = np.frombuffer(staging, np.uint8).reshape(MOST_PLACED, self.geometry.target_page)
        self._staging_lock = threading.Lock()  # urgent pages are placed by a thread of their own
        self._ended, self._end = socket.socketpair()

    def load(self, pages: range, data: Contents | None) -> None:
        """Write target pages of precopy."""
        with self._dense(pages, data) as rows:
            self._write(pages, rows)

    @contextmanager
    def _dense(self, pages: range, data: Contents | None) -> Iterator[Rows]:
        """Contents without gaps: where they are, or in the staging area, if they have gaps."""
        rows = None if data is None else np.asarray(memoryview(data)).reshape(len(pages), -1)
        if rows is not None and rows.flags.c_contiguous:
            yield rows
            return
        with self._staging_lock:
            staged = self._staging[: len(pages)]
            staged[:] = 0 if rows is None else rows
            yield staged

    def _write(self, pages: range, rows: Rows) -> None:
        """Writes to the file, which takes half the time of writing to a mapping of it."""
        os.pwrite(self._memfd, rows.data, pages.start * self.geometry.target_page)

    def drop(self, pages: range) -> None:
        """Throw pages away."""
        size = self.geometry.target_page
        uffd.punch_hole(self._memfd, pages.start * size, len(pages) * size)

    def stop_faults(self) -> None:
        """Let a thread that waits for faults return."""
        self._end.send(b"x")

    def close(self) -> None:
        """Let every thread return that waits for a page or a fault."""
        self._ended.close()
        self._end.close()

    def _wait(self, readable: Sequence[int], timeout: float) -> list[int]:
        poll = select.poll()
        for fd in [*readable, self._ended.fileno()]:
            poll.register(fd, select.POLLIN)
        found = [fd for fd, _ in poll.poll(timeout * 1000)]
        if self._ended.fileno() in found:
            self._ended.recv(64)
        return found


class KernelDestinationMemory(DestinationMemory):
    """Memory under userfaultfd."""

    def __init__(self, guest: MappedGuest) -> None:
        self._fd, self._address = guest.descriptors[0], guest.address
        self._placer = uffd.Placer(self._fd, MOST_PLACED * guest.geometry.target_page)
        super().__init__(guest, self._placer.staging)
        self._size = self.geometry.pages * self.geometry.target_page
        self._touchers: dict[int, str] = {guest.pid: "device load"}

    def sensitise(self) -> None:
        """Touching a missing page is a fault from here on."""
        uffd.register(self._fd, self._address, self._size, uffd.MODE_MISSING)

    def release(self) -> None:
        """Touching a missing page is no fault any more."""
        uffd.unregister(self._fd, self._address, self._size)

    def place(self, pages: range, data: Contents | None) -> None:
        """Place whole host pages."""
        size = self.geometry.target_page
        address, length = self._address + pages.start * size, len(pages) * size
        if data is None:
            self._placer.place_zeros(address, length)
        else:
            if len(pages) == 1:  # an urgent one: an array for it takes longer than the copy
                with self._staging_lock:
                    self._placer.staging[:length] = data
                    self._placer.place(address, length)
                return
            with self._dense(pages, data) as rows:
                self._placer.place(address, length, address_of(rows))

    def faults(self, timeout: float) -> list[Fault]:
        """Faults, as soon as there are some, after `stop_faults`, or after the timeout, in seconds."""
        if self._fd not in self._wait([self._fd], timeout):
            return []
        found = []
        for address, thread in uffd.read_faults(self._fd):
            who = self._touchers.setdefault(thread, f"vCPU {len(self._touchers) - 1}")
            found.append(((address - self._address) // self.geometry.target_page, who))
        return found


class TableDestinationMemory(DestinationMemory):
    """Memory behind the page table in software."""

    def __init__(self, guest: GuestProcess) -> None:
        super().__init__(guest, bytearray(MOST_PLACED * guest.geometry.target_page))
        self.guest = guest
        assert guest.table is not None
        self._table = guest.table
        self._lock = threading.Lock()
        self._waiting: dict[int, list[socket.socket]] = {}

    def load(self, pages: range, data: Contents | None) -> None:
        """Write target pages of precopy."""
        super().load(pages, data)
        self._table[pages.start : pages.stop] = b"\1" * len(pages)

    def drop(self, pages: range) -> None:
        """Throw pages away."""
        self._table[pages.start : pages.stop] = bytes(len(pages))
        super().drop(pages)

    def sensitise(self) -> None:
        """Nothing to do: the page table in software makes faults from the start."""

    def release(self) -> None:
        """Mark every page as present, and answer every toucher that waits or is about to, because it looked before
        that."""
        for line in self.guest.fault_lines:
            _answer(line)

    def place(self, pages: range, data: Contents | None) -> None:
        """Place whole host pages: first their contents, then the marks, then wake the touchers that wait."""
        found = self._table.find(b"\1", pages.start, pages.stop)
        if found >= 0:
            raise GuestError(f"page {found} is there already (R13)")
        if data is not None:
            with self._dense(pages, data) as rows:
                self._write(pages, rows)
        with self._lock:
            self._table[pages.start : pages.stop] = b"\1" * len(pages)
            woken = [line for page in self._waited_for(pages) for line in self._waiting.pop(page)]
        for line in woken:
            _answer(line)

    def _waited_for(self, pages: range) -> list[int]:
        return [page for page in self._waiting if page in pages]

    def faults(self, timeout: float) -> list[Fault]:
        """Faults, as soon as there are some, after `stop_faults`, or after the timeout, in seconds."""
        lines = {line.fileno(): (i, line) for i, line in enumerate(self.guest.fault_lines)}
        found: list[Fault] = []
        for fd in self._wait(list(lines), timeout):
            if fd not in lines:
                continue  # `stop_faults`; what has been read from other lines is read only once
            index, line = lines[fd]
            try:
                data = line.recv(8)
            except OSError:
                data = b""
            if not data:
                raise GuestError("the guest process is gone")
            page = int.from_bytes(data, "little")
            with self._lock:
                present = self._table[page]
                if not present:
                    self._waiting.setdefault(page, []).append(line)
            if present:
                _answer(line)
            found.append((page, f"vCPU {index}" if index < self.guest.options.vcpus else "device load"))
        return found


def _answer(line: socket.socket) -> None:
    """Wake the toucher that asked on this line."""
    try:
        line.send(b"x")
    except OSError:
        raise GuestError("the guest process is gone") from None


AnyDestinationMemory = KernelDestinationMemory | TableDestinationMemory


def destination_memory(guest: GuestProcess) -> AnyDestinationMemory:
    """The memory of a guest that is to be received."""
    return KernelDestinationMemory(guest) if guest.options.memory == "userfaultfd" else TableDestinationMemory(guest)
