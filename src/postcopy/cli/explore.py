"""`postcopy explore`: step through a protocol by hand, in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from postcopy.catalogue.properties import all_asked
from postcopy.cli.options import SHOW, WHAT, HostPage, Selection
from postcopy.cli.parameters import takes
from postcopy.cli.stored import read_run
from postcopy.errors import UsageError
from postcopy.report.pages.serving import Server
from postcopy.report.pages.stepping import Stepping


@dataclass(frozen=True, kw_only=True)
class ExploreOptions(Selection):
    """All options of the command."""

    pages: Annotated[
        int | None,
        typer.Option(
            "--pages", metavar="N", help="how many target pages the guest has", show_default="2", rich_help_panel=WHAT
        ),
    ] = None
    in_flight: Annotated[
        int | None,
        typer.Option(
            "--in-flight",
            metavar="N",
            help="how many messages each channel holds",
            show_default="2",
            rich_help_panel=WHAT,
        ),
    ] = None
    host_page: HostPage = None
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE",
            help="go on from a stored run (.itf.json), of the protocol it names or of FILE.py:Class",
            rich_help_panel=WHAT,
        ),
    ] = None
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="where to listen on this machine; 0: any port", rich_help_panel=SHOW),
    ] = 0


@takes(ExploreOptions)
def command(asked: ExploreOptions) -> int:
    """Serve pages until Ctrl-C."""
    stepping, address = _from_run(asked, asked.trace) if asked.trace is not None else (_from_start(asked), "")
    with Server(stepping.answer, asked.port) as server:
        print(f"{stepping.name} is at {server.address}{address}  (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def _from_start(asked: ExploreOptions) -> Stepping:
    name, protocol = asked.load()
    group = protocol.group if asked.host_page is None else asked.host_page
    pages, in_flight = (2 if given is None else given for given in (asked.pages, asked.in_flight))
    return Stepping(name, all_asked(protocol, pages, in_flight, group))


def _from_run(asked: ExploreOptions, trace: Path) -> tuple[Stepping, str]:
    others = (asked.fault, asked.change, asked.bug, asked.pages, asked.in_flight, asked.host_page)
    if any(given is not None for given in others):
        raise UsageError("--trace names its protocol: leave the protocol and its size away")
    name, run = read_run(trace, asked.target)
    stepping = Stepping(name, run.instance)
    return stepping, stepping.address(run)
