"""Stored runs that commands read: their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.options import complete_protocol

StoredRun = Annotated[Path, typer.Argument(metavar="FILE", help="a stored run (.itf.json)")]
OwnProtocol = Annotated[
    str | None,
    typer.Argument(
        metavar="PROTOCOL",
        help="the protocol of the run, where a file of your own belongs to it (FILE.py:Class) or the run names none",
        autocompletion=complete_protocol,
    ),
]
