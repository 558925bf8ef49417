"""A line on the terminal that says how far a command has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from postcopy.explorer.explore import Progress


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A progress line on stderr; silent where that is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading the protocol") as status:

        def show(at: Progress) -> None:
            if at.phase == "compiling":
                status.update("compiling the kernel (the first time for this protocol and size only)")
            elif at.phase == "searching":
                rate = at.states / at.seconds if at.seconds else 0.0
                status.update(f"{at.states:,} states, {rate:,.0f}/s, frontier {at.frontier:,}, depth {at.depth}")
            else:
                status.update(at.phase)

        yield show
