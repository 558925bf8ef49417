"""`run`: a real guest is migrated, live, from this process to another one on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from postcopy.api.asking import functions, path_of, path_or_none, whole_numbers
from postcopy.api.migration_settings import (
    RECOVER,
    GuestSettings,
    check_times,
    looking,
    refuse_log,
    switching,
)
from postcopy.api.progress import Show, silent
from postcopy.api.result import Result
from postcopy.conformance.logs import explain
from postcopy.engine.eventlog import Line
from postcopy.engine.report import Summary, print_summary, summarize
from postcopy.engine.run_here import run_here
from postcopy.engine.source_host import FIRST_PASS
from postcopy.errors import UsageError
from postcopy.report.charts.histogram import FORMAT as HISTOGRAM
from postcopy.report.charts.histogram import histogram_svg
from postcopy.report.pages.migration import html
from postcopy.surface import setting

KEPT_PAGES = 1 << 12
"""Up to so many pages the log is kept for the verdict on it, unless it is asked for anyway."""


@dataclass(frozen=True, repr=False)
class RunResult(Result):
    """A migration from this process to another one on this machine.

    Attributes:
        name: the engine.
        found: the migration in numbers.
        latencies: the times from the reading of a fault to the placing of its page, in milliseconds.
        log: the event log, where it was kept.
    """

    name: str
    found: Summary
    latencies: tuple[float, ...]
    log: tuple[Line, ...] = ()

    @property
    def verdict(self) -> str:
        """``completed``; ``failed`` or ``cancelled``: the guest goes on at the source; ``lost``; ``damaged``: the guest
        found other contents than it wrote; ``refuted``: the log is no behaviour of the model."""
        if self.found.damage:
            return "damaged"
        if self.found.conformance not in (None, "conforms"):
            return "refuted"
        return "lost" if self.found.guest == "lost" else self.found.outcome

    @property
    def sentence(self) -> str:
        """How the migration ended, and where the guest is."""
        found = self.found
        where = "is lost" if found.guest == "lost" else f"runs at the {found.guest}"
        why = f" ({found.why})" if found.why else ""
        return f"migration {found.outcome} in {found.mode}; the guest {where}{why}"

    @property
    def record(self) -> Summary:
        """All that ``--json`` prints."""
        return self.found

    def print_to(self, console: Console) -> None:
        """Print the result as the terminal shows it."""
        print_summary(self.found, console)

    def page(self, command: str = "") -> str:
        """The page of ``--report``.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return html(self.found, self.latencies, command)

    def histogram(self, path: str | Path, *, force: bool = False) -> None:
        """Draw the fault latencies to a file (.svg).

        Args:
            path: where.
            force: replace a file that this package has not written.

        Raises:
            UsageError: the file cannot be written, or is there and this package has not written it.
        """
        goal = path_of("path", path)
        HISTOGRAM.refuse(goal, force=force)
        HISTOGRAM.save(goal, histogram_svg(list(self.latencies)))

    def __bool__(self) -> bool:
        """True: the guest is at the destination, found its memory as it wrote it, and the log is a behaviour of the
        model. False: it is damaged or lost, or the log is none.

        Raises:
            UndecidedError: the guest goes on at the source, or the log was not kept, as for a large guest.
        """
        if self.verdict in ("damaged", "lost", "refuted"):
            return False
        if self.verdict != "completed":
            raise self._undecided(self.sentence)
        if self.found.conformance is None:
            raise self._undecided("the guest is whole, and its log was not held against the model")
        return True


def run(
    *,
    size: int | str = "64M",
    target_page: int = 4096,
    memory: str = "userfaultfd",
    vcpus: int = 2,
    workload: str = "random",
    rate: int = 20_000,
    seed: int = 1,
    switch: str | float = FIRST_PASS,
    timeout: float = 30.0,
    recover: float = 0.0,
    preempt: bool = False,
    break_after: int | Sequence[int] = (),
    settle: float = 0.5,
    log_to: str | Path | None = None,
    force: bool = False,
    progress: Show = silent,
) -> RunResult:
    """Migrate a real guest process, live, from this process to another one on this machine, over TCP.

    Args:
        size: guest memory, in bytes or as ``"64M"``.
        target_page: bytes of a target page: 1024, 2048 or 4096.
        memory: how faults are caught: ``userfaultfd``, or ``software``: slower, and needs no permission.
        vcpus: of the guest: 1 or 2.
        workload: which pages the guest touches: ``random``, ``sequential``, ``hot``, ``readonly``, ``idle``.
        rate: touches per second of each vCPU; 0 for no limit.
        seed: of the workload.
        switch: to postcopy: ``at-once``, ``first-pass``, ``never``, or after so many seconds.
        timeout: seconds that anything may stand still.
        recover: after a break in postcopy, seconds to try for a new connection, at both hosts; 0: the migration fails.
        preempt: pages that are asked for have a connection of their own, at both hosts.
        break_after: break the connection after so many pages of postcopy, and recover; several: again after more.
        settle: seconds that the guest goes on before it is checked.
        log_to: file for the event log, which `conform` takes.
        force: replace a file that this package has not written.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: a number is out of range, or the file for the log cannot be written.
        PostcopyError: the migration could not begin.
    """
    functions(progress=progress)
    log = path_or_none("log_to", log_to)
    refuse_log(log, force=force)
    check_times(settle=settle)
    guest = GuestSettings(
        size=size, target_page=target_page, memory=memory, vcpus=vcpus, workload=workload, rate=rate, seed=seed
    ).guest()
    breaks = tuple(break_after) if isinstance(break_after, Iterable) else (break_after,)
    for pages in breaks:
        whole_numbers(break_after=pages)
        if pages < 1:
            raise UsageError(f"{setting('break_after', pages)}: a number of pages from 1 on")
    recover = RECOVER if breaks and recover == 0 else recover
    options = msgspec.structs.replace(switching(switch, timeout, recover, preempt=preempt), break_after=breaks)
    geometry = guest.geometry()
    keep = log is not None or geometry.pages <= KEPT_PAGES
    done = run_here(guest, options, log_to=log, keep_log=keep, settle=settle, look=looking(progress))
    summary, lines = summarize(done), list[Line]()
    if keep and done.destination:
        lines = [*done.source.lines, *done.destination.lines]
        found = explain(geometry.pages, geometry.group, [line.record for line in lines])
        summary.conformance = "conforms" if found.unexplained is None else found.unexplained.why
    latencies = done.destination.report.latencies if done.destination else []
    return RunResult("the engine", summary, tuple(1000 * t for t in latencies), tuple(lines))
