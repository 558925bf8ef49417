"""`postcopy new`: a starting point for a change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.template import TEMPLATE
from postcopy.errors import UsageError


def command(file: Annotated[Path, typer.Argument(metavar="FILE.py", help="where to write it")]) -> int:
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
