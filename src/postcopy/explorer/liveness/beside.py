"""The loops that liveness needs, compiled by a process of its own while this one searches.

Numba takes longer for them than for the search's loop, and does one thing at a time in a process. What the other
process has compiled is in the cache when this one needs it. Where there is no other process, or it fails, this one
compiles them itself: nothing depends on it but time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

LEAST_MEMORY = 1 << 30
"""Where less may be taken there is no other process: it takes 250 MiB, beside what is counted."""


class Beside:
    """Processes that compile the loops for states of so many words, each number once.

    Args:
        max_memory: bytes that may be taken.
    """

    def __init__(self, max_memory: int) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._is_of_use = max_memory >= LEAST_MEMORY and _cores() > 1

    def begin(self, words: int) -> None:
        """Let a process compile the loops, unless they are in the cache."""
        if not self._is_of_use or words in self._processes:
            return
        from postcopy.explorer.liveness import recomputed  # Numba takes long to import

        if recomputed.is_compiled(words):
            return
        with suppress(OSError):
            self._processes[words] = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(words)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def wait(self, words: int) -> None:
        """Wait until they are there, if they will be, and end all that nobody waits for."""
        if words in self._processes:
            self._processes.pop(words).wait()
        self.end()

    def end(self) -> None:
        """End what has not come to its end."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes.clear()

    def __del__(self) -> None:
        self.end()


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    from postcopy.explorer.liveness.recomputed import compile_all

    compile_all(int(sys.argv[1]))
