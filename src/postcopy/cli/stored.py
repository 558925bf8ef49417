"""Stored runs that commands read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import all_asked, with_everything
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.report.story.itf import read_itf

StoredRun = Annotated[Path, typer.Argument(metavar="FILE", help="a stored run (.itf.json)")]
OwnProtocol = Annotated[
    str | None,
    typer.Argument(
        metavar="PROTOCOL", help="the protocol of the run, where a file of your own belongs to it: FILE.py:Class"
    ),
]


def read_run(file: Path, own: str | None) -> tuple[str, Trace]:
    """The name of a stored run's protocol, and the run, replayed on the model.

    Args:
        file: where it is stored.
        own: the protocol that it is of, as the user says it; None for the one of the catalogues that the file names.

    Raises:
        TraceError: the file cannot be read or does not belong to this model, or its protocol is a file that is not
            given.
    """
    given = load(own) if own is not None else None
    named = []

    def make(name: str, *size: int) -> Instance:
        named.append(name if given is None else given[0])
        return with_everything(name, *size) if given is None else all_asked(given[1], *size)

    run = read_itf(file, make, fingerprint)
    return named[0], run
