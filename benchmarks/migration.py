"""The engine against the bare means it stands on, in one run: page throughput, and fault latency.

Usage: ``python benchmarks/migration.py [--size 256M] [--rounds 3] [--throughput | --latency]``; 1 GiB: ``--size 1G``
with ``--rounds 1``.

Each round measures all of this, one after the other; what is printed are medians.

- Throughput: an idle guest, all pages written, switched at once, so that every page is sent once; against as many bytes
  copied through a bare loopback socket between two processes, and the same with a userfaultfd that they are placed by.
- Latency: from the fault's being read to the page's being placed, with a guest that only reads, while all other pages
  come on the same connection, and once more with a connection for urgent pages; against a bare handler that reads a
  fault, asks another process for 4 KiB over TCP, and places them: alone, and beside a copy as above. How much of a core
  the guest takes meanwhile is said, too.
- Both with userfaultfd, where it is permitted, and with the page table in software.

Before each measurement as much memory is written as it needs. In a virtual machine the first write to a page takes
several times as long as placing, if the machine's host has not provided it yet or has taken it back
(``benchmarks/first_writes.py``).
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import select
import socket
import statistics
import struct
import time
from collections import defaultdict
from collections.abc import Callable

from postcopy.engine import uffd
from postcopy.engine.destination_host import DestinationReport
from postcopy.engine.errors import GuestError
from postcopy.engine.memory import GuestOptions
from postcopy.engine.run_here import run_here
from postcopy.engine.source_host import SourceOptions, SourceReport

CHUNK = 1 << 18
FAULTS = 2000
URGENT = " with a connection of their own"
SOURCE, DESTINATION = ", the source's processor", ", the destination's processor"
BESIDE = "bare fault beside a copy"
PAGE = mmap.PAGESIZE


def in_child(body: Callable[[], None]) -> int:
    """Run something in a process of its own."""
    pid = os.fork()
    if pid == 0:
        body()
        os._exit(0)
    return pid


def touch_memory(size: int) -> None:
    """Have the machine's host give it so much memory, page by page, as the measurements take it."""

    def write() -> None:
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(memory)), 1, size)

    os.waitpid(in_child(write), 0)


