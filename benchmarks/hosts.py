"""Both hosts of the engine without guest processes, against a bare socket that places pages, in turn.

Usage: ``python benchmarks/hosts.py [--size 64M] [--rounds 5]``. An older engine: its ``src`` as ``PYTHONPATH``.

Each round measures the bare socket and the engine, one after the other, and writes as much memory as they need before
each. Both hosts have memory of their own and a userfaultfd on it, and nobody touches it. So a round takes little more
than the migration: also where other work leaves few turns of the processor, several fit into a minute. There seconds
say little, and what each side has computed says more.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import socket
import statistics
import struct
import threading
import time

from migration import PAGE, in_child, socket_copy, touch_memory
from postcopy.engine import uffd
from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.eventlog import EventLog
from postcopy.engine.memory import GuestOptions, KernelDestinationMemory
from postcopy.engine.messages import Device
from postcopy.engine.source import SourceCore
from postcopy.engine.source_host import SourceHost, SourceOptions
from postcopy.engine.transport import Connection

TIMEOUT = 60.0


class NoGuest:
    """Memory, and no guest that would touch it."""

    lost = ""

    def __init__(self, size: int) -> None:
        self.options = GuestOptions(size=size, workload="idle")
        self.geometry, self.pid = self.options.geometry(), os.getpid()
        self.memfd = os.memfd_create("bench")
        os.ftruncate(self.memfd, size)
        self.map = mmap.mmap(self.memfd, size)
        self._memory = mmap.mmap(self.memfd, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.descriptors = [uffd.create(uffd.MISSING_SHMEM | uffd.THREAD_ID)]
        self._dead = threading.Event()

    def fill(self) -> None:
        """Write every page."""
        ctypes.memset(self.address, 7, self.options.size)

    def start(self) -> None:
        """Nothing runs."""

    def stop(self) -> None:
        """Nothing runs."""

    def load(self, device: Device) -> None:
        """There are no devices."""

    def devices(self) -> list[Device]:
        """None."""
        return []

    def take_dirty(self) -> list[range]:
        """Nothing writes."""
        return []

    def kill(self) -> None:
        """Let the threads end that wait for its death."""
        self._dead.set()

    def wait_for_death(self) -> None:
        """As of a guest."""
        self._dead.wait()


def migration(size: int) -> tuple[float, float, float]:
    """Seconds that a migration takes, in which each page is sent once in postcopy, and that each host has computed."""
    server = socket.create_server(("127.0.0.1", 0))
    ours, theirs = socket.socketpair()

    def receive() -> None:
        guest, log = NoGuest(size), EventLog(keep=False)
        theirs.send(bytes(8))
        connection = Connection(server.accept()[0], TIMEOUT)
        core = DestinationCore(guest.geometry, log=log)
        host = DestinationHost(core, guest, KernelDestinationMemory(guest), connection, log, TIMEOUT)
        theirs.send(struct.pack("d", host.run().processor))

    child = in_child(receive)
    guest, log = NoGuest(size), EventLog(keep=False)
    guest.fill()
    ours.recv(8)
    connection = Connection(socket.create_connection(server.getsockname()), TIMEOUT)
    options = SourceOptions(switch="at-once", timeout=TIMEOUT)
    host = SourceHost(SourceCore(guest.geometry, log=log), guest, guest, connection, options, log)
    begin = time.time()
    host.start()
    report = host.wait()
    assert report.outcome == "completed", report.why
    (there,) = struct.unpack("d", ours.recv(8))
    os.waitpid(child, 0)
    guest.kill()
    for descriptor in (*guest.descriptors, guest.memfd):
        os.close(descriptor)
    for end in (server, ours, theirs):
        end.close()
    return report.ended - begin, report.processor, there


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="64M")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    size = int(arguments.size[:-1]) << {"M": 20, "G": 30}[arguments.size[-1]]
    rounds = []
    for _ in range(arguments.rounds):
        touch_memory(2 * size)
        bare = socket_copy(size, placing=True)
        touch_memory(2 * size)
        rounds.append((bare, migration(size)))
    print(f"{size >> 20} MiB, each page once, {len(rounds)} rounds, load {os.getloadavg()[0]:.0f}; us a page, medians:")
    for index, what in enumerate(("bare socket and placing", "engine")):
        took, source, destination = (
            1e6 * statistics.median(both[index][part] for both in rounds) / (size // PAGE) for part in range(3)
        )
        print(f"  {what}: {took:.2f}, the source computes {source:.2f}, the destination {destination:.2f}")
    took = statistics.median(engine[0] / bare[0] for bare, engine in rounds)
    computed = statistics.median(sum(engine[1:]) / sum(bare[1:]) for bare, engine in rounds)
    there = statistics.median(engine[2] / bare[2] for bare, engine in rounds)
    print(
        f"  the engine takes {took:.2f} times as long, computes {computed:.2f} times as long, "
        f"and its destination {there:.2f} times"
    )


if __name__ == "__main__":
    main()
