"""`postcopy run`: migrate a real guest, to another process here, or from one machine to another."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from postcopy.cli.exits import Exit
from postcopy.cli.lazy import Command, Group
from postcopy.cli.options import AsJson, Force
from postcopy.cli.output import print_json
from postcopy.cli.parameters import choice, completes, takes
from postcopy.cli.progress import progress
from postcopy.cli.sizes import size_of
from postcopy.conformance.logs import explain
from postcopy.engine.eventlog import Line, head, write_log
from postcopy.engine.memory import GuestOptions
from postcopy.engine.report import as_json, histogram_svg, print_summary, summarize
from postcopy.engine.run import Check, Network, run_destination, run_source
from postcopy.engine.run_here import run_here
from postcopy.engine.source import Phase
from postcopy.engine.source_host import AT_ONCE, FIRST_PASS, NEVER, SourceHost, SourceOptions
from postcopy.errors import UsageError
from postcopy.report.files.file_format import WRITTEN, FileFormat

KEPT_PAGES = 1 << 12
"""Up to so many pages the log is kept for the verdict on it, unless it is asked for anyway."""

FASTEST = 1_000_000_000
"""The most touches per second that can be asked for."""

DAY = 86_400
"""The longest time that can be waited for, in seconds."""

LOG = FileFormat((), "an event log", begins='{"type":"postcopy-log"')
HISTOGRAM = FileFormat((".svg",), "a picture", comment=f"<!-- {WRITTEN} -->")


class MemoryKind(StrEnum):
    """How faults of the guest are found out."""

    USERFAULTFD = "userfaultfd"
    SOFTWARE = "software"


class WorkloadKind(StrEnum):
    """Which pages the guest touches."""

    RANDOM = "random"
    SEQUENTIAL = "sequential"
    HOT = "hot"
    READONLY = "readonly"
    IDLE = "idle"


LogFile = Annotated[Path | None, typer.Option("--log", metavar="FILE", help="keep the event log (JSON lines)")]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="seconds that anything may stand still")]
Settle = Annotated[
    float, typer.Option("--settle", metavar="SECONDS", help="seconds that the guest goes on before it is checked")
]


@dataclass(frozen=True, kw_only=True)
class Guest:
    """The options of the guest's memory, at either host."""

    size: Annotated[str, typer.Option("--size", metavar="SIZE", help="guest memory, e.g. 64M or 1G")] = "64M"
    target_page: Annotated[
        int, typer.Option("--target-page", metavar="BYTES", help="bytes of a target page: 1024, 2048 or 4096")
    ] = 4096
    memory: Annotated[
        MemoryKind,
        choice(MemoryKind, "memory", "--memory", help="how faults are caught (software: slower, needs no permission)"),
    ] = MemoryKind.USERFAULTFD
    vcpus: Annotated[int, typer.Option("--vcpus", metavar="N", help="vCPUs of the guest: 1 or 2")] = 2

    def guest(self, work: WorkloadKind = WorkloadKind.RANDOM, rate: int = 0, seed: int = 0) -> GuestOptions:
        """The guest as the engine has it.

        Raises:
            UsageError: a number is out of range.
        """
        if self.target_page not in (1024, 2048, 4096):
            raise UsageError(f"--target-page {self.target_page}: 1024, 2048 or 4096")
        if self.vcpus not in (1, 2):
            raise UsageError(f"--vcpus {self.vcpus}: 1 or 2")
        if not 0 <= rate <= FASTEST:
            raise UsageError(f"--rate {rate}: 0 to {FASTEST:,}")
        if not -(1 << 63) <= seed < 1 << 63:
            raise UsageError(f"--seed {seed}: a number of at most 64 bits")
        size = size_of(self.size, "--size", "64K", "64G", multiple=4096)
        return GuestOptions(size, self.target_page, self.memory.value, work.value, self.vcpus, rate, 0.5, seed)


