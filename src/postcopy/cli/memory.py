"""The memory that the system allows this process (`ulimit -v`): whether it is enough, and what is left for states."""

from __future__ import annotations

import resource

from postcopy.cli.output import warn
from postcopy.cli.sizes import size_of
from postcopy.errors import UsageError

LEAST = 1 << 30
"""With less, libraries for numbers and for machine code do not load: they end the process, or try again for minutes."""

PROGRAM = 640 << 20
"""What the program takes itself: its libraries, and LLVM while it compiles."""


def require_memory() -> None:
    """Refuse to begin where a search could not.

    Raises:
        UsageError: the limit is too low.
    """
    limit = _limit()
    if limit is not None and limit < LEAST:
        raise UsageError(
            f"this process may have {limit >> 20:,} MiB of memory (ulimit -v), and needs {LEAST >> 20:,} at least"
        )


def memory_for_states(text: str) -> int:
    """Bytes that states may take: what ``--max-memory`` says, or less where the system allows less, with a warning.

    Raises:
        UsageError: the text is no amount (see `size_of`).
    """
    asked, limit = size_of(text, "--max-memory", "1M", "16T"), _limit()
    if limit is None or asked <= limit - PROGRAM:
        return asked
    left = max(1 << 20, limit - PROGRAM)
    warn(f"states may take {left >> 20:,} MiB and not {asked >> 20:,}: the system allows no more (ulimit -v)")
    return left


def _limit() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
