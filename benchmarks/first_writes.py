"""What the first write to a page costs in a virtual machine, by whether its page frame has been written before.

Usage: ``python benchmarks/first_writes.py [--size 2G] [--waits 0,0,20,0]``, as root, which sees page frames.

After each wait, in seconds, a new process writes so much anonymous memory, 64 pages at a time, and looks which page
frames it has got. Those that a process before it has written are told from the others. Where the kernel reports free
memory to the machine's host (the balloon device's free page reporting), it counts what it has reported. What the host
has taken back, or has never provided, it provides at the first write, and the machine stands still meanwhile: that
counts as time in the kernel.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

PAGE = mmap.PAGESIZE
TOGETHER = 64
SLOW = 4.0
"""Microseconds a page."""
FRAMES = 1 << 26
"""More than the machine has."""
REPORTED = Path("/sys/module/page_reporting/parameters/reported_kib")
"""Not every kernel counts it."""


def reported() -> int:
    """MiB that the kernel has reported as free so far."""
    return int(REPORTED.read_text()) >> 10 if REPORTED.exists() else 0


def write(size: int, to: Connection) -> None:
    """Write memory; sends microseconds a page for each 64 of them, and all page frames."""
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    address, pages = ctypes.addressof(ctypes.c_char.from_buffer(memory)), size // PAGE
    times = [time.perf_counter()]
    for page in range(0, pages, TOGETHER):
        ctypes.memset(address + page * PAGE, 1, TOGETHER * PAGE)
        times.append(time.perf_counter())
    fd = os.open("/proc/self/pagemap", os.O_RDONLY)
    entries = b"".join(os.pread(fd, 1 << 16, 8 * (address // PAGE + at)) for at in range(0, pages, 1 << 13))
    to.send((1e6 / TOGETHER * np.diff(times), np.frombuffer(entries, np.uint64)[:pages] & ((1 << 55) - 1)))


def told(times: np.ndarray, what: str) -> str:
    """A part of the memory in words."""
    if not len(times):
        return f"{what}: none"
    size = len(times) * TOGETHER * PAGE >> 20
    return f"{what}: {np.median(times):.1f} us a page, {size} MiB, {np.mean(times > SLOW):.0%} of it over {SLOW:g} us"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="2G")
    parser.add_argument("--waits", default="0,0,20,0", type=lambda text: [float(part) for part in text.split(",")])
    arguments = parser.parse_args()
    size = int(arguments.size[:-1]) << {"M": 20, "G": 30}[arguments.size[-1]]
    written = np.zeros(FRAMES, bool)
    for wait in arguments.waits:
        before = reported()
        time.sleep(wait)
        here, there = multiprocessing.Pipe()
        process = multiprocessing.Process(target=write, args=(size, there))
        process.start()
        times, frames = here.recv()
        process.join()
        if not frames.any():
            raise SystemExit("page frames are for root to see")
        known = written[frames].reshape(-1, TOGETHER).mean(axis=1)
        parts = told(times[known == 1], "written before"), told(times[known < 1], "others")
        print(f"after {wait:g} s, {reported() - before} MiB reported, page frames {'; '.join(parts)}", flush=True)
        written[frames] = True


if __name__ == "__main__":
    main()
