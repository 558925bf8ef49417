"""The command for who wants to step by hand: `postcopy explore`. `postcopy.cli.main` takes it in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import with_everything
from postcopy.cli.options import LOOKING, SHOW, WHAT, BugName, ChangeName, FaultName, HostPage, Target
from postcopy.errors import UsageError
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language.instance import Instance
from postcopy.report.story.itf import read_itf


def explore_by_hand(
    target: Target = None,
    fault: FaultName = None,
    change: ChangeName = None,
    bug: BugName = None,
    pages: Annotated[
        int | None,
        typer.Option(
            "--pages", metavar="N", help="how many target pages the guest has", show_default="2", rich_help_panel=WHAT
        ),
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option(
            "--in-flight",
            metavar="N",
            help="how many messages each channel holds",
            show_default="2",
            rich_help_panel=WHAT,
        ),
    ] = None,
    host_page: HostPage = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE",
            help="go on from a stored run (.itf.json), of the protocol it names",
            rich_help_panel=WHAT,
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", help="where to listen on this machine; 0: any port", rich_help_panel=SHOW),
    ] = 0,
) -> int:
    """Step through a protocol by hand, in a browser on this machine, until Ctrl-C."""
    from postcopy.report.pages.serving import Server
    from postcopy.report.pages.stepping import Stepping

    address = ""
    if trace is not None:
        if (target, fault, change, bug, pages, in_flight, host_page) != (None,) * 7:
            raise UsageError("--trace names its protocol: leave the protocol and its size away")
        named = ""

        def make(name: str, *size: int) -> Instance:
            nonlocal named
            named = name
            return with_everything(name, *size)

        run = read_itf(trace, make, fingerprint)
        stepping = Stepping(named, run.instance)
        address = stepping.address(run)
    else:
        name, protocol = load(target, fault, change, bug)
        group = protocol.group if host_page is None else host_page
        size = (2 if pages is None else pages, 2 if in_flight is None else in_flight, group)
        stepping = Stepping(name, with_everything(name, *size))
    with Server(stepping.answer, port) as server:
        print(f"{stepping.name} is at {server.address}{address}  (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def add_to(app: typer.Typer) -> None:
    """Make it a command of the command line."""
    app.command("explore", rich_help_panel=LOOKING)(explore_by_hand)
