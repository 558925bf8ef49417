"""Records one scenario: the wire, both sides' traces, what was said in QMP, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from postcopy.recording.errors import RecordingError
from postcopy.recording.pair import SIDES, Pair, Setting, output_of
from postcopy.recording.scenarios import SCENARIOS, ScenarioName, setting_of

INSTALLED = "qemu-system-x86_64"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one side has ended.

    Attributes:
        statuses: those that the migration had, in order.
        exit: with what QEMU ended by itself, or was killed; None where it went on.
        runs: QEMU says that the guest runs.
        errors: pages that the guest found to be wrong; None where it does not run, or stands still.
        passes: how often each vCPU had been through its pages, the same.
    """

    statuses: tuple[str, ...]
    exit: int | None
    runs: bool
    errors: int | None = None
    passes: tuple[int, ...] = ()


class Recording(msgspec.Struct, frozen=True, kw_only=True, tag="postcopy-recording"):
    """What a directory with a recording says of it: ``recording.json``.

    Attributes:
        version: of this format.
        qemu: the version, as QEMU says it.
        scenario: its name.
        setting: how both sides were set.
        began: seconds since the epoch.
        seconds: how long it took.
        commands: the command line of each side.
        source: how the source has ended.
        destination: how the destination has ended.
        what_failed: what the scenario waited for in vain; empty where all came.
    """

    version: int = 1
    qemu: str
    scenario: ScenarioName
    setting: Setting
    began: float
    seconds: float
    commands: dict[str, list[str]]
    source: Outcome
    destination: Outcome
    what_failed: str = ""

    @property
    def guest_is_intact(self) -> bool:
        """The guest runs on exactly one side, and has found all pages as it had written them."""
        running = [side for side in (self.source, self.destination) if side.runs]
        return len(running) == 1 and running[0].errors == 0


def version_of(program: str) -> str:
    """The version of this QEMU, such as 7.2.22.

    Raises:
        RecordingError: it does not start, or does not say its version as QEMU does.
    """
    words = output_of(program, "--version").split()
    if words[:3] != ["QEMU", "emulator", "version"] or len(words) < 4:
        raise RecordingError(f"{program} is no QEMU: it says {' '.join(words[:8])!r} of its version")
    return words[3]


def record(
    directory: Path,
    scenario: ScenarioName = ScenarioName.DEFAULT,
    program: str = INSTALLED,
    memory: int = 32,
    pair_of: Callable[[str, Setting, Path], Pair] = Pair,
) -> Recording:
    """Run a scenario with two QEMUs and keep all that can be seen, in a directory that is new or empty.

    Args:
        program: the QEMU, a name or a path.
        memory: the guest's, in MiB.
        pair_of: makes the pair of QEMUs.

    Raises:
        RecordingError: there is no such QEMU, or it does not do what every scenario needs.
    """
    chosen = SCENARIOS[scenario]
    setting = setting_of(chosen, memory)
    qemu = version_of(program)
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise RecordingError(f"{directory} is not empty: a recording gets a directory of its own")
    began = time.time()
    failed = ""
    with pair_of(program, setting, directory) as pair:
        pair.boot()
        try:
            chosen.steps(pair)
        except RecordingError as error:
            failed = str(error)
        source, destination = (_outcome(pair, side) for side in SIDES)
        commands = pair.commands
    recording = Recording(
        qemu=qemu,
        scenario=scenario,
        setting=setting,
        began=began,
        seconds=round(time.time() - began, 2),
        commands=commands,
        source=source,
        destination=destination,
        what_failed=failed,
    )
    (directory / "recording.json").write_bytes(msgspec.json.format(msgspec.json.encode(recording)) + b"\n")
    return recording


def _outcome(pair: Pair, side: str) -> Outcome:
    statuses = pair.statuses(side)
    if pair.exit_code(side, 0) is not None or not pair.guest_runs(side):
        return Outcome(statuses=statuses, exit=pair.exit_code(side, 0.1), runs=False)
    try:
        counters = pair.check_guest(side)
    except RecordingError:
        return Outcome(statuses=statuses, exit=pair.exit_code(side, 0.1), runs=True)
    return Outcome(statuses=statuses, exit=None, runs=True, errors=counters.errors, passes=counters.passes)
