"""The progress line of all commands: on stderr, and silent where that is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from postcopy.api.progress import Show, silent


@contextmanager
def progress(first: str = "reading the protocol") -> Iterator[Show]:
    """A line that says how far a command has come.

    Args:
        first: the line to begin with.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    with console.status(first) as status:
        yield status.update
