"""`postcopy counterexamples`: the stored collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.counterexamples import counterexamples
from postcopy.cli.progress import progress


def command(directory: Annotated[Path, typer.Argument(metavar="DIR", help="where to write them")]) -> int:
    """Write a shortest counterexample for every fault, every change that does not hold and every real bug."""
    with progress() as show:
        count = counterexamples(directory, progress=show)
    print(f"{count} counterexamples in {directory}")
    return 0
