"""`postcopy new`: a starting point for a change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.new_change import new

On = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="the protocol to change, e.g. qemu-11 (postcopy list); without it the document's"
    ),
]


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="where to write it")],
    on: On = None,
) -> int:
    """Write a commented starting point for a change of your own."""
    written = new(file, on)
    print(f"{written.path} written. Check it:  {written.check}")
    return 0
