"""`postcopy monitor`: stand between two QEMUs, pass on what they send, and judge it as it passes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from postcopy.api.monitoring import monitor_migration
from postcopy.cli.exits import Exit
from postcopy.cli.options import complete_protocol
from postcopy.cli.progress import progress
from postcopy.monitor.judge import Alarm, tell

OF_VERDICT = {"conforms": Exit.OK, "refuted": Exit.VIOLATED, "unknown": Exit.INCONCLUSIVE}


def command(
    listen: Annotated[
        str, typer.Option("--listen", metavar="A", help="where the source connects: tcp:HOST:PORT or unix:PATH")
    ],
    to: Annotated[str, typer.Option("--to", metavar="B", help="where the destination listens")],
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="PROTOCOL",
            help="the protocol, such as qemu-7.2+preempt=off+disk_lock=off; without it, the document's "
            "with recovery, preempt and discards of the whole bitmap",
            autocompletion=complete_protocol,
        ),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="break all connections at the first alarm")] = False,
    web: Annotated[
        int | None, typer.Option("--web", metavar="PORT", help="show a page on this machine; 0: any port")
    ] = None,
) -> int:
    """Pass on, decode and judge until the migration has ended, or until Ctrl-C."""
    with progress("reading the protocol") as show:
        result = monitor_migration(
            listen, to, against=against, stop=stop, web=web, announce=_announce, alarmed=_say, progress=show
        )
    print("\n".join(result.lines))
    return OF_VERDICT[result.verdict]


def _announce(said: str) -> None:
    print(said, file=sys.stderr, flush=True)


def _say(alarm: Alarm) -> None:
    print("\n".join(tell(alarm)), flush=True)
