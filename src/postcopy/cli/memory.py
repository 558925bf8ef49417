"""The memory that the system allows this process (`ulimit -v`): whether it is enough, and what is left for states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from postcopy.api.memory import asked_for_states, left_for_states, limit
from postcopy.api.memory_watch import MemoryWatch, kept_to
from postcopy.api.progress import Show
from postcopy.cli.output import say
from postcopy.errors import UsageError

LEAST = 1 << 30
"""With less, libraries for numbers and for machine code do not load: they end the process, or try again for minutes."""


@contextmanager
def within_memory(text: str, advice: str, show: Show) -> Iterator[Show]:
    """End what is done within where it takes more than ``--max-memory`` says beside what the program takes itself.

    Args:
        text: what the option says.
        advice: what to do then.
        show: shows how far it has come.

    Yields:
        The same as `show`; the last line is part of the message.

    Raises:
        UsageError: the text is no amount.
        MemoryLimitError: more was taken.
    """
    watch = MemoryWatch(asked_for_states(text), advice)
    with kept_to(watch):
        yield watch.noting(show)


def require_memory() -> None:
    """Refuse to begin where a search could not.

    Raises:
        UsageError: the limit is too low.
    """
    most = limit()
    if most is not None and most < LEAST:
        raise UsageError(
            f"this process may have {most >> 20:,} MiB of memory (ulimit -v), and needs {LEAST >> 20:,} at least"
        )


def memory_for_states(text: str) -> int:
    """Bytes that states may take: what ``--max-memory`` says, or less where the system allows less, with a warning.

    Raises:
        UsageError: the text is no amount (see `postcopy.api.sizes.size_of`).
    """
    asked = asked_for_states(text)
    left = left_for_states(asked)
    if left < asked:
        say(f"states may take {left >> 20:,} MiB and not {asked >> 20:,}: the system allows no more (ulimit -v)")
    return left
