"""`postcopy diff`: what a change does."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.loading import load
from postcopy.cli.cache import provide_cache
from postcopy.cli.options import AsJson, HostPage, protocol_names
from postcopy.cli.output import print_json
from postcopy.cli.parameters import completes
from postcopy.cli.progress import of_search, progress
from postcopy.errors import UsageError
from postcopy.language.protocol import Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.report.records.difference import difference_record
from postcopy.report.results.difference import Size, compare
from postcopy.report.terminal.difference import print_difference
from postcopy.suggestions import unknown

Base = Annotated[
    str,
    typer.Argument(
        metavar="BASE",
        help="Postcopy, the name of a fault, change or bug, or FILE.py:Class",
        show_default=False,
        autocompletion=completes(protocol_names),
    ),
]
Changed = Annotated[
    str,
    typer.Argument(
        metavar="CHANGED",
        help="the protocol that is compared with BASE, given in the same way",
        show_default=False,
        autocompletion=completes(protocol_names),
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
    old, new = named(base), named(change)
    group = max(old.group, new.group) if host_page is None else host_page
    verdicts = Size(pages, in_flight, group)
    behaviours = Size(
        pages if behaviour_pages is None else behaviour_pages,
        in_flight if behaviour_in_flight is None else behaviour_in_flight,
        group,
    )
    provide_cache()
    with progress() as show:
        found = compare((base, change), old, new, verdicts, behaviours, of_search(show))
    if as_json:
        print_json(difference_record(found))
    else:
        print_difference(found, Console(highlight=False))
    return 0


def named(name: str) -> type[Protocol]:
    """The protocol of a name or file.

    Raises:
        UsageError: there is none.
    """
    if name == Postcopy.__name__:
        return Postcopy
    if ".py" in name:
        return load(name)[1]
    known: dict[str, type[Protocol]] = {**PROTOCOLS, **FAULTS, **CHANGES}
    if name not in known:
        raise UsageError(unknown("change", name, [Postcopy.__name__, *known]))
    return known[name]
