"""The commands for who writes a change: `postcopy diff` and `postcopy new`. `postcopy.cli.main` takes them in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.loading import load
from postcopy.cli.options import WRITING, AsJson
from postcopy.cli.progress import progress
from postcopy.cli.template import TEMPLATE
from postcopy.errors import UsageError
from postcopy.language.protocol import Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.suggestions import unknown

ProtocolName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Postcopy, the name of a fault, change or bug, or FILE.py:Class", show_default=False
    ),
]


def diff(
    base: ProtocolName,
    change: ProtocolName,
    pages: Annotated[int, typer.Option("--pages", metavar="N", help="target pages where properties are asked")] = 2,
    in_flight: Annotated[int, typer.Option("--in-flight", metavar="N", help="messages in each channel there")] = 1,
    behaviour_pages: Annotated[
        int, typer.Option("--behaviour-pages", metavar="N", help="target pages where behaviours are compared")
    ] = 1,
    behaviour_in_flight: Annotated[
        int, typer.Option("--behaviour-in-flight", metavar="N", help="messages in each channel there")
    ] = 1,
    as_json: AsJson = False,
) -> int:
    """Say what a change does: to the text, to the properties, and to what can be seen of a migration."""
    from postcopy.report.results.difference import Size, compare, print_report, to_json

    old, new = named(base), named(change)
    sizes = Size(pages, in_flight), Size(behaviour_pages, behaviour_in_flight)
    with progress() as look:
        report = compare((base, change), old, new, *sizes, look)
    if as_json:
        print(json.dumps(to_json(report), indent=2, ensure_ascii=False))
    else:
        print_report(report, Console(highlight=False))
    return 0


def new(file: Annotated[Path, typer.Argument(metavar="FILE.py", help="where to write it")]) -> int:
    """Write a commented starting point for a change of your own."""
    if file.suffix != ".py":
        raise UsageError(f"{file}: the name has to end in .py")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE)
    except FileExistsError:
        raise UsageError(f"{file} is there already: choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    print(f"{file} written. Check it:  postcopy check {file}")
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


def add_to(app: typer.Typer) -> None:
    """Make these commands of the command line."""
    for command in (new, diff):
        app.command(rich_help_panel=WRITING)(command)
