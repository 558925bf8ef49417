"""`postcopy explore`: step through a protocol by hand, in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.exploring import explore
from postcopy.cli.options import SHOW, WHAT, HostPage
from postcopy.cli.selection import Selection
from postcopy.cli.taking import takes
from postcopy.errors import UsageError


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
    if asked.trace is not None and any((asked.fault, asked.change, asked.bug)):
        raise UsageError("--trace names its protocol: leave the protocol and its size away")
    protocol = asked.target if asked.trace is not None else asked.load()
    with explore(
        protocol,
        pages=asked.pages,
        in_flight=asked.in_flight,
        host_page=asked.host_page,
        trace=asked.trace,
        port=asked.port,
    ) as explorer:
        print(f"{explorer.name} is at {explorer.address}  (Ctrl-C ends it)", flush=True)
        try:
            explorer.wait()
        except KeyboardInterrupt:
            print()
    return 0