@dataclass(frozen=True, kw_only=True)
class Source(Guest):
    """The options of a guest that is migrated from here."""

    workload: Annotated[
        WorkloadKind, choice(WorkloadKind, "workload", "--workload", help="which pages the guest touches")
    ] = WorkloadKind.RANDOM
    rate: Annotated[
        int, typer.Option("--rate", metavar="N", help="touches per second of each vCPU; 0 for no limit")
    ] = 20_000
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="of the workload")] = 1
    switch: Annotated[
        str,
        typer.Option(
            "--switch",
            metavar="WHEN",
            help=f"to postcopy: {AT_ONCE}, {FIRST_PASS}, {NEVER}, or after so many seconds",
            autocompletion=completes(lambda: (AT_ONCE, FIRST_PASS, NEVER)),
        ),
    ] = FIRST_PASS
    timeout: Timeout = 30.0

    def source_guest(self) -> GuestOptions:
        """The guest as the engine has it. Raises as `guest`."""
        return self.guest(self.workload, self.rate, self.seed)

    def source(self) -> SourceOptions:
        """When to switch, and how long to wait.

        Raises:
            UsageError: it is no such time.
        """
        if self.switch not in (AT_ONCE, FIRST_PASS, NEVER) and not re.fullmatch(r"\d+(\.\d+)?", self.switch):
            raise UsageError(f"--switch {self.switch}: {AT_ONCE}, {FIRST_PASS}, {NEVER}, or a number of seconds")
        if self.switch[0].isdigit() and float(self.switch) > DAY:
            raise UsageError(f"--switch {self.switch}: at most {DAY:,} seconds")
        _check_times(timeout=self.timeout)
        return SourceOptions(switch=self.switch, timeout=self.timeout)


@dataclass(frozen=True, kw_only=True)
class HereOptions(Source):
    """All options of a migration from one process to another on this machine."""

    context: typer.Context
    settle: Settle = 0.5
    log: LogFile = None
    histogram: Annotated[
        Path | None, typer.Option("--histogram", metavar="FILE", help="draw the fault latencies to this file (.svg)")
    ] = None
    force: Force = False
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class Secured:
    """The options of a connection across a network."""

    tls: Annotated[
        Path | None, typer.Option("--tls", metavar="DIR", help="directory with ca.pem, cert.pem and key.pem")
    ] = None
    insecure: Annotated[bool, typer.Option("--insecure", help="cross a network in the clear")] = False


@dataclass(frozen=True, kw_only=True)
class SourceCommandOptions(Secured, Source):
    """All options of the source alone."""

    to: Annotated[str, typer.Argument(metavar="HOST:PORT", help="the destination")]
    log: LogFile = None
    force: Force = False
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class DestinationOptions(Secured, Guest):
    """All options of the destination alone."""

    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="where to wait")] = "127.0.0.1:0"
    timeout: Timeout = 30.0
    patience: Annotated[float, typer.Option("--patience", metavar="SECONDS", help="seconds to wait for a source")] = (
        60.0
    )
    settle: Settle = 0.5
    log: LogFile = None
    force: Force = False
    as_json: AsJson = False


app = typer.Typer(cls=Group, rich_markup_mode="rich", invoke_without_command=True, add_completion=False)


@app.callback()
@takes(HereOptions)
def here(asked: HereOptions) -> int:
    """Migrate a guest from this process to another one on this machine, over TCP."""
    context = asked.context
    if context.invoked_subcommand is not None:
        sources = (context.get_parameter_source(name) for name in context.params)
        if any(source is not None and source.name == "COMMANDLINE" for source in sources):
            raise UsageError(f"its options go behind {context.invoked_subcommand}, not before it")
        return Exit.OK
    if asked.histogram is not None:
        HISTOGRAM.refuse(asked.histogram, option="--histogram", force=asked.force)
    _refuse_log(asked.log, asked.force)
    _check_times(settle=asked.settle)
    options, source_options = asked.source_guest(), asked.source()
    keep = asked.log is not None or options.geometry().pages <= KEPT_PAGES
    with _progress() as look:
        done = run_here(options, source_options, log_to=asked.log, keep_log=keep, settle=asked.settle, look=look)
    summary = summarize(done)
    if keep and done.destination:
        geometry = options.geometry()
        lines = [*done.source.lines, *done.destination.lines]
        summary.conformance = _verdict(geometry.pages, geometry.group, lines)
    if asked.histogram is not None:
        latencies = done.destination.report.latencies if done.destination else []
        HISTOGRAM.save(asked.histogram, histogram_svg([1000 * t for t in latencies]))
    if asked.as_json:
        print_json(as_json(summary))
    else:
        print_summary(summary, Console(highlight=False))
    return summary.code


