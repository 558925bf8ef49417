"""The results of a run: one object for programs, and a page of text for people."""

from __future__ import annotations

import math
import statistics

import msgspec
from rich.console import Console
from rich.table import Table

from postcopy.engine.log import Step
from postcopy.engine.run_here import Run

PRECOPY = (Step.SENT_PRECOPY,)
POSTCOPY = (Step.SERVED, Step.SERVED_URGENT, Step.SENT_BACKGROUND, Step.SENT_REST)

OK, FAILED, GUEST_LOST, DAMAGED = 0, 1, 3, 12
"""Exit codes: the guest is whole at the destination; it is whole at the source; it is nowhere (R15); it is damaged."""


class Latency(msgspec.Struct):
    """The times from the reading of a fault to the placing of its page, in milliseconds."""

    count: int
    median: float
    p99: float
    most: float


class Summary(msgspec.Struct):
    """A run in numbers; times in seconds unless they say otherwise.

    Attributes:
        outcome: ``completed``, ``failed`` or ``cancelled``, as the source has it.
        mode: ``postcopy`` or ``precopy``: how it ended.
        guest: ``destination``, ``source`` or ``lost``.
        downtime_ms: from the stop of the CPUs at the source to their start at the destination.
        damage: pages that the guest found with other content than it wrote.
        breaks: how often the connection broke and the migration paused.
        conformance: whether the log is a behaviour of the model, if that was checked.
    """

    outcome: str
    why: str
    mode: str
    guest: str
    memory: str
    pages: int
    page_bytes: int
    total: float
    downtime_ms: float | None
    passes: int
    precopy_pages: int
    precopy_bytes: int
    postcopy_pages: int
    postcopy_bytes: int
    zero_pages: int
    requests: int
    duplicate_requests: int
    latency: Latency | None
    reads: int
    writes: int
    damage: list[str]
    breaks: int = 0
    conformance: str | None = None

    @property
    def code(self) -> int:
        """The exit code."""
        if self.damage or (self.conformance and self.conformance != "conforms"):
            return DAMAGED
        if self.guest == "lost":
            return GUEST_LOST
        return OK if self.outcome == "completed" else FAILED


def summarize(run: Run) -> Summary:
    """The numbers of a run."""
    source, destination = run.source.report, run.destination.report if run.destination else None
    guest = (run.destination.guest if run.destination else None) or run.source.guest
    started = destination.guest_started if destination else 0.0
    latencies = sorted(1000 * t for t in destination.latencies) if destination else []
    counted = source.counts

    def pages(steps: tuple[Step, ...]) -> int:
        return sum(counted.get(step.value, 0) for step in steps)

    return Summary(
        outcome=source.outcome,
        why=source.why or (destination.why if destination else ""),
        mode="postcopy" if counted.get(Step.SENT_PACKAGE.value) else "precopy",
        guest=guest.where if guest else "lost",
        memory=run.guest.memory,
        pages=run.guest.geometry().pages,
        page_bytes=run.guest.target_page,
        total=source.ended - source.started,
        downtime_ms=1000 * (started - source.cpus_stopped) if started and source.cpus_stopped else None,
        passes=source.passes,
        precopy_pages=pages(PRECOPY),
        precopy_bytes=source.precopy_bytes,
        postcopy_pages=pages(POSTCOPY),
        postcopy_bytes=source.postcopy_bytes,
        zero_pages=source.zero_pages,
        requests=destination.requests if destination else 0,
        duplicate_requests=destination.duplicate_requests if destination else 0,
        latency=latency(latencies),
        reads=guest.reads if guest else 0,
        writes=guest.writes if guest else 0,
        damage=guest.damage if guest else [],
        breaks=max(len(source.breaks), len(destination.breaks) if destination else 0),
    )


def latency(milliseconds: list[float]) -> Latency | None:
    """Number, median, 99th percentile and maximum of latencies in ascending order; None if there are none."""
    if not milliseconds:
        return None
    p99 = milliseconds[math.ceil(0.99 * len(milliseconds)) - 1]
    return Latency(
        len(milliseconds), round(statistics.median(milliseconds), 3), round(p99, 3), round(milliseconds[-1], 3)
    )


def print_summary(summary: Summary, console: Console) -> None:
    """A page of text."""
    s = summary
    where = {"destination": "runs at the destination", "source": "runs at the source", "lost": "is lost"}[s.guest]
    console.print(f"migration {s.outcome} in {s.mode}; the guest {where}" + (f" ({s.why})" if s.why else ""))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    size = s.pages * s.page_bytes / 2**20
    table.add_row("memory", f"{size:,.0f} MiB, {s.pages:,} pages of {s.page_bytes} bytes, {s.memory}")
    table.add_row("time", f"{s.total:.2f} s in all" + (f", downtime {s.downtime_ms:.1f} ms" if s.downtime_ms else ""))
    table.add_row(
        "precopy",
        f"{s.precopy_pages:,} pages, {s.precopy_bytes / 2**20:,.1f} MiB, {s.passes} pass{'es' * (s.passes != 1)}",
    )
    table.add_row("postcopy", f"{s.postcopy_pages:,} pages, {s.postcopy_bytes / 2**20:,.1f} MiB")
    table.add_row("zero pages", f"{s.zero_pages:,}")
    if s.mode == "postcopy":
        table.add_row("requests", f"{s.requests:,}, of them {s.duplicate_requests:,} for a page asked for before")
    if s.breaks:
        table.add_row("breaks", f"{s.breaks:,}: so often the connection broke, and both hosts paused")
    if s.latency:
        table.add_row(
            "fault latency",
            f"median {s.latency.median:.2f} ms, 99 % below {s.latency.p99:.2f} ms, most {s.latency.most:.2f} ms",
        )
    table.add_row("guest", f"{s.reads:,} reads, {s.writes:,} writes; every read was compared")
    console.print(table)
    for text in s.damage:
        console.print(f"damage: {text}")
    if s.guest != "lost":
        console.print("the guest found its memory as it wrote it" if not s.damage else "the guest's memory is damaged")
    if s.conformance:
        console.print(f"conformance: {s.conformance}")
