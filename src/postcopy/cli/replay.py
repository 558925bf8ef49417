"""`postcopy replay`: drive the engine, or two real QEMUs, along a stored counterexample."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from postcopy.api.replaying import EngineReplayResult, QemuReplayResult, replay_run
from postcopy.cli.exits import Exit
from postcopy.cli.options import AsJson
from postcopy.cli.output import print_json
from postcopy.cli.stored import OwnProtocol, StoredRun


def command(
    file: StoredRun,
    target: OwnProtocol = None,
    qemu: Annotated[
        str | None,
        typer.Option(
            "--qemu",
            metavar="[PATH]",
            help="drive two QEMUs of this program instead, behind FILE: the installed one where none is given",
        ),
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, max=1000, help="with --qemu: so often, for races")] = 1,
    as_json: AsJson = False,
) -> int:
    """Say where the sound engine refuses, and which rule it keeps by that; or what two real QEMUs do."""
    if qemu is not None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no QEMU is left behind
    result = replay_run(file, target, qemu=qemu, times=times)
    if as_json:
        print_json(result.record)
    else:
        print("\n".join(result.lines))
    return exit_of(result)


OF_QEMU = {"reproduced": Exit.OK, "refused": Exit.REFUSED, "not reproduced": Exit.INCONCLUSIVE}
"""The exit code of each verdict on QEMUs."""


def exit_of(result: EngineReplayResult | QemuReplayResult) -> Exit:
    """The exit code."""
    if isinstance(result, QemuReplayResult):
        return OF_QEMU[result.verdict]
    return Exit.OK if result.as_it_should else Exit.VIOLATED
