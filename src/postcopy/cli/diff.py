"""`postcopy diff`: what a change does."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from postcopy.api.comparing import diff
from postcopy.cli.cache import provide_cache
from postcopy.cli.memory import memory_for_states, within_memory
from postcopy.cli.options import AsJson, Force, HostPage, KeepReport, MaxMemory, complete_protocol
from postcopy.cli.output import command_line, keep_page, print_json
from postcopy.cli.progress import progress
from postcopy.report.pages.difference import FORMAT as PAGE

Base = Annotated[
    str,
    typer.Argument(
        metavar="BASE",
        help="a name (postcopy list), FILE.py:Class, or several with + between them, and OPTION=on|off",
        show_default=False,
        autocompletion=complete_protocol,
    ),
]
Changed = Annotated[
    str,
    typer.Argument(
        metavar="CHANGED",
        help="the protocol that is compared with BASE, given in the same way",
        show_default=False,
        autocompletion=complete_protocol,
    ),
]

TOO_LARGE = "allow more, or compare fewer --pages, or behaviours at fewer --behaviour-pages"


def command(
    context: typer.Context,
    base: Base,
    change: Changed,
    pages: Annotated[int, typer.Option("--pages", metavar="N", help="target pages")] = 2,
    in_flight: Annotated[int, typer.Option("--in-flight", metavar="N", help="messages in each channel")] = 1,
    behaviour_pages: Annotated[
        int | None,
        typer.Option(
            "--behaviour-pages",
            metavar="N",
            help="target pages where behaviours are compared, if not as many as where properties are asked",
        ),
    ] = None,
    behaviour_in_flight: Annotated[
        int | None, typer.Option("--behaviour-in-flight", metavar="N", help="messages in each channel there")
    ] = None,
    host_page: HostPage = None,
    max_memory: MaxMemory = "4G",
    report: KeepReport = None,
    force: Force = False,
    as_json: AsJson = False,
) -> int:
    """Compare two protocols."""
    if report is not None:
        PAGE.refuse(report, option="--report", force=force)
    provide_cache()
    memory = memory_for_states(max_memory)
    with progress() as line, within_memory(max_memory, TOO_LARGE, line) as show:
        result = diff(
            base,
            change,
            pages=pages,
            in_flight=in_flight,
            behaviour_pages=behaviour_pages,
            behaviour_in_flight=behaviour_in_flight,
            host_page=host_page,
            max_memory=memory,
            progress=show,
        )
    if as_json:
        print_json(result.record)
    else:
        result.print_to(Console(highlight=False))
    if report is not None:
        keep_page(PAGE, report, result.page(command_line(context)))
    return 0
