"""The engine against the bare means it stands on, in one run: page throughput, and fault latency.

Usage: ``python benchmarks/migration.py [--size 256M]``

- Throughput: an idle guest, all pages written, switched at once, so that every page is sent once; against as many bytes
  copied through a bare loopback socket between two processes.
- Latency: from the fault's being read to the page's being placed, with a guest that only reads; against a bare handler
  that reads a fault, asks another process for 4 KiB over TCP, and places them.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import socket
import statistics
import time
from collections.abc import Callable

from postcopy.engine import uffd
from postcopy.engine.memory import GuestOptions
from postcopy.engine.run import Run, run_here
from postcopy.engine.source_host import SourceOptions

CHUNK = 1 << 18
FAULTS = 2000
PAGE = mmap.PAGESIZE


def in_child(body: Callable[[], None]) -> int:
    """Run something in a process of its own."""
    pid = os.fork()
    if pid == 0:
        body()
        os._exit(0)
    return pid


def socket_copy(size: int) -> float:
    """Seconds to copy so many bytes through a loopback connection."""
    server = socket.create_server(("127.0.0.1", 0))

    def receive() -> None:
        connection, _ = server.accept()
        buffer, left = bytearray(CHUNK), size
        while left:
            left -= connection.recv_into(buffer)
        connection.sendall(b"x")

    child = in_child(receive)
    sender = socket.create_connection(server.getsockname())
    data = bytes(CHUNK)
    begin = time.perf_counter()
    for _ in range(size // CHUNK):
        sender.sendall(data)
    sender.recv(1)
    seconds = time.perf_counter() - begin
    os.waitpid(child, 0)
    sender.close()
    server.close()
    return seconds


def bare_faults() -> float:
    """Median milliseconds of a bare fault handler that fetches each page over TCP."""
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
    return 1000 * statistics.median(taken)


def migration(size: int, workload: str) -> Run:
    """A migration in which every page is sent once, in postcopy."""
    guest = GuestOptions(size=size, workload=workload, filled=1.0, rate=2000)
    return run_here(guest, SourceOptions(switch="at-once"), log_to=None, keep_log=False, settle=0.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="256M")
    mebibytes = int(parser.parse_args().size.rstrip("M"))
    size = mebibytes << 20
    copied = socket_copy(size)
    run = migration(size, "idle")
    assert run.source.report.outcome == "completed"
    seconds = run.source.report.ended - run.source.report.started
    print(f"{mebibytes} MiB: bare socket {mebibytes / copied:,.0f}, engine {mebibytes / seconds:,.0f} MiB/s")
    print(f"  the engine takes {seconds / copied:.1f} times as long; {size // PAGE / seconds:,.0f} pages/s")
    bare = bare_faults()
    run = migration(size, "readonly")
    assert run.destination
    assert run.destination.guest
    assert not run.destination.guest.damage
    latencies = run.destination.report.latencies
    engine = 1000 * statistics.median(latencies)
    print(
        f"fault latency: bare {bare:.3f} ms (median of {FAULTS}), engine {engine:.3f} ms (median of {len(latencies)})"
    )
    print(f"  the engine takes {engine / bare:.1f} times as long, with the background pages on the same connection")


if __name__ == "__main__":
    main()