def socket_copy(size: int, *, placing: bool) -> tuple[float, float, float]:
    """Copy so many bytes through a loopback connection, and perhaps into memory under userfaultfd.

    Returns:
        Seconds that it took, and that the sender and the receiver have computed.
    """
    server = socket.create_server(("127.0.0.1", 0))

    def receive() -> None:
        connection, _ = server.accept()
        left, begin = size, time.thread_time()
        if not placing:
            buffer = bytearray(CHUNK)
            while left:
                left -= connection.recv_into(buffer)
        else:
            memory = _memory(size)
            address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            fd = uffd.create(uffd.MISSING_SHMEM | uffd.THREAD_ID)
            uffd.register(fd, address, size, uffd.MODE_MISSING)
            placer = uffd.Placer(fd, CHUNK)
            while left:
                connection.recv_into(placer.staging, CHUNK, socket.MSG_WAITALL)
                placer.place(address + size - left, CHUNK)
                left -= CHUNK
        connection.sendall(struct.pack("d", time.thread_time() - begin))

    child = in_child(receive)
    sender = socket.create_connection(server.getsockname())
    data = bytes(CHUNK)
    begin, computed = time.perf_counter(), time.thread_time()
    for _ in range(size // CHUNK):
        sender.sendall(data)
    computed = time.thread_time() - computed
    there: float = struct.unpack("d", sender.recv(8))[0]
    seconds = time.perf_counter() - begin
    os.waitpid(child, 0)
    sender.close()
    server.close()
    return seconds, computed, there


def _memory(size: int) -> mmap.mmap:
    memfd = os.memfd_create("bench")
    os.ftruncate(memfd, size)
    return mmap.mmap(memfd, size)


def bare_faults() -> list[float]:
    """Milliseconds that a bare fault handler takes for each page, which it fetches over TCP."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(16):
            connection.sendall(bytes(PAGE))

    source = in_child(serve)
    memfd = os.memfd_create("bench")
    os.ftruncate(memfd, FAULTS * PAGE)
    ours, theirs = socket.socketpair()

    def touch() -> None:
        memory = mmap.mmap(memfd, FAULTS * PAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        fd = uffd.create(uffd.MISSING_SHMEM | uffd.THREAD_ID)
        uffd.register(fd, address, FAULTS * PAGE, uffd.MODE_MISSING)
        socket.send_fds(theirs, [address.to_bytes(8, "little")], [fd])
        for page in range(FAULTS):
            ctypes.string_at(address + page * PAGE, 8)

    guest = in_child(touch)
    _, (fd,), _, _ = socket.recv_fds(ours, 8, 1)
    connection = socket.create_connection(server.getsockname())
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    placer = uffd.Placer(fd, PAGE)
    os.set_blocking(fd, False)
    taken: list[float] = []
    while len(taken) < FAULTS:
        for fault, _ in uffd.read_faults(fd):
            begin = time.perf_counter()
            connection.sendall(bytes(16))
            data = bytearray()
            while len(data) < PAGE:
                data += connection.recv(PAGE - len(data))
            placer.staging[:PAGE] = data
            placer.place(fault & ~(PAGE - 1), PAGE)
            taken.append(time.perf_counter() - begin)
    connection.close()
    os.waitpid(guest, 0)
    os.waitpid(source, 0)
    os.close(fd)
    return [1000 * seconds for seconds in taken]


def bare_faults_beside(size: int) -> list[float]:
    """The same, while as many bytes as in a migration are copied and placed, again and again, by other processes."""

    over, end = os.pipe()  # the other end closes with this process, too

    def copy() -> None:
        os.close(end)
        while not select.select([over], [], [], 0)[0]:
            socket_copy(size, placing=True)

    copying = in_child(copy)
    os.close(over)
    time.sleep(0.1)
    try:
        return bare_faults()
    finally:
        os.close(end)
        os.waitpid(copying, 0)


def permitted() -> bool:
    """Whether this machine permits userfaultfd."""
    try:
        os.close(uffd.create(uffd.MISSING_SHMEM | uffd.THREAD_ID))
        os.close(uffd.create(uffd.WP_SHMEM | uffd.WP_UNPOPULATED | uffd.WP_ASYNC))
    except GuestError as error:
        print(f"{error}: only the page table in software is measured")
        return False
    return True


def migration(
    size: int, workload: str, memory: str, *, preempt: bool = False
) -> tuple[SourceReport, DestinationReport]:
    """A migration in which every page is sent once, in postcopy."""
    guest = GuestOptions(size=size, workload=workload, filled=1.0, rate=2000, memory=memory)
    run = run_here(guest, SourceOptions(switch="at-once", preempt=preempt), log_to=None, keep_log=False, settle=0.0)
    assert run.source.report.outcome == "completed"
    assert run.destination
    assert run.destination.guest
    assert not run.destination.guest.damage
    return run.source.report, run.destination.report


def keep(found: dict[str, list[float]], what: str, seconds: tuple[float, float, float]) -> None:
    """Seconds of a round: that it took, and that each side has computed."""
    for name, value in zip((what, what + SOURCE, what + DESTINATION), seconds, strict=True):
        found[name].append(value)


def beside_placing(found: dict[str, list[float]], what: str) -> str:
    """How many times as long as the bare socket that also places, the median over rounds."""
    if what == "bare socket" or "bare socket and placing" not in found:
        return ""
    ratios = [ours / bare for ours, bare in zip(found[what], found["bare socket and placing"], strict=True)]
    return f", {statistics.median(ratios):.2f} times as long as the one that places"


def measure_latency(size: int, kinds: tuple[str, ...], found: dict[str, list[float]]) -> None:
    """Milliseconds from a fault to its page, in one round."""

    def note(what: str, milliseconds: list[float]) -> None:
        found[what].append(statistics.median(milliseconds))
        found[f"{what}, 99 %"].append(sorted(milliseconds)[99 * len(milliseconds) // 100])

    if "userfaultfd" in kinds:
        note("bare fault", bare_faults())
        note(BESIDE, bare_faults_beside(size))
    for kind in kinds:
        for preempt, name in ((False, ""), (True, URGENT)):
            touch_memory(3 * size)
            _, destination = migration(size, "readonly", kind, preempt=preempt)
            note(f"{kind} fault{name}", [1000 * seconds for seconds in destination.latencies])
            found[f"{kind} guest{name}"].append(
                100 * destination.guest_processor / (destination.ended - destination.guest_started)
            )


def print_latency(kinds: tuple[str, ...], median: dict[str, float]) -> None:
    """What `measure_latency` has found."""
    print("fault latency, median and 99th percentile, with all other pages in the background:")
    faults = [f"{kind} fault{name}" for kind in kinds for name in ("", URGENT)]
    for what in ("bare fault", BESIDE, *faults):
        for part in (what, f"{what}, 99 %"):
            if part in median:
                bare = median.get("bare fault")
                print(f"  {part}: {median[part]:.3f} ms" + (f", {median[part] / bare:.1f} times bare" if bare else ""))
    for kind in kinds:
        for name in ("", URGENT):
            print(f"  {kind}{name}: the guest takes {median[f'{kind} guest{name}']:.0f} % of a core meanwhile")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="256M")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--throughput", action="store_true", help="leave the latencies out")
    parser.add_argument("--latency", action="store_true", help="leave the rest out")
    arguments = parser.parse_args()
    size = int(arguments.size[:-1]) << {"M": 20, "G": 30}[arguments.size[-1]]
    kinds = ("userfaultfd", "software") if permitted() else ("software",)
    found: dict[str, list[float]] = defaultdict(list)
    print(f"load {os.getloadavg()[0]:.1f}")
    for _ in range(arguments.rounds):
        if arguments.latency:
            measure_latency(size, kinds, found)
            continue
        keep(found, "bare socket", socket_copy(size, placing=False))
        if "userfaultfd" in kinds:
            touch_memory(3 * size)
            keep(found, "bare socket and placing", socket_copy(size, placing=True))
        for kind in kinds:
            touch_memory(3 * size)  # of both guests, and the buffers
            source, destination = migration(size, "idle", kind)
            keep(found, kind, (source.ended - source.started, source.processor, destination.processor))
        if not arguments.throughput:
            measure_latency(size, kinds, found)
    median = {what: statistics.median(values) for what, values in found.items()}
    if arguments.latency:
        print_latency(kinds, median)
        return
    print(f"{size >> 20} MiB, each page once, medians of {arguments.rounds}:")
    for what in ("bare socket", "bare socket and placing", *kinds):
        if what in median:
            print(
                f"  {what}: {median[what]:.2f} s, {(size >> 20) / median[what]:,.0f} MiB/s, "
                f"{median[what] / median['bare socket']:.1f} times as long as the bare socket"
                f"{beside_placing(found, what)}"
            )
    for what in ("bare socket", "bare socket and placing", *kinds):
        if what in median:
            here, there = (1e6 * median[what + side] / (size // PAGE) for side in (SOURCE, DESTINATION))
            print(f"  {what}: the source computes {here:.1f} us a page, the destination {there:.1f} us")
    if arguments.throughput:
        return
    print_latency(kinds, median)


if __name__ == "__main__":
    main()
