"""`postcopy conform`: hold the engine, or a recorded migration of two QEMUs, against the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.conforming import conform, conform_exhaustively
from postcopy.api.progress import silent
from postcopy.cli.exits import Exit
from postcopy.cli.memory import within_memory
from postcopy.cli.options import AsJson, Force, MaxMemory, complete_protocol
from postcopy.cli.output import print_json, say
from postcopy.cli.progress import progress
from postcopy.errors import UsageError
from postcopy.report.files.file_format import WRITTEN, FileFormat

RUN = FileFormat((), "a run in words", comment=f"# {WRITTEN}")

Wire = Annotated[
    Path | None,
    typer.Option("--wire", metavar="CAPTURE", help="what passed between two QEMUs: a directory of postcopy record"),
]
Trace = Annotated[
    tuple[Path, Path] | None,
    typer.Option("--trace", metavar="SRC DST", help="the logs of trace events of two QEMUs: source, then destination"),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="PROTOCOL",
        help="the protocol, with --wire and --trace; without it, that of QEMU's version",
        autocompletion=complete_protocol,
    ),
]
KeepRun = Annotated[
    Path | None,
    typer.Option("--keep", metavar="FILE", help="write the run that explains it, a line for each step"),
]


TOO_LARGE = "allow more, or take fewer --pages or a smaller --in-flight"


def command(
    log: Annotated[Path | None, typer.Argument(metavar="LOG", help="an event log (postcopy run --log LOG)")] = None,
    exhaustive: Annotated[
        bool,
        typer.Option("--exhaustive", help="every interleaving of the engine's threads instead of one log"),
    ] = False,
    pages: Annotated[
        int | None, typer.Option("--pages", metavar="N", help="target pages, with --exhaustive", show_default="1")
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option("--in-flight", metavar="N", help="messages in each channel, with --exhaustive", show_default="1"),
    ] = None,
    host_page: Annotated[
        int | None,
        typer.Option(
            "--host-page", metavar="N", help="target pages of a host page, with --exhaustive", show_default="1"
        ),
    ] = None,
    qemu: Annotated[
        bool, typer.Option("--qemu", help="as the cores are towards a QEMU (run source --qemu), with --exhaustive")
    ] = False,
    recovery: Annotated[
        bool, typer.Option("--recovery", help="as the cores are with run --recover, with --exhaustive")
    ] = False,
    preempt: Annotated[
        bool, typer.Option("--preempt", help="as the cores are with run --preempt, with --exhaustive")
    ] = False,
    wire: Wire = None,
    trace: Trace = None,
    against: Against = None,
    keep: KeepRun = None,
    max_memory: MaxMemory = "4G",
    force: Force = False,
    as_json: AsJson = False,
) -> int:
    """Judge a log of the engine, a recorded migration of two QEMUs, or every interleaving at a small size."""
    of_qemu = wire is not None or trace is not None
    if exhaustive + (log is not None) + (wire is not None) + (trace is not None) != 1:
        raise UsageError("give a LOG, --exhaustive, --wire CAPTURE or --trace SRC DST, and only one of them")
    if not of_qemu and (against is not None or keep is not None):
        raise UsageError("--against and --keep go with --wire and --trace")
    if keep is not None:
        RUN.refuse(keep, option="--keep", force=force)
    size = {"pages": pages, "in_flight": in_flight, "host_page": host_page}
    given = {name: number for name, number in size.items() if number is not None}
    if (given and not exhaustive) or ((qemu or recovery or preempt) and log is not None):
        what = "a recording" if of_qemu else "a log"
        also = "" if of_qemu else ", --qemu, --recovery and --preempt"
        names = "--pages, --in-flight and --host-page" if of_qemu else "--pages, --in-flight, --host-page"
        raise UsageError(f"{names}{also} go with --exhaustive: {what} says its own size")
    if exhaustive:
        with progress("searching") as line, within_memory(max_memory, TOO_LARGE, line) as show:
            result = conform_exhaustively(**given, qemu=qemu, recovery=recovery, preempt=preempt, progress=show)
    else:
        with within_memory(max_memory, "allow more", silent):
            result = conform(log, wire=wire, trace=trace, against=against, keep_run=keep is not None)
    if keep is not None:
        try:
            RUN.save(keep, "".join(f"{line}\n" for line in result.run))
        except UsageError as error:
            say(f"--keep {error}")
    if as_json:
        print_json(result.record)
    else:
        print("\n".join(result.lines))
    return OF_VERDICT[result.verdict]


OF_VERDICT = {"conforms": Exit.OK, "beginning": Exit.OK, "refuted": Exit.VIOLATED, "unknown": Exit.INCONCLUSIVE}
"""The exit code of each verdict."""
