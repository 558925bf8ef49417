"""How far a search or a proof has come, in a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from postcopy.explorer.results import Progress

Show: TypeAlias = Callable[[str], None]
"""Is called with a line that replaces the one before."""


def silent(_: str) -> None:
    """Show nothing."""


def of_search(show: Show) -> Callable[[Progress], None]:
    """Show how far a search has come."""

    def report(at: Progress) -> None:
        if at.phase == "compiling":
            show("compiling the kernel (the first time for this protocol and size only)")
        elif at.phase == "searching":
            coming = to_come(at)
            filling = "; memory is half full: a small table takes a third" if at.filling and not coming else ""
            show(searched(at.states, at.seconds, at.frontier) + f", depth {at.depth}{coming}{filling}")
        else:
            show(at.phase)

    return report


def searched(states: int, seconds: float, frontier: int) -> str:
    """How far a search has come, in words."""
    rate = states / seconds if seconds else 0.0
    return f"{states:,} states, {rate:,.0f}/s, frontier {frontier:,}"


def to_come(at: Progress) -> str:
    """How many states there will be, when, and in how much memory; what to do where that is too much. May be empty."""
    if at.estimate is None or not at.states or not at.seconds:
        return ""
    least, most = at.estimate.least, at.estimate.most
    all_ = f"at least {_short(least)}" if most is None else f"{_short(least)} to {_short(most)}"
    per_state, rate = at.bytes / at.states, at.states / at.seconds
    needed = int(least * per_state)
    if needed <= at.max_memory:
        ends = [max(0.0, (each - at.states) / rate) for each in (least, most) if each is not None]
        time = " to ".join(dict.fromkeys(f"{end:,.0f}" for end in ends))
        more = "at least " if most is None else ""
        return f"; {all_} in all, {more}{time} s more"
    use = "more memory, or a smaller size" if at.for_liveness else "the disk, or a smaller size"
    if at.smaller:
        use = "a small table" if needed // SMALLER <= at.max_memory else "a small table with more memory, or the disk"
    return f"; {all_} in all need {_gigabytes(needed)} of {_gigabytes(at.max_memory)}: end this and use {use}"


SMALLER = 3
"""The ordinary table takes at least so many times as much for a state as the small one (decision 0054)."""


def _short(number: int) -> str:
    """A number with two digits that count, in words."""
    for size, word in ((10**9, " billion"), (10**6, " million"), (10**3, ",000")):
        if number >= size:
            exact = number / size
            return f"{exact:.1f}{word}" if exact < 10 and word != ",000" else f"{exact:,.0f}{word}"
    return str(number)


def _gigabytes(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB"


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
