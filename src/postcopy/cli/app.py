"""The command line as Typer reads it."""

from __future__ import annotations

from typing import Annotated

import typer

from postcopy.cli.commands import COMMANDS
from postcopy.cli.exits import Exit
from postcopy.cli.lazy import lazy_group
from postcopy.cli.output import complain
from postcopy.version import __version__

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Check postcopy live migration, and changes to it, exhaustively; counterexamples read like the protocol.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"postcopy {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """The options before a command."""


def call(given: list[str]) -> int:
    """Do what a command line says; returns its exit code.

    Args:
        given: the command line, without the program's name.
    """
    try:
        code: int = app(given, prog_name="postcopy", standalone_mode=False, obj=given)
    except typer.Exit as done:
        return done.exit_code
    except typer.Abort:
        return Exit.INTERRUPTED
    except typer.TyperException as error:
        return complain(error.format_message())
    return code