@app.command("source", cls=Command)
@takes(SourceCommandOptions)
def source(asked: SourceCommandOptions) -> int:
    """Start a guest and migrate it to a destination that waits."""
    host, port = _address(asked.to)
    _refuse_log(asked.log, asked.force)
    options, source_options = asked.source_guest(), asked.source()
    network = Network(host, port, asked.tls, asked.insecure, asked.timeout)
    with _progress() as look:
        result = run_source(options, source_options, network, keep_log=asked.log is not None, look=look)
    if asked.log is not None:
        write_log(asked.log, head(options.geometry()), result.lines)
    report = result.report
    if asked.as_json:
        print_json(report)
    else:
        print(_in_words(report.outcome, report.why, result.guest))
    if report.outcome == "completed":
        return Exit.OK
    return _code(result.guest, Exit.FAILED)


@app.command("destination", cls=Command)
@takes(DestinationOptions)
def destination(asked: DestinationOptions) -> int:
    """Wait for a source and take its guest."""
    host, port = _address(asked.listen)
    _refuse_log(asked.log, asked.force)
    _check_times(timeout=asked.timeout, patience=asked.patience, settle=asked.settle)
    options = asked.guest()
    network = Network(host, port, asked.tls, asked.insecure, asked.timeout, asked.patience)

    def announce(at: str, port: int) -> None:
        print(f"waiting on {at}:{port}", file=sys.stderr)

    keep = asked.log is not None
    result = run_destination(options, network, keep_log=keep, settle=asked.settle, announce=announce)
    if asked.log is not None:
        write_log(asked.log, head(options.geometry()), result.lines)
    report = result.report
    if asked.as_json:
        print_json(report)
    else:
        print(_in_words(report.outcome, report.why, result.guest))
    return _code(result.guest, Exit.OK)


def _verdict(pages: int, group: int, lines: list[Line]) -> str:
    found = explain(pages, group, [line.record for line in lines])
    return "conforms" if found.unexplained is None else found.unexplained.why


def _in_words(outcome: str, why: str, guest: Check | None) -> str:
    said = f"migration {outcome}" + (f": {why}" if why else "")
    if guest is None:
        return f"{said}; the guest is not here"
    found = "its memory is as it wrote it" if not guest.damage else "damage: " + "; ".join(guest.damage)
    return f"{said}; the guest runs here: {guest.reads:,} reads, {guest.writes:,} writes, {found}"


def _code(guest: Check | None, here: Exit) -> Exit:
    if guest is None or guest.where == "lost":
        return Exit.GUEST_LOST
    return Exit.VIOLATED if guest.damage else here


def _check_times(**seconds: float) -> None:
    """Refuse times that no clock can wait for."""
    for name, value in seconds.items():
        if not 0 <= value <= DAY or (value == 0 and name != "settle"):
            more = "0" if name == "settle" else "more than 0"
            raise UsageError(f"--{name} {value:g}: {more} to {DAY:,} seconds")


def _refuse_log(log: Path | None, force: bool) -> None:
    if log is not None:
        LOG.refuse(log, option="--log", force=force)


def _address(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[?([^\]]+?)\]?:(\d{1,5})", text)
    if not match or int(match[2]) > 65535:
        raise UsageError(f"{text} is no HOST:PORT")
    return match[1], int(match[2])


@contextmanager
def _progress() -> Iterator[Callable[[SourceHost], None]]:
    """How far the migration has come, on the progress line."""
    with progress("starting the guest") as show:

        def look(host: SourceHost) -> None:
            core, report = host.core, host.report
            sent = (report.precopy_bytes + report.postcopy_bytes) / 2**20
            phase = core.phase.name.lower()
            if core.phase in (Phase.PRECOPY, Phase.POSTCOPY):
                phase += f", {core.dirty.count:,} pages to send"
            show(f"{phase}; {sent:,.0f} MiB sent")

        yield look
