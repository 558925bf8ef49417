"""Commands about what really runs: ``run`` a migration, ``conform`` it to the model, ``replay`` a counterexample."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from postcopy.catalogue.properties import with_everything
from postcopy.cli import outputs
from postcopy.cli.options import MIGRATING
from postcopy.conformance.logs import Explanation, explain
from postcopy.conformance.refinement import Refinement, refine
from postcopy.conformance.replay import Refusal
from postcopy.conformance.replay import replay as drive
from postcopy.conformance.world import World
from postcopy.engine import memory, workload
from postcopy.engine.errors import EngineError
from postcopy.engine.eventlog import Line, head, read_log, write_log
from postcopy.engine.memory import GuestOptions
from postcopy.engine.report import DAMAGED, FAILED, GUEST_LOST, OK, as_json, histogram_svg, print_summary, summarize
from postcopy.engine.run import Check, Network, run_destination, run_here, run_source
from postcopy.engine.source import Phase
from postcopy.engine.source_host import AT_ONCE, FIRST_PASS, NEVER, SourceHost, SourceOptions
from postcopy.errors import UsageError
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.model.postcopy import Postcopy
from postcopy.report.story.itf import read_itf

KEPT_PAGES = 1 << 12
"""Up to so many pages the log is kept for the verdict on it, unless it is asked for anyway."""

DAY = 86_400
"""Nobody waits longer; in seconds."""

run_app = typer.Typer(rich_markup_mode="rich", invoke_without_command=True, help="Migrate a real guest process, live.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(run_app, name="run", rich_help_panel=MIGRATING)
    app.command(rich_help_panel=MIGRATING)(conform)
    app.command(rich_help_panel=MIGRATING)(replay)


Size = Annotated[str, typer.Option("--size", help="guest memory, e.g. 64M or 1G")]
TargetPage = Annotated[int, typer.Option("--target-page", help="bytes of a target page: 1024, 2048 or 4096")]
Memory = Annotated[str, typer.Option("--memory", help="userfaultfd, or software where that is not permitted")]
Vcpus = Annotated[int, typer.Option("--vcpus", help="vCPUs of the guest: 1 or 2")]
Workload = Annotated[str, typer.Option("--workload", help=", ".join(workload.KINDS))]
Rate = Annotated[int, typer.Option("--rate", help="touches per second of each vCPU; 0 for no limit")]
Seed = Annotated[int, typer.Option("--seed", help="of the workload")]
Switch = Annotated[str, typer.Option("--switch", help="to postcopy: at-once, first-pass, never, or after seconds")]
Timeout = Annotated[float, typer.Option("--timeout", help="seconds that anything may stand still")]
Settle = Annotated[float, typer.Option("--settle", help="seconds that the guest goes on before it is checked")]
LogFile = Annotated[Path | None, typer.Option("--log", help="keep the event log (JSON lines)")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
TlsDirectory = Annotated[Path | None, typer.Option("--tls", help="directory with ca.pem, cert.pem and key.pem")]
Insecure = Annotated[bool, typer.Option("--insecure", help="cross a network in the clear")]


@run_app.callback()
def run(
    context: typer.Context,
    size: Size = "64M",
    target_page: TargetPage = 4096,
    memory_kind: Memory = "userfaultfd",
    vcpus: Vcpus = 2,
    workload_kind: Workload = "random",
    rate: Rate = 20_000,
    seed: Seed = 1,
    switch: Switch = FIRST_PASS,
    timeout: Timeout = 30.0,
    settle: Settle = 0.5,
    log: LogFile = None,
    histogram: Annotated[
        Path | None, typer.Option("--histogram", help="draw the fault latencies to this file (.svg)")
    ] = None,
    as_json_: AsJson = False,
) -> int:
    """Migrate a guest from this process to another one on this machine, over TCP."""
    if context.invoked_subcommand is not None:
        sources = (context.get_parameter_source(name) for name in context.params)
        if any(source is not None and source.name == "COMMANDLINE" for source in sources):
            raise UsageError(f"its options go behind {context.invoked_subcommand}, not before it")
        return 0
    if histogram is not None:
        if histogram.suffix != ".svg":
            raise UsageError(f"--histogram {histogram}: the name has to end in .svg")
        outputs.check(histogram, option="--histogram")
    _check_log(log)
    _check_times(settle=settle)
    options = _guest(size, target_page, memory_kind, vcpus, workload_kind, rate, seed)
    source_options = _source(switch, timeout)
    keep = log is not None or options.geometry().pages <= KEPT_PAGES
    with _progress() as look:
        done = run_here(options, source_options, log_to=log, keep_log=keep, settle=settle, look=look)
    summary = summarize(done)
    if keep and done.destination:
        geometry = options.geometry()
        summary.conformance = _verdict(geometry.pages, geometry.group, [*done.source.lines, *done.destination.lines])
    if histogram is not None:
        latencies = done.destination.report.latencies if done.destination else []
        outputs.save(histogram, histogram_svg([1000 * t for t in latencies]))
    if as_json_:
        print(json.dumps(as_json(summary), indent=2))
    else:
        print_summary(summary, Console(highlight=False))
    return summary.code


@run_app.command("source")
def source(
    to: Annotated[str, typer.Argument(metavar="HOST:PORT", help="the destination")],
    size: Size = "64M",
    target_page: TargetPage = 4096,
    memory_kind: Memory = "userfaultfd",
    vcpus: Vcpus = 2,
    workload_kind: Workload = "random",
    rate: Rate = 20_000,
    seed: Seed = 1,
    switch: Switch = FIRST_PASS,
    timeout: Timeout = 30.0,
    tls: TlsDirectory = None,
    insecure: Insecure = False,
    log: LogFile = None,
    as_json_: AsJson = False,
) -> int:
    """Start a guest and migrate it to a destination that waits."""
    host, port = _address(to)
    _check_log(log)
    options = _guest(size, target_page, memory_kind, vcpus, workload_kind, rate, seed)
    network = Network(host, port, tls, insecure, timeout)
    with _progress() as look:
        result = run_source(options, _source(switch, timeout), network, keep_log=log is not None, look=look)
    if log is not None:
        write_log(log, head(options.geometry()), result.lines)
    report = result.report
    print(
        json.dumps(msgspec.to_builtins(report), indent=2)
        if as_json_
        else _told(report.outcome, report.why, result.guest)
    )
    if report.outcome == "completed":
        return OK
    return _code(result.guest, FAILED)


@run_app.command("destination")
def destination(
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="where to wait")] = "127.0.0.1:0",
    size: Size = "64M",
    target_page: TargetPage = 4096,
    memory_kind: Memory = "userfaultfd",
    vcpus: Vcpus = 2,
    timeout: Timeout = 30.0,
    patience: Annotated[float, typer.Option("--patience", help="seconds to wait for a source")] = 60.0,
    settle: Settle = 0.5,
    tls: TlsDirectory = None,
    insecure: Insecure = False,
    log: LogFile = None,
    as_json_: AsJson = False,
    messages: Annotated[bool, typer.Option("--messages", hidden=True)] = False,
    keep_log: Annotated[bool, typer.Option("--keep-log", hidden=True)] = False,
) -> int:
    """Wait for a source and take its guest."""
    host, port = _address(listen)
    _check_log(log)
    _check_times(timeout=timeout, patience=patience, settle=settle)
    options = _guest(size, target_page, memory_kind, vcpus, "random", 0, 0)
    network = Network(host, port, tls, insecure, timeout, patience)

    def announce(at: str, port: int) -> None:
        if messages:
            print(json.dumps({"host": at, "port": port}), flush=True)
        else:
            print(f"waiting on {at}:{port}", file=sys.stderr)

    try:
        result = run_destination(
            options, network, keep_log=keep_log or log is not None, settle=settle, announce=announce
        )
    except EngineError as error:
        if messages:
            print(json.dumps({"error": str(error)}), flush=True)
        raise
    if log is not None:
        write_log(log, head(options.geometry()), result.lines)
    report = result.report
    if messages:
        print(msgspec.json.encode(result).decode(), flush=True)
    elif as_json_:
        print(json.dumps(msgspec.to_builtins(report), indent=2))
    else:
        print(_told(report.outcome, report.why, result.guest))
    return _code(result.guest, OK)


def conform(
    log: Annotated[Path | None, typer.Argument(metavar="[LOG]", help="an event log (postcopy run --log LOG)")] = None,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="every interleaving of the engine's threads instead of one log")
    ] = False,
    pages: Annotated[
        int | None, typer.Option("--pages", help="target pages, with --exhaustive", show_default="1")
    ] = None,
    in_flight: Annotated[
        int | None, typer.Option("--in-flight", help="messages in each channel, with --exhaustive", show_default="1")
    ] = None,
    host_page: Annotated[
        int | None,
        typer.Option("--host-page", help="target pages of a host page, with --exhaustive", show_default="1"),
    ] = None,
    as_json_: AsJson = False,
) -> int:
    """Hold the engine against the model: a log of a real migration, or every interleaving at a small size."""
    if exhaustive == (log is not None):
        raise UsageError("give either a LOG or --exhaustive")
    size = (pages, in_flight, host_page)
    if log is None:
        pages, in_flight, host_page = (1 if given is None else given for given in size)
        return _exhaust(pages, in_flight, host_page, as_json_)
    if size != (None,) * 3:
        raise UsageError("--pages, --in-flight and --host-page go with --exhaustive: a log says its own size")
    first, lines = read_log(log)
    found = explain(first.pages, first.group, [line.record for line in lines])
    if as_json_:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print(_explained(found, len(lines)))
    return DAMAGED if found.unexplained else OK


def _exhaust(pages: int, in_flight: int, host_page: int, as_json_: bool) -> int:
    if pages < 1 or in_flight < 1 or host_page not in (1, 2, 4) or pages % host_page:
        raise UsageError("--pages and --in-flight from 1 on, --host-page 1, 2 or 4 and a divisor of --pages")
    console = Console(stderr=True)
    with console.status("searching") if console.is_terminal else nullcontext() as status:
        begin = time.monotonic()

        def show(states: int, frontier: int) -> None:
            if status is not None:
                status.update(f"{states:,} states, {states / (time.monotonic() - begin):,.0f}/s, frontier {frontier:,}")

        found = refine(World.new(pages, in_flight, host_page), progress=show)
    if as_json_:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print(_searched(found))
    return DAMAGED if found.failure else OK


def _searched(found: Refinement) -> str:
    size = f"{found.states:,} states, {found.transitions:,} transitions"
    if found.failure is None:
        silent = f"; {len(found.actions)} of the model's actions were taken"
        return f"the engine's cores refine the model at this size: every interleaving, {size}{silent}"
    lines = [f"the engine does what the model does not ({size} until then)"]
    lines += [f"{n:3}. {move}" for n, move in enumerate(found.failure.moves, start=1)]
    rule = f" ({found.failure.rule})" if found.failure.rule else ""
    return "\n".join([*lines, f"why: {found.failure.why}{rule}"])


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a stored counterexample (.itf.json)")],
    as_json_: AsJson = False,
) -> int:
    """Drive the sound engine along a stored counterexample: where it refuses, and which rule it keeps by that."""
    run = read_itf(file, with_everything, fingerprint)
    found = drive(run)
    if as_json_:
        print(json.dumps(msgspec.to_builtins(found) | {"refused": found.refused, "steps": len(run.steps)}, indent=2))
    else:
        print(_refused(found, run.instance.protocol.__name__, len(run.steps)))
    protocol = run.instance.protocol
    must = True if found.rule else False if protocol is Postcopy else found.refused  # a change may do either
    return OK if found.refused is must else DAMAGED


def _refused(found: Refusal, protocol: str, steps: int) -> str:
    if not found.refused:
        said = f"it does not keep {found.rule}" if found.rule else "as it should: no rule is missing in this protocol"
        return f"the engine goes along with all {steps} steps of {protocol}: {said}"
    where = f"at step {found.number} of {steps}, {found.action}" if found.action else f"after all {steps} steps"
    kept = f"; so it keeps {found.rule}" if found.rule else ""
    return "\n".join(
        [
            f"{protocol}: the engine goes along for {found.number - 1} steps and refuses {where}{kept}",
            f"how: {found.how}",
            f"its threads could do instead: {', '.join(found.could) or 'nothing'}",
        ]
    )


def _verdict(pages: int, group: int, lines: list[Line]) -> str:
    found = explain(pages, group, [line.record for line in lines])
    return "conforms" if found.unexplained is None else found.unexplained.why


def _explained(found: Explanation, records: int) -> str:
    if found.unexplained is None:
        return f"the log conforms: its {records:,} records are {found.actions:,} steps of the model"
    odd = found.unexplained
    record = odd.record
    about = f" {record.page}" if record.page is not None else ""
    return "\n".join(
        [
            f"no behaviour of the model explains this log: {found.steps:,} of {records:,} records are explained",
            f"first unexplained: record {odd.number} of the {record.host}, {record.thread}: {record.step.value}{about}",
            f"why: {odd.why}",
            f"could have been taken instead: {', '.join(odd.enabled) or 'nothing'}",
        ]
    )


def _told(outcome: str, why: str, guest: Check | None) -> str:
    said = f"migration {outcome}" + (f": {why}" if why else "")
    if guest is None:
        return f"{said}; the guest is not here"
    found = "its memory is as it wrote it" if not guest.damage else "damage: " + "; ".join(guest.damage)
    return f"{said}; the guest runs here: {guest.reads:,} reads, {guest.writes:,} writes, {found}"


def _code(guest: Check | None, here: int) -> int:
    if guest is None or guest.where == "lost":
        return GUEST_LOST
    return DAMAGED if guest.damage else here


def _guest(size: str, target_page: int, kind: str, vcpus: int, work: str, rate: int, seed: int) -> GuestOptions:
    for what, value, known in (("memory", kind, memory.KINDS), ("workload", work, workload.KINDS)):
        if value not in known:
            raise UsageError(f"--{what} {value}: one of {', '.join(known)}")
    if target_page not in (1024, 2048, 4096):
        raise UsageError(f"--target-page {target_page}: 1024, 2048 or 4096")
    if vcpus not in (1, 2):
        raise UsageError(f"--vcpus {vcpus}: 1 or 2")
    if rate < 0:
        raise UsageError(f"--rate {rate}: 0 or more")
    return GuestOptions(_bytes(size), target_page, kind, work, vcpus, rate, 0.5, seed)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMG]?)", text, re.IGNORECASE)
    size = int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2].upper()] if match else 0
    if not 64 << 10 <= size <= 64 << 30 or size % 4096:
        raise UsageError(f"--size {text}: from 64K to 64G, in whole pages, e.g. 64M or 1G")
    return size


def _source(switch: str, timeout: float) -> SourceOptions:
    if switch not in (AT_ONCE, FIRST_PASS, NEVER) and not re.fullmatch(r"\d+(\.\d+)?", switch):
        raise UsageError(f"--switch {switch}: {AT_ONCE}, {FIRST_PASS}, {NEVER}, or a number of seconds")
    _check_times(timeout=timeout)
    return SourceOptions(switch=switch, timeout=timeout)


def _check_times(**seconds: float) -> None:
    """Refuse times that no clock can wait for."""
    for name, value in seconds.items():
        if not 0 <= value <= DAY or (value == 0 and name != "settle"):
            more = "0" if name == "settle" else "more than 0"
            raise UsageError(f"--{name} {value:g}: {more} to {DAY:,} seconds")


def _check_log(log: Path | None) -> None:
    if log is not None:
        outputs.check(log, outputs.BEGINS[".jsonl"], option="--log")


def _address(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[?([^\]]+?)\]?:(\d{1,5})", text)
    if not match or int(match[2]) > 65535:
        raise UsageError(f"{text} is no HOST:PORT")
    return match[1], int(match[2])


@contextmanager
def _progress() -> Iterator[Callable[[SourceHost], None]]:
    """A progress line on stderr; silent where that is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting the guest") as status:

        def look(host: SourceHost) -> None:
            core, report = host.core, host.report
            sent = (report.precopy_bytes + report.postcopy_bytes) / 2**20
            phase = core.phase.name.lower()
            if core.phase in (Phase.PRECOPY, Phase.POSTCOPY):
                phase += f", {core.dirty.count:,} pages to send"
            status.update(f"{phase}; {sent:,.0f} MiB sent")

        yield look
