"""`postcopy record`: let two real QEMUs migrate, and keep everything that can be seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.exits import Exit
from postcopy.cli.parameters import choice
from postcopy.recording.record import INSTALLED, Outcome, Recording, record
from postcopy.recording.scenarios import ScenarioName


def command(
    directory: Annotated[Path, typer.Argument(help="where it is kept: a directory that is new or empty")],
    qemu: Annotated[str, typer.Option("--qemu", metavar="PATH", help="the QEMU for both sides")] = INSTALLED,
    scenario: Annotated[
        ScenarioName, choice(ScenarioName, "scenario", "--scenario", help="what happens (docs/engine.md)")
    ] = ScenarioName.DEFAULT,
    memory: Annotated[int, typer.Option("--memory", min=2, max=1024, help="the guest's memory in MiB")] = 32,
) -> int:
    """Let two real QEMUs migrate a small guest, and keep the wire, their traces, QMP and what the guest has found."""
    recording = record(directory, scenario, qemu, memory)
    print(f"QEMU {recording.qemu}, {scenario}: {recording.seconds:.1f} s, kept in {directory}")
    for side, outcome in (("source", recording.source), ("destination", recording.destination)):
        print(f"{side}: {' → '.join(outcome.statuses) or 'no migration'}; {_guest(outcome)}")
    if recording.what_failed:
        print(f"the scenario did not come to its end: {recording.what_failed}")
    return Exit.OK if recording.guest_is_intact else _what_happened(recording)


def _guest(outcome: Outcome) -> str:
    if outcome.exit is not None:
        return f"QEMU has ended with {outcome.exit}"
    if not outcome.runs:
        return "the guest does not run"
    if outcome.errors is None:
        return "the guest runs and stands still"
    found = f"{outcome.errors} pages wrong" if outcome.errors else "all pages as it had written them"
    return f"the guest runs and has found {found}"


def _what_happened(recording: Recording) -> Exit:
    """What became of a guest that is not intact: damaged or on both sides, or lost."""
    runs = recording.source.runs or recording.destination.runs
    return Exit.VIOLATED if runs else Exit.GUEST_LOST
