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


class OfProof:
    """Shows how far a proof has come: how many obligations of how many, and which conjuncts are open."""

    NAMED = 2
    """How many open conjuncts the line names: it is to fit into 80 columns."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._done = self._expected = 0
        self._open: dict[str, None] = {}

    def expect(self, more: int) -> None:
        """So many more obligations will be asked."""
        self._expected += more

    def done(self, conjunct: str, *, proved: bool) -> None:
        """An obligation of a conjunct has its answer."""
        self._done += 1
        if not proved:
            self._open[conjunct] = None
        line = f"{self._done:,} of {self._expected:,} obligations"
        if self._open:
            names, others = list(self._open)[-self.NAMED :], len(self._open) - self.NAMED
            line += f"; open: {', '.join(names)}" + (f" and {others} more" if others > 0 else "")
        self._show(line)
