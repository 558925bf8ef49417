"""A limit for commands whose memory is not bounded by what they store: they end when it is passed, in one line.

A thread looks at what this process and those that it has started take. When that is more than is allowed, the main
thread gets a `MemoryLimitError`; in a call that handles no signal, such as one of z3, the process ends itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from postcopy.api.progress import Show
from postcopy.errors import MemoryLimitError
from postcopy.surface import COMMAND_LINE, setting

PROGRAM = 256 << 20
"""What the program takes itself and is not counted: Python, its libraries, and the compiler. Measured: 214 MiB."""

INCONCLUSIVE = 75
"""The exit code of a process that has to end itself."""

_PATIENCE = 1.5
"""Seconds that the main thread has to handle the signal."""

_ALONE, _WITH_OTHERS = 0.02, 0.25
"""Seconds between two looks; longer where there are other processes, which take longer to look at."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROCESSES = Path("/proc")


def taken() -> int:
    """Bytes that this process and those that it has started take; shared memory counts once. 0 where Linux's /proc is
    not there."""
    try:
        processes = [os.getpid(), *_descendants(os.getpid())]
        if len(processes) == 1:
            return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        return sum(_share(process) for process in processes)
    except OSError:
        return 0


def _descendants(process: int) -> Iterator[int]:
    for children in (_PROCESSES / str(process) / "task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                yield child
                yield from _descendants(child)


def _share(process: int) -> int:
    """What a process takes, with its share of what several have."""
    with suppress(OSError):  # it has ended
        for line in (_PROCESSES / str(process) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


class MemoryWatch:
    """How far a command has come, and what it may take.

    Args:
        max_bytes: what it may take beside `PROGRAM`.
        advice: what to do where it takes more.
    """

    def __init__(self, max_bytes: int, advice: str) -> None:
        self.max_bytes, self.advice = max_bytes, advice
        self._at = ""

    def noting(self, show: Show) -> Show:
        """Show the same lines, and remember the last one."""

        def shown(line: str) -> None:
            self._at = line
            show(line)

        return shown

    def is_passed(self) -> bool:
        """Whether more is taken than is allowed."""
        return taken() > self.max_bytes + PROGRAM

    def message(self) -> str:
        """What was reached, and what to do, in one line."""
        at = f", at “{self._at}”" if self._at else ""
        return (
            f"inconclusive: {self.max_bytes >> 20:,} MiB ({setting('max_memory')}) beside the program's own "
            f"{PROGRAM >> 20} do not suffice{at}: {self.advice}"
        )


def _end(message: str) -> NoReturn:
    """End this process, in the midst of whatever it does."""
    as_it_was = "\r\x1b[2K\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{as_it_was}postcopy: {COMMAND_LINE.spell(message)}\n".encode())
    os._exit(INCONCLUSIVE)


@contextmanager
def kept_to(watch: MemoryWatch, look: Callable[[], bool] | None = None) -> Iterator[None]:
    """End what is done within as soon as it takes more memory than is allowed.

    Only the main thread can be ended; in another one nothing is watched.

    Args:
        watch: what is allowed.
        look: whether it is passed; None for `MemoryWatch.is_passed`.

    Raises:
        MemoryLimitError: more was taken.
    """
    main = threading.current_thread()
    if main is not threading.main_thread():
        yield
        return
    over, passed = threading.Event(), look or watch.is_passed

    def ended(*_: object) -> None:
        raise MemoryLimitError(watch.message())

    def look_on() -> None:
        while not over.wait(_WITH_OTHERS if any(_descendants(os.getpid())) else _ALONE):
            if passed() and not over.is_set():  # what is done counts, whatever it has taken
                signal.pthread_kill(main.ident or 0, signal.SIGUSR2)
                if not over.wait(_PATIENCE):
                    _end(watch.message())
                return

    before = signal.signal(signal.SIGUSR2, ended)
    thread = threading.Thread(target=look_on, daemon=True)
    thread.start()
    try:
        yield
    except MemoryError:
        raise MemoryLimitError(watch.message()) from None
    finally:
        over.set()
        try:
            thread.join()
            time.sleep(0)  # a signal that has come by now is handled here
        finally:
            signal.signal(signal.SIGUSR2, before)
