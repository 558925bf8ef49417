"""What the memory can do: nanoseconds a look-up at a random place costs, and a byte's first touch.

    python benchmarks/probes.py

Each look-up reads one line of a table; its place comes from a hash and is asked of the memory 40 look-ups ahead, as in
explorer/loop.py. No search that looks up states in a table of that size can be faster on this machine. Memory that the
host of a virtual machine has to give it first is touched more slowly than what it has already: run it twice.
"""

from __future__ import annotations

import time

import numpy as np
from numba import njit

from postcopy.explorer.search.intrinsics import prefetch

_U = np.uint64
PROBES, AHEAD, LINE_BITS = 20_000_000, 40, 6


@njit
def _line(number, bits):  # type: ignore[no-untyped-def]
    mixed = _U(number) * _U(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> _U(32)
    return mixed * _U(0xC4CEB9FE1A85EC53) >> _U(64) - bits + _U(LINE_BITS) << _U(LINE_BITS - 3)


@njit
def _probe(table, bits, count):  # type: ignore[no-untyped-def]
    found = 0
    for number in range(count):
        prefetch(table, _line(number + AHEAD, bits))
        found += table[_line(number, bits)]
    return found


def main() -> None:
    """Measure and print."""
    _probe(np.zeros(1 << 13, dtype=np.int64), _U(16), 1)
    for bits in range(18, 31, 2):
        start = time.perf_counter()
        table = np.full((1 << bits) // 8, 1, dtype=np.int64)
        touched = (time.perf_counter() - start) / (1 << bits) * 1e9
        times = []
        for _ in range(3):
            start = time.perf_counter()
            assert _probe(table, _U(bits), PROBES) == PROBES
            times.append((time.perf_counter() - start) / PROBES * 1e9)
        print(f"{1 << bits - 10:9,} KiB  {min(times):5.1f} ns a look-up  {touched:5.2f} ns a byte's first touch")


if __name__ == "__main__":
    main()
