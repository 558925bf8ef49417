"""`record`: two real QEMUs migrate a small guest, and everything is kept that can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from postcopy.api.asking import path_of, texts, whole_numbers
from postcopy.api.text_result import LinesResult
from postcopy.errors import UsageError
from postcopy.recording import record as recorder
from postcopy.recording.record import INSTALLED, Outcome, Recording
from postcopy.recording.scenarios import ScenarioName
from postcopy.suggestions import not_among
from postcopy.surface import setting


@dataclass(frozen=True, repr=False)
class RecordResult(LinesResult):
    """A recorded migration of two QEMUs.

    Attributes:
        name: the scenario.
        directory: where it is kept.
        found: what its ``recording.json`` says.
    """

    _command = "record"

    name: str
    directory: Path
    found: Recording

    @property
    def verdict(self) -> str:
        """``intact``: the guest runs on one side and has found all pages as it had written them; ``not intact``: it
        runs and is damaged, stands still, or runs on both sides; ``lost``: it runs nowhere."""
        if self.found.guest_is_intact:
            return "intact"
        return "not intact" if self.found.source.runs or self.found.destination.runs else "lost"

    @property
    def lines(self) -> list[str]:
        """What the terminal says of it."""
        found = self.found
        said = [f"QEMU {found.qemu}, {found.scenario}: {found.seconds:.1f} s, kept in {self.directory}"]
        for side, outcome in (("source", found.source), ("destination", found.destination)):
            said.append(f"{side}: {' → '.join(outcome.statuses) or 'no migration'}; {_guest(outcome)}")
        failed = found.what_failed
        return [*said, f"the scenario did not come to its end: {failed}"] if failed else said

    @property
    def sentence(self) -> str:
        """What the guest is, and which QEMU it was."""
        return f"{self.verdict}: {self.lines[0]}"

    @property
    def record(self) -> Recording:
        """What ``recording.json`` says."""
        return self.found

    def __bool__(self) -> bool:
        """True: the guest is intact. False: it is not, or is lost."""
        return self.found.guest_is_intact


def _guest(outcome: Outcome) -> str:
    if outcome.exit is not None:
        return f"QEMU has ended with {outcome.exit}"
    if not outcome.runs:
        return "the guest does not run"
    if outcome.errors is None:
        return "the guest runs and stands still"
    found = f"{outcome.errors} pages wrong" if outcome.errors else "all pages as it had written them"
    return f"the guest runs and has found {found}"


def record(
    directory: str | Path, *, scenario: str = ScenarioName.DEFAULT.value, qemu: str = INSTALLED, memory: int = 32
) -> RecordResult:
    """Let two real QEMUs migrate a small guest, and keep the wire, their traces, QMP and what the guest has found.

    Args:
        directory: where it is kept: one that is new or empty.
        scenario: what happens (docs/engine.md).
        qemu: the QEMU for both sides, a name or a path.
        memory: the guest's, in MiB, from 2 to 1024.

    Raises:
        UsageError: there is no such scenario, or the memory is out of range.
        PostcopyError: there is no such QEMU, it does not do what every scenario needs, or the directory is not empty.
    """
    if scenario not in list(ScenarioName):
        raise UsageError(not_among("scenario", scenario, ScenarioName))
    whole_numbers(memory=memory)
    texts(qemu=qemu)
    if not 2 <= memory <= 1024:
        raise UsageError(f"{setting('memory', memory)} is out of range: 2 to 1024 MiB")
    where = path_of("directory", directory)
    return RecordResult(scenario, where, recorder.record(where, ScenarioName(scenario), qemu, memory))
