"""Processes that compile what a large search needs, while this one reads, compiles the rest and searches.

Numba and LLVM do one thing at a time in a process. One other process compiles the search's loop and then the loops of
liveness; a second one the kernel's long functions, from the last one on, while this process begins with the first. What
they have compiled is in the cache when this process needs it. Where there is no other process, or it fails, this one
compiles it itself: nothing depends on it but time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress

LEAST_MEMORY = 1 << 30
"""Where less may be taken there is no other process: it takes 250 MiB, beside what is counted."""

_LATER = 5
"""How much less urgent than all else the loops of liveness are, as `os.nice` counts."""


class Beside:
    """Processes that compile the loops for states of so many words, each number once, and kernels.

    Args:
        max_memory: bytes that may be taken.

    Attributes:
        is_of_use: whether there are two cores, and memory for other processes.
    """

    def __init__(self, max_memory: int) -> None:
        self._loops: dict[int, subprocess.Popen[bytes]] = {}
        self._kernels: list[subprocess.Popen[bytes]] = []
        self._searches: set[int] = set()
        self._shared: set[str] = set()
        self.is_of_use = max_memory >= LEAST_MEMORY and cores() > 1

    def begin(self, words: int, *, search: bool = True, liveness: bool = True) -> None:
        """Let a process compile loops, unless they are in the cache.

        Args:
            words: of a state.
            search: whether the search's loop is needed.
            liveness: whether the loops of liveness are.
        """
        if not self.is_of_use or words in self._loops:
            return
        from postcopy.explorer.liveness import recomputed  # Numba takes long to import
        from postcopy.explorer.search import loops

        missing = [
            name
            for name, asked, module in (("search", search, loops), ("liveness", liveness, recomputed))
            if asked and not module.is_compiled(words)
        ]
        if missing:
            with suppress(OSError):
                self._loops[words] = _process(str(words), *missing)
                self._searches |= {words} if "search" in missing else set()

    def share(self, text: str) -> None:
        """Let a process compile a kernel's long functions too, from the last one on; each kernel once."""
        if self.is_of_use and text not in self._shared:
            self._shared.add(text)
            with suppress(OSError), tempfile.TemporaryFile() as file:
                file.write(text.encode())
                file.seek(0)
                self._kernels.append(_process("kernel", stdin=file.fileno()))

    def wait_for_search(self, words: int) -> None:
        """Wait until the search's loop is there, if it will be."""
        if words in self._searches:
            self._searches.remove(words)
            pipe = self._loops[words].stdout
            if pipe is not None:
                pipe.readline()  # it says so, or has ended

    def wait(self, words: int) -> None:
        """Wait until all loops are there, if they will be, and end all that nobody waits for."""
        if words in self._loops:
            process = self._loops.pop(words)
            process.wait()
            _close(process)
        self.end()

    def end(self) -> None:
        """End what has not come to its end."""
        for process in (*self._loops.values(), *self._kernels):
            process.kill()
            process.wait()
            _close(process)
        self._loops.clear()
        self._searches.clear()
        self._kernels.clear()

    def __del__(self) -> None:
        self.end()


def _process(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None:
        process.stdout.close()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _main(arguments: list[str]) -> None:
    """What such a process does: ``kernel``, or a number of words and which loops."""
    if arguments == ["kernel"]:
        from postcopy.explorer.kernel.machine_code import compile_parts

        compile_parts(sys.stdin.read())
        return
    from postcopy.explorer.liveness import recomputed
    from postcopy.explorer.search import loops

    words = int(arguments[0])
    if "search" in arguments:
        loops.compile_all(words)
        print("search", flush=True)
    if "liveness" in arguments:
        os.nice(_LATER)
        recomputed.compile_all(words)


if __name__ == "__main__":
    _main(sys.argv[1:])
