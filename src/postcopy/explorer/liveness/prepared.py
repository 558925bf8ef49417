"""Loops compiled before anything is searched, once in a machine's life: a first check then compiles its own kernel
alone.

What is compiled together is one object of the cache or two, and is compiled by a process of its own, as many at a time
as there are cores. Each function is kept as soon as it is compiled. So whatever ends this half-way, what is in the
cache is whole, and the next time the rest is compiled.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from postcopy.cache import user_cache
from postcopy.errors import UsageError
from postcopy.explorer.liveness.beside import cores

if TYPE_CHECKING:
    from postcopy.explorer.kernel.numba_archive import LazyFunction

AT_ONCE = 4
"""How many processes there are at most: each takes 250 MiB."""

_SOON = 0.05
"""Seconds between two looks at them."""


class Loop(StrEnum):
    """What is compiled together; first what takes longest."""

    SMALL_TABLE = "small table"
    LIVENESS = "liveness"
    SEARCH = "search"


@dataclass(frozen=True)
class Loops:
    """Functions that are compiled together.

    Attributes:
        loop: which.
        words: for states of so many words; 0 where they are for any.
    """

    loop: Loop
    words: int = 0

    def __str__(self) -> str:
        return f"{self.loop} for {self.words} word{'s'[: self.words != 1]}" if self.words else str(self.loop)

    def _functions(self) -> list[LazyFunction]:
        from postcopy.explorer.liveness import recomputed  # Numba takes long to import
        from postcopy.explorer.search import loops

        if self.loop is Loop.SMALL_TABLE:
            return loops.functions_of(loops.load_small())
        module = loops.load(self.words) if self.loop is Loop.SEARCH else recomputed.load(self.words)
        return loops.functions_of(module)

    @property
    def bytes(self) -> int:
        """What they take in the cache."""
        return sum(size for _, size in {each.kept_in for each in self._functions()})

    def are_there(self) -> bool:
        """Whether all of them are in the cache."""
        return all(each.is_kept for each in self._functions())

    def compile(self) -> None:
        """Compile those that are not in the cache, here, and keep them there."""
        for each in self._functions():
            each.compile()


def prepare(asked: Sequence[Loops], show: Callable[[str], None]) -> set[Loops]:
    """Compile what is not in the cache of some loops, and keep it there.

    Args:
        asked: the loops.
        show: is called with a line that says how far it has come.

    Returns:
        Those that had to be compiled.

    Raises:
        UsageError: the cache cannot be written, or a process could not compile its loops; the others are kept.
    """
    missing = [each for each in sorted(asked, key=lambda each: list(Loop).index(each.loop)) if not each.are_there()]
    if missing:
        cache = user_cache()
        try:
            cache.try_out()
        except OSError as error:
            raise UsageError(f"cannot keep loops in {cache.directory}: {error.strerror} (set POSTCOPY_CACHE)") from None
    waiting, running = list(missing), dict[Loops, "subprocess.Popen[str]"]()
    try:
        while waiting or running:
            while waiting and len(running) < min(cores(), AT_ONCE):
                begun = waiting.pop(0)
                running[begun] = _process(begun)
            done = len(missing) - len(waiting) - len(running)
            show(f"compiling {', '.join(map(str, running))}; {done} of {len(missing)} done")
            time.sleep(_SOON)
            for each in [each for each, process in running.items() if process.poll() is not None]:
                _said(each, running.pop(each))
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    return set(missing)


def _said(loops: Loops, process: subprocess.Popen[str]) -> None:
    """Look at what a process has left that is over."""
    _, error = process.communicate()
    code = process.returncode
    if code or not loops.are_there():
        why = error.strip().rpartition("\n")[2]
        why = why or (f"its process ended with {code}" if code else "it is not in the cache afterwards")
        raise UsageError(f"could not prepare {loops}: {why}")


def _process(loops: Loops) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", __name__, loops.loop.value, str(loops.words)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _main(arguments: list[str]) -> None:
    """What such a process does. What cannot be kept is compiled in vain, and ends it."""
    loop, words = arguments
    with suppress(KeyboardInterrupt), warnings.catch_warnings():  # of an interrupt speaks who has started it
        warnings.filterwarnings("error", "cannot keep objects", RuntimeWarning)
        try:
            Loops(Loop(loop), int(words)).compile()
        except RuntimeWarning as error:
            sys.exit(str(error))


if __name__ == "__main__":
    _main(sys.argv[1:])
