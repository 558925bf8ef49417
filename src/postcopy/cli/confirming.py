"""`postcopy prove --confirm` and `--smt2`: the options of second provers, and the exit code where provers disagree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.confirming import Confirmed, Confirming
from postcopy.cli.exits import Exit
from postcopy.cli.options import HOW, SHOW
from postcopy.cli.output import say
from postcopy.report.results.confirmation import disagreement


@dataclass(frozen=True, kw_only=True)
class ConfirmingOptions:
    """The options of second provers."""

    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="ask cvc5 too (and bitwuzla, about bit-vectors) what z3 has proved",
            rich_help_panel=HOW,
        ),
    ] = False
    smt2: Annotated[
        Path | None,
        typer.Option(
            "--smt2",
            metavar="DIR",
            help="write what z3 has proved to this directory, a question a file, in SMT-LIB 2",
            rich_help_panel=SHOW,
        ),
    ] = None

    def second(self, *, force: bool) -> Confirming:
        """Whether second provers are asked.

        Args:
            force: files in the directory may be replaced, whatever they are.
        """
        return Confirming(self.confirm, self.smt2, force)


def exit_of(second: Confirmed, otherwise: Exit) -> Exit:
    """The exit code of the command: a disagreement is worse than anything that the proof says."""
    if second.found is None or not second.disagrees:
        return otherwise
    for answer, file in zip(second.found.disagreements, second.files, strict=True):
        say(f"{disagreement(answer)}; the question is {file}")
    return Exit.DISAGREEMENT
