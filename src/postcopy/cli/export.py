"""`postcopy export`: the model in another tool's language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.options import Force, Question
from postcopy.cli.parameters import choice, takes
from postcopy.export.files import check_name, files
from postcopy.report.files.file_format import WRITTEN, FileFormat


class Form(StrEnum):
    """The languages."""

    PROMELA = "promela"
    TLA = "tla"
    AUT = "aut"


FORMATS = {
    Form.PROMELA: FileFormat((), "for Spin", comment=f"/* {WRITTEN} */"),
    Form.TLA: FileFormat((".tla",), "for TLC", comment=f"\\* {WRITTEN}"),
    Form.AUT: FileFormat((), "for mCRL2 and CADP", begins="des ("),
}
CONFIGURATION = FileFormat((".cfg",), "TLC's configuration", comment=f"\\* {WRITTEN}")


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Question):
    """All options of the command."""

    form: Annotated[Form, choice(Form, "export", help="for Spin, for TLC, for mCRL2 and CADP")]
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="write to this file, not to the terminal"),
    ] = None
    force: Force = False


@takes(ExportOptions)
def command(asked: ExportOptions) -> int:
    """Write the model; the properties become assertions and invariants."""
    check_name(asked.form, asked.out)
    formats: dict[Path | None, FileFormat] = {}
    if asked.out is not None:
        formats[asked.out] = FORMATS[asked.form]
        if asked.form is Form.TLA:
            formats[asked.out.with_suffix(".cfg")] = CONFIGURATION
        for path, form in formats.items():
            if path is not None:
                form.refuse(path, option="-o", force=asked.force)
    name, protocol = asked.load()
    instance = asked.instance(protocol, liveness=False)
    for path, text in files(asked.form, instance, name, asked.out).items():
        if path is None:
            print(text, end="")
        else:
            formats[path].save(path, text)
    return 0
