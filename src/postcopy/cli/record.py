"""`postcopy record`: let two real QEMUs migrate, and keep everything that can be seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.recording import record
from postcopy.cli.exits import Exit
from postcopy.cli.parameters import choice
from postcopy.recording.record import INSTALLED
from postcopy.recording.scenarios import ScenarioName


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="where it is kept: a directory that is new or empty")
    ],
    qemu: Annotated[str, typer.Option("--qemu", metavar="PATH", help="the QEMU for both sides")] = INSTALLED,
    scenario: Annotated[
        ScenarioName, choice(ScenarioName, "scenario", "--scenario", help="what happens (docs/engine.md)")
    ] = ScenarioName.DEFAULT,
    memory: Annotated[
        int, typer.Option("--memory", metavar="MIB", min=2, max=1024, help="the guest's memory in MiB")
    ] = 32,
) -> int:
    """Let two real QEMUs migrate a small guest, and keep the wire, their traces, QMP and what the guest has found."""
    result = record(directory, scenario=scenario, qemu=qemu, memory=memory)
    print("\n".join(result.lines))
    return OF_VERDICT[result.verdict]


OF_VERDICT = {"intact": Exit.OK, "not intact": Exit.VIOLATED, "lost": Exit.GUEST_LOST}
"""The exit code by what became of the guest."""
