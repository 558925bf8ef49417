"""`postcopy mcp`: checks for a coding assistant, on standard input and output."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.sizes import size_of
from postcopy.cli.exits import Exit
from postcopy.errors import UsageError


def command(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="where protocols and recordings are: none outside of it is read"),
    ] = Path(),
    seconds: Annotated[float, typer.Option("--seconds", metavar="N", help="time that a call may take")] = 120.0,
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="SIZE", help="memory that the process of a call may have")
    ] = "4G",
) -> int:
    """Serve until the client ends."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    if ":" in str(folder.resolve()):  # FILE.py:Class
        raise UsageError(f"{folder.resolve()}: no protocol can be named in a folder with : in its name; rename it")
    if not 0 < seconds <= 86_400:
        raise UsageError(f"--seconds {seconds:g}: more than 0 to 86,400")
    memory = size_of(max_memory, "max_memory", "1G", "16T")
    if find_spec("mcp") is None:
        raise UsageError("postcopy mcp needs the SDK of the Model Context Protocol: pip install 'postcopy-mc[mcp]'")
    from postcopy.assistants.server import Limits, server

    server(Limits(folder.resolve(), seconds, memory)).run("stdio")
    return Exit.OK
