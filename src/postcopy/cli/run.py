"""`postcopy run`: migrate a real guest, to another process here, or from one machine to another."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from postcopy.api.migrating import run
from postcopy.api.migrating_sides import run_destination, run_source
from postcopy.api.migrating_with_qemu import give_to_qemu, take_from_qemu
from postcopy.api.result import Result
from postcopy.cli.exits import Exit
from postcopy.cli.lazy import Command, Group
from postcopy.cli.options import AsJson, Force, KeepReport
from postcopy.cli.output import command_line, keep_page, print_json, say
from postcopy.cli.parameters import choice, completes
from postcopy.cli.progress import progress
from postcopy.cli.run_qemu import check_options, given_on_command_line
from postcopy.cli.taking import takes
from postcopy.engine.source_host import AT_ONCE, FIRST_PASS, NEVER
from postcopy.errors import UsageError
from postcopy.report.charts.histogram import FORMAT as HISTOGRAM
from postcopy.report.pages.migration import FORMAT as PAGE


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
Recover = Annotated[
    float,
    typer.Option(
        "--recover",
        metavar="SECONDS",
        help="after a break in postcopy, seconds to try for a new connection, at both hosts; 0: the migration fails",
    ),
]
Preempt = Annotated[
    bool,
    typer.Option("--preempt", help="pages that are asked for have a connection of their own; at both hosts"),
]
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

    def of_guest(self) -> dict[str, Any]:
        """What the functions take for them."""
        return {"size": self.size, "target_page": self.target_page, "memory": self.memory.value, "vcpus": self.vcpus}


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
            help=f"to postcopy: {AT_ONCE} (usual with --qemu), {FIRST_PASS}, {NEVER}, or after so many seconds",
            autocompletion=completes(lambda: (AT_ONCE, FIRST_PASS, NEVER)),
        ),
    ] = FIRST_PASS
    timeout: Timeout = 30.0
    recover: Recover = 0.0
    preempt: Preempt = False

    def of_source(self) -> dict[str, Any]:
        """What the functions take for them."""
        own = {"workload": self.workload.value, "rate": self.rate, "seed": self.seed}
        times = {"switch": self.switch, "timeout": self.timeout, "recover": self.recover, "preempt": self.preempt}
        return self.of_guest() | own | times


@dataclass(frozen=True, kw_only=True)
class HereOptions(Source):
    """All options of a migration from one process to another on this machine."""

    context: typer.Context
    settle: Settle = 0.5
    break_after: Annotated[
        list[int] | None,
        typer.Option(
            "--break-after",
            metavar="N",
            help="break the connection after N pages of postcopy, and recover; several: again after so many more",
        ),
    ] = None
    log: LogFile = None
    histogram: Annotated[
        Path | None, typer.Option("--histogram", metavar="FILE", help="draw the fault latencies to this file (.svg)")
    ] = None
    report: KeepReport = None
    force: Force = False
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class Secured:
    """The options of a connection across a network."""

    tls: Annotated[
        Path | None, typer.Option("--tls", metavar="DIR", help="directory with ca.pem, cert.pem and key.pem")
    ] = None
    insecure: Annotated[bool, typer.Option("--insecure", help="cross a network in the clear")] = False

    def of_connection(self) -> dict[str, Any]:
        """What the functions take for them."""
        return {"tls": self.tls, "insecure": self.insecure}


@dataclass(frozen=True, kw_only=True)
class SourceCommandOptions(Secured, Source):
    """All options of the source alone."""

    context: typer.Context
    to: Annotated[str, typer.Argument(metavar="HOST:PORT", help="the destination")]
    qemu: Annotated[bool, typer.Option("--qemu", help="the destination is a QEMU: give it a guest")] = False
    devices_from: Annotated[
        Path | None,
        typer.Option(
            "--devices-from",
            metavar="FILE",
            help="with --qemu: the guest, with its memory, in QEMU's format (run destination --qemu --keep FILE)",
        ),
    ] = None
    log: LogFile = None
    force: Force = False
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class DestinationOptions(Secured, Guest):
    """All options of the destination alone."""

    context: typer.Context
    qemu: Annotated[bool, typer.Option("--qemu", help="the source is a QEMU: take its guest, and keep it")] = False
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FILE", help="with --qemu: where the guest is kept, in QEMU's format"),
    ] = None
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="where to wait")] = "127.0.0.1:0"
    timeout: Timeout = 30.0
    patience: Annotated[float, typer.Option("--patience", metavar="SECONDS", help="seconds to wait for a source")] = (
        60.0
    )
    recover: Recover = 0.0
    preempt: Preempt = False
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
        if given_on_command_line(context, context.params):
            raise UsageError(f"its options go behind {context.invoked_subcommand}, not before it")
        return Exit.OK
    if asked.histogram is not None:
        HISTOGRAM.refuse(asked.histogram, option="--histogram", force=asked.force)
    if asked.report is not None:
        PAGE.refuse(asked.report, option="--report", force=asked.force)
    own = {"settle": asked.settle, "break_after": asked.break_after or (), "log_to": asked.log, "force": asked.force}
    with progress("starting the guest") as show:
        result = run(**asked.of_source() | own, progress=show)
    wanted, broken = len(asked.break_after or ()), result.record.breaks
    if broken < wanted:
        say(f"{broken} of {wanted} breaks: the migration was over before the others; a larger --size has more pages")
    if asked.histogram is not None:
        result.histogram(asked.histogram, force=asked.force)
    if asked.report is not None:
        keep_page(PAGE, asked.report, result.page(command_line(asked.context)))
    return _said(result, asked.as_json)


@app.command("source", cls=Command)
@takes(SourceCommandOptions)
def source(asked: SourceCommandOptions) -> int:
    """Start a guest and migrate it to a destination that waits."""
    check_options(asked.context, qemu=asked.qemu, file="devices_from")
    common = asked.of_connection() | {"log_to": asked.log, "force": asked.force}
    with progress("starting the guest") as show:
        if asked.devices_from is None:
            return _said(run_source(asked.to, **asked.of_source(), **common, progress=show), asked.as_json)
        switch = asked.switch if given_on_command_line(asked.context, ["switch"]) else AT_ONCE
        own: dict[str, Any] = {"switch": switch, "timeout": asked.timeout}
        own |= {"recover": asked.recover, "preempt": asked.preempt}
        return _said(give_to_qemu(asked.to, asked.devices_from, **own, **common, progress=show), asked.as_json)


@app.command("destination", cls=Command)
@takes(DestinationOptions)
def destination(asked: DestinationOptions) -> int:
    """Wait for a source and take its guest."""
    check_options(asked.context, qemu=asked.qemu, file="keep")
    common = asked.of_connection() | {"log_to": asked.log, "force": asked.force, "announce": _announce}
    times: dict[str, Any] = {"timeout": asked.timeout, "patience": asked.patience}
    times |= {"recover": asked.recover, "preempt": asked.preempt}
    if asked.keep is not None:
        return _said(take_from_qemu(asked.keep, asked.listen, **times, **common), asked.as_json)
    own = asked.of_guest() | times | {"settle": asked.settle}
    return _said(run_destination(asked.listen, **own, **common), asked.as_json)


def _announce(said: str) -> None:
    print(said, file=sys.stderr)


def _said(result: Result, as_json: bool) -> Exit:
    """Print a result; the exit code."""
    if as_json:
        print_json(result.record)
    else:
        result.print_to(Console(highlight=False))
    return OF_VERDICT[result.verdict]


OF_VERDICT = {
    "completed": Exit.OK,
    "failed": Exit.FAILED,
    "cancelled": Exit.FAILED,
    "lost": Exit.GUEST_LOST,
    "not here": Exit.GUEST_LOST,
    "damaged": Exit.VIOLATED,
    "refuted": Exit.VIOLATED,
}
"""The exit code of each verdict."""
