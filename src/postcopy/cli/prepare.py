"""`postcopy prepare`: what every large search needs is compiled once, before the first."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from postcopy.api.preparing import USUAL, prepare
from postcopy.cli.options import AsJson
from postcopy.cli.output import print_json
from postcopy.cli.progress import progress


def command(
    words: Annotated[
        list[int] | None,
        typer.Option(
            "--words",
            metavar="N",
            help=f"for states of so many 64-bit words; may be given several times; without it: "
            f"{', '.join(map(str, USUAL))}",
        ),
    ] = None,
    small_table: Annotated[
        bool, typer.Option("--small-table", help="the loop of check --small-table too: 15 seconds more")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Compile the loops of searches, which are the same for all protocols, and keep them in the cache.

    A first check of any protocol then compiles its own kernel alone. Done again, it does nothing.
    """
    with progress("looking into the cache") as show:
        result = prepare(words or USUAL, small_table=small_table, progress=show)
    if as_json:
        print_json(result.record)
    else:
        result.print_to(Console(highlight=False))
    return 0
