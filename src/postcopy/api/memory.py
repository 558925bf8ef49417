"""The memory that the system allows this process (`ulimit -v`), and what it leaves for states."""

from __future__ import annotations

import resource

from postcopy.api.sizes import size_of

PROGRAM = 640 << 20
"""Addresses that the libraries take, and LLVM while it compiles. Such a limit counts addresses, of which fewer
are in use (`memory_watch.PROGRAM`)."""


def limit() -> int | None:
    """Bytes that this process may have, or None for as many as there are."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def asked_for_states(given: int | str) -> int:
    """Bytes of an amount such as ``"4G"``.

    Args:
        given: the amount, as a text or in bytes.

    Raises:
        UsageError: it is no amount from 1 MiB to 16 TiB.
    """
    return size_of(str(given), "max_memory", "1M", "16T")


def left_for_states(asked: int) -> int:
    """Bytes that states may take: what is asked, or less where the system allows less."""
    most = limit()
    return asked if most is None else min(asked, max(1 << 20, most - PROGRAM))
