"""The progress line of all commands: on stderr, and silent where that is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console

if TYPE_CHECKING:
    from postcopy.explorer.explore import Progress

Show: TypeAlias = Callable[[str], None]
"""Replaces the line."""


@contextmanager
def progress(first: str = "reading the protocol") -> Iterator[Show]:
    """A line that says how far a command has come.

    Args:
        first: the line to begin with.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(first) as status:
        yield status.update


def of_search(show: Show) -> Callable[[Progress], None]:
    """Show how far a search has come."""

    def report(at: Progress) -> None:
        if at.phase == "compiling":
            show("compiling the kernel (the first time for this protocol and size only)")
        elif at.phase == "searching":
            show(searched(at.states, at.seconds, at.frontier) + f", depth {at.depth}")
        else:
            show(at.phase)

    return report


def searched(states: int, seconds: float, frontier: int) -> str:
    """How far a search has come, in words."""
    rate = states / seconds if seconds else 0.0
    return f"{states:,} states, {rate:,.0f}/s, frontier {frontier:,}"
