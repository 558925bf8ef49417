"""`postcopy conform`: hold the engine against the model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.exits import Exit
from postcopy.cli.options import AsJson
from postcopy.cli.output import print_json
from postcopy.cli.progress import progress, searched
from postcopy.conformance.logs import Explanation, explain
from postcopy.conformance.refinement import Refinement, refine
from postcopy.conformance.world import World
from postcopy.engine.eventlog import read_log
from postcopy.errors import UsageError


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
    as_json: AsJson = False,
) -> int:
    """Judge a log of a real migration, or every interleaving at a small size."""
    if exhaustive == (log is not None):
        raise UsageError("give either a LOG or --exhaustive")
    size = (pages, in_flight, host_page)
    if log is None:
        return _exhaust(*(1 if given is None else given for given in size), as_json=as_json)
    if size != (None,) * 3:
        raise UsageError("--pages, --in-flight and --host-page go with --exhaustive: a log says its own size")
    _refuse_what_is_no_log(log)
    first, lines = read_log(log)
    found = explain(first.pages, first.group, [line.record for line in lines])
    if as_json:
        print_json(found)
    else:
        print(_explained(found, len(lines)))
    return Exit.VIOLATED if found.unexplained else Exit.OK


def _refuse_what_is_no_log(log: Path) -> None:
    """A protocol or a stored run in the place of a log: say which command is meant, or why there is none."""
    if log.name.partition(":")[0].endswith(".py"):
        raise UsageError(
            f"{log} is a protocol, and conform takes a LOG of the engine (postcopy run --log LOG): it holds that "
            "against the document's protocol and no other"
        )
    if log.name.endswith(".itf.json"):
        raise UsageError(f"{log} is a stored run, and conform takes a LOG of the engine: postcopy replay {log}")


def _exhaust(pages: int, in_flight: int, host_page: int, *, as_json: bool) -> Exit:
    if pages < 1 or in_flight < 1 or host_page not in (1, 2, 4) or pages % host_page:
        raise UsageError("--pages and --in-flight from 1 on, --host-page 1, 2 or 4 and a divisor of --pages")
    with progress("searching") as show:
        begin = time.monotonic()

        def report(states: int, frontier: int) -> None:
            show(searched(states, time.monotonic() - begin, frontier))

        found = refine(World.new(pages, in_flight, host_page), progress=report)
    if as_json:
        print_json(found)
    else:
        print(_refined(found))
    return Exit.VIOLATED if found.failure else Exit.OK


def _refined(found: Refinement) -> str:
    size = f"{found.states:,} states, {found.transitions:,} transitions"
    if found.failure is None:
        taken = f"; {len(found.actions)} of the model's actions were taken"
        return f"the engine's cores refine the model at this size: every interleaving, {size}{taken}"
    lines = [f"the engine does what the model does not ({size} until then)"]
    lines += [f"{n:3}. {move}" for n, move in enumerate(found.failure.moves, start=1)]
    rule = f" ({found.failure.rule})" if found.failure.rule else ""
    return "\n".join([*lines, f"why: {found.failure.why}{rule}"])


def _explained(found: Explanation, records: int) -> str:
    if found.unexplained is None:
        beginning = "" if found.over else "; it is the beginning of a migration: not both hosts have come to their end"
        return f"the log conforms: its {records:,} records are {found.actions:,} steps of the model{beginning}"
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
