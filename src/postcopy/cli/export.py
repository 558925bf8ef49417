"""`postcopy export`: the model in another tool's language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.exporting import export_model, refuse_file
from postcopy.api.progress import silent
from postcopy.cli.memory import within_memory
from postcopy.cli.options import Force, MaxMemory
from postcopy.cli.parameters import choice
from postcopy.cli.selection import Question
from postcopy.cli.taking import takes

TOO_LARGE = "allow more, or export fewer --pages"


class Form(StrEnum):
    """The languages."""

    PROMELA = "promela"
    TLA = "tla"
    AUT = "aut"


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Question):
    """All options of the command."""

    form: Annotated[Form, choice(Form, "export", help="for Spin, for TLC, for mCRL2 and CADP")]
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="write to this file, not to the terminal"),
    ] = None
    max_memory: MaxMemory = "4G"
    force: Force = False


@takes(ExportOptions)
def command(asked: ExportOptions) -> int:
    """Write the model; the properties become assertions and invariants."""
    if asked.out is not None:
        refuse_file(asked.form, asked.out, force=asked.force)
    with within_memory(asked.max_memory, TOO_LARGE, silent):
        model = export_model(
            asked.form,
            asked.load(),
            pages=asked.pages,
            in_flight=asked.in_flight,
            host_page=asked.host_page,
            properties=asked.properties or (),
        )
        if asked.out is None:
            print(model.text, end="")
        else:
            model.save(asked.out, force=asked.force)
    return 0
