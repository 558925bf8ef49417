"""`postcopy diff`: what a change does."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from postcopy.catalogue.loading import resolve
from postcopy.cli.cache import provide_cache
from postcopy.cli.options import AsJson, HostPage, complete_protocol
from postcopy.cli.output import print_json
from postcopy.cli.progress import of_search, progress
from postcopy.report.records.difference import difference_record
from postcopy.report.results.difference import Size, compare
from postcopy.report.terminal.difference import print_difference

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


def command(
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
    as_json: AsJson = False,
) -> int:
    """Compare two protocols."""
    (old_name, old), (new_name, new) = resolve(base), resolve(change)
    group = max(old.group, new.group) if host_page is None else host_page
    verdicts = Size(pages, in_flight, group)
    behaviours = Size(
        pages if behaviour_pages is None else behaviour_pages,
        in_flight if behaviour_in_flight is None else behaviour_in_flight,
        group,
    )
    provide_cache()
    with progress() as show:
        found = compare((old_name, new_name), old, new, verdicts, behaviours, of_search(show))
    if as_json:
        print_json(difference_record(found))
    else:
        print_difference(found, Console(highlight=False))
    return 0
