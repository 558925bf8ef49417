"""The monitor beside a bare pass-through, in one run: throughput, and processor time for a page.

Usage: ``python benchmarks/monitor.py [--size 1G] [--rounds 9] [--order neighbours]``. Orders: ``neighbours``, as QEMU
sends pages in the background; ``random``, each page far from the one before it, as where all pages are requested.

A process sends a migration's stream through a proxy to another process, which reads it and throws it away; the proxy is
in this process. Each round measures, one right after the other, over TCP on loopback and over unix sockets, the proxy
with nothing that looks at the bytes, and the same proxy with the judge. Of these pairs the ratio is taken, so that what
else the machine does in the meantime hurts both alike. Printed are medians, and the least and the greatest ratio.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import statistics
import struct
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from postcopy.api.monitoring import DEFAULT
from postcopy.catalogue.loading import by_name
from postcopy.monitor.addresses import Address
from postcopy.monitor.compiled import compile_monitor
from postcopy.monitor.decoding import Direction, Migrations
from postcopy.monitor.judge import Judge
from postcopy.monitor.proxy import Proxy, Receiver, Unread

PAGE = 4096
MIB = 1 << 20
RUN = 1024
"""So many pages stand in a part of a section: QEMU ends it after 50 ms, or at its limit of bandwidth."""
ORDERS = ("neighbours", "random")


def opening(pages: int) -> bytes:
    """The begin of a stream, up to the sizes of memory."""
    name = b"\x06pc.ram"
    commands = b"".join(
        struct.pack(">BHH", 8, code, len(body)) + body
        for code, body in ((1, b""), (2, struct.pack(">I", 1)), (3, struct.pack(">QQ", PAGE, PAGE)))
    )
    section = b"\x01" + struct.pack(">I", 2) + b"\x03ram" + struct.pack(">II", 0, 4)
    sizes = struct.pack(">Q", pages * PAGE | 4) + name + struct.pack(">Q", pages * PAGE)
    return struct.pack(">II", 0x5145564D, 3) + commands + section + sizes + struct.pack(">Q", 0x10) + b"\x7e\0\0\0\x02"


def parts(pages: int, order: str) -> Iterator[bytes]:
    """The pages, once each, in parts of a section."""
    numbers = list(range(pages))
    if order == "random":
        random.Random(1).shuffle(numbers)
    contents = os.urandom(PAGE)
    for begin in range(0, pages, RUN):
        part = [b"\x02\0\0\0\x02"]
        for index, number in enumerate(numbers[begin : begin + RUN]):
            head = struct.pack(">Q", number * PAGE | 8 | (0x20 if begin or index else 0))
            part.append(head + (b"" if begin or index else b"\x06pc.ram") + contents)
        yield b"".join([*part, struct.pack(">Q", 0x10), b"\x7e\0\0\0\x02"])


def in_child(body: Callable[[], None]) -> int:
    """Run something in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            body()
        finally:
            os._exit(0)
    return pid


def measure(
    stream: list[bytes], here: Address, there: Address, receivers: Callable[[int], tuple[Receiver, Receiver]]
) -> tuple[float, float]:
    """Seconds, and seconds of this process's processor time, that it takes to pass a stream on."""
    listener = there.listen()
    there = there.listening_at(listener)
    proxy = Proxy(here, there, receivers)

    def read() -> None:
        connection, _ = listener.accept()
        room = bytearray(MIB)
        while connection.recv_into(room):
            pass

    def write() -> None:
        made = proxy.address.connect()
        made.settimeout(None)
        for part in stream:
            made.sendall(part)
        made.shutdown(socket.SHUT_WR)
        made.recv(1)

    children = [in_child(read), in_child(write)]
    begin, cpu = time.monotonic(), time.process_time()
    proxy.serve(lambda: proxy.connections > 0 and not proxy.open)
    found = time.monotonic() - begin, time.process_time() - cpu
    for child in children:
        os.waitpid(child, 0)
    proxy.close()
    listener.close()
    there.forget()
    return found


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--size", default="1G", help="bytes of guest memory, with M or G")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--order", choices=ORDERS, default=ORDERS[0])
    asked = options.parse_args()
    size = int(asked.size[:-1]) * {"M": MIB, "G": 1 << 30}[asked.size[-1]]
    pages = size // PAGE
    stream = [opening(pages), *parts(pages, asked.order)]
    compiled = compile_monitor("what QEMU does", [by_name(name) for name in DEFAULT])
    print(f"{asked.size} of pages, {asked.order}; {compiled.page.states} states, a byte a page")
    times: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(asked.rounds):
        for sockets in ("tcp", "unix"):
            for what in ("bare", "judged"):
                judge = Judge(compiled)
                migrations = Migrations(lambda judge=judge: judge)  # type: ignore[misc]

                def judged(number: int, migrations: Migrations = migrations) -> tuple[Receiver, Receiver]:
                    return Direction(number, "source", migrations), Direction(number, "destination", migrations)

                def bare(_: int) -> tuple[Receiver, Receiver]:
                    return Unread(), Unread()

                with tempfile.TemporaryDirectory() as folder:
                    ends = [
                        Address("127.0.0.1", 0, "") if sockets == "tcp" else Address("", 0, str(Path(folder) / name))
                        for name in ("here", "there")
                    ]
                    times[sockets, what].append(measure(stream, ends[0], ends[1], bare if what == "bare" else judged))
                if what == "judged":
                    verdict = judge.status()
                    assert (verdict.verdict, verdict.by_state["sent"]) == ("conforms", pages), verdict
    for key, found in times.items():
        seconds, cpu = (statistics.median(values) for values in zip(*found, strict=True))
        rate = size / MIB / seconds
        print(f"{key[0]:4} {key[1]:6} {rate:7,.0f} MiB/s, {cpu / pages * 1e6:5.2f} µs of processor time a page")
    for sockets in ("tcp", "unix"):
        pairs = zip(times[sockets, "bare"], times[sockets, "judged"], strict=True)
        ratios = sorted(bare / judged for (bare, _), (judged, _) in pairs)
        median, least, most = statistics.median(ratios), ratios[0], ratios[-1]
        print(f"{sockets}: {median:.0%} of a bare pass-through, from {least:.0%} to {most:.0%} in {len(ratios)} pairs")


if __name__ == "__main__":
    main()
