"""`replay_run`: the sound engine, or two real QEMUs, driven along a stored run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from postcopy.api.asking import ProtocolLike, path_of, texts, unless_none, whole_numbers
from postcopy.api.stored_runs import TraceResult, read_run
from postcopy.api.text_result import LinesResult
from postcopy.conformance.replay import Refusal, replay
from postcopy.errors import UsageError
from postcopy.language.protocol import Protocol
from postcopy.language.trace import Trace
from postcopy.model.postcopy import Postcopy
from postcopy.replay.follow import replay_on_qemu
from postcopy.replay.results import Answer, Replayed, ReplayResult, SideEnd
from postcopy.surface import setting


class ReplayRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy replay`.

    Attributes:
        number: the step at which the engine refuses, from 1; one more than there are steps where it does not.
        action: that step.
        how: how it refuses; empty where it does not.
        rule: the rule that the run's protocol lacks, and the engine has.
        could: what the engine could do instead.
        refused: the engine refused.
        steps: how many steps the run has.
    """

    number: int
    action: str
    how: str
    rule: str
    could: tuple[str, ...]
    refused: bool
    steps: int


class _OneRun(LinesResult):
    """What is found along a run, which the page shows."""

    _command = "replay"
    run: Trace

    @property
    def _runs(self) -> tuple[Trace]:
        return (self.run,)


@dataclass(frozen=True, repr=False)
class EngineReplayResult(_OneRun):
    """Where the sound engine does not go along with a run.

    Attributes:
        name: the protocol's name.
        run: the run.
        found: where the engine refuses.
    """

    name: str
    run: Trace
    found: Refusal

    @property
    def verdict(self) -> str:
        """``refused``: the engine refuses a step; ``followed``: it goes along to the end."""
        return "refused" if self.found.refused else "followed"

    @property
    def as_it_should(self) -> bool:
        """The engine refuses where the run's protocol lacks a rule, and follows the document's; a change may do
        either."""
        protocol: type[Protocol] = self.run.instance.protocol
        must = True if self.found.rule else False if protocol is Postcopy else self.found.refused
        return self.found.refused is must

    @property
    def lines(self) -> list[str]:
        """What the terminal says of it."""
        found, protocol, steps = self.found, self.run.instance.protocol.__name__, len(self.run.steps)
        if not found.refused:
            said = (
                f"it does not keep {found.rule}" if found.rule else "as it should: no rule is missing in this protocol"
            )
            return [f"the engine goes along with all {steps} steps of {protocol}: {said}"]
        where = f"at step {found.number} of {steps}, {found.action}" if found.action else f"after all {steps} steps"
        kept = f"; so it keeps {found.rule}" if found.rule else ""
        return [
            f"{protocol}: the engine goes along for {found.number - 1} steps and refuses {where}{kept}",
            f"how: {found.how}",
            f"its threads could do instead: {', '.join(found.could) or 'nothing'}",
        ]

    @property
    def sentence(self) -> str:
        """Where it refuses, as one sentence."""
        return self.lines[0]

    @property
    def record(self) -> ReplayRecord:
        """All that ``--json`` prints."""
        found = self.found
        return ReplayRecord(
            number=found.number,
            action=found.action,
            how=found.how,
            rule=found.rule,
            could=found.could,
            refused=found.refused,
            steps=len(self.run.steps),
        )

    def __bool__(self) -> bool:
        """Never answers: whether the engine is to refuse depends on the run. `as_it_should` says it.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("a refusal is good of a faulty protocol, and bad of a sound one; .as_it_should knows")


_MARKS = {Answer.FOLLOWED: "✓", Answer.REFUSED: "✗", Answer.NOT_FAITHFUL: "·"}


@dataclass(frozen=True, repr=False)
class QemuReplayResult(_OneRun):
    """What two QEMUs did along a run.

    Attributes:
        name: the protocol's name.
        run: the run.
        found: each attempt.
    """

    name: str
    run: Trace
    found: ReplayResult

    @property
    def verdict(self) -> str:
        """``reproduced``; ``refused``: QEMU did not go along in any attempt; or ``not reproduced``."""
        if self.found.reproduced:
            return "reproduced"
        refused = any(attempt.count(Answer.REFUSED) for attempt in self.found.attempts)
        return "refused" if refused else "not reproduced"

    @property
    def lines(self) -> list[str]:
        """Each step of the most telling attempt, its end, and how many attempts came out so."""
        return lines_of(self.found)

    @property
    def sentence(self) -> str:
        """Whether it was reproduced, and how."""
        return self.lines[-1]

    @property
    def record(self) -> ReplayResult:
        """All that ``--json`` prints."""
        return self.found

    def __bool__(self) -> bool:
        """Never answers: that a defect is reproduced is neither good nor bad.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("that a run is reproduced is neither good nor bad")


def lines_of(result: ReplayResult) -> list[str]:
    """Each step of the most telling attempt with QEMUs, its end, and how many attempts came out so."""
    shown = next((attempt for attempt in result.attempts if attempt.reproduced), result.attempts[0])
    counts = ", ".join(f"{shown.count(answer)} {answer}" for answer in Answer)
    width = max(len(step.action) for step in shown.steps)
    return [
        *(
            f"{step.number:3} {_MARKS[step.answer]} {step.action:{width}}  {_remark(step.answer, step.seen)}"
            for step in shown.steps
        ),
        "",
        f"{len(shown.steps)} steps: {counts}",
        *(f"{name}: {_side(side)}" for name, side in zip(("source", "destination"), shown.end.sides, strict=True)),
        *_afterwards(shown),
        "",
        _verdict(result, shown),
    ]


def _remark(answer: Answer, seen: str) -> str:
    return seen if answer is Answer.FOLLOWED else f"{answer}: {seen}"


def _afterwards(attempt: Replayed) -> list[str]:
    """What differs once everything was let through."""
    changed = []
    for name in ("source", "destination"):
        before, after = _side(getattr(attempt.end, name)), _side(getattr(attempt.afterwards, name))
        if before != after:
            changed.append(f"once all is let through, {name}: {after}")
    return changed


def _side(side: SideEnd) -> str:
    if side.exit is not None:
        return f"QEMU has ended with {side.exit}" + (f" ({side.complaint})" if side.complaint else "")
    says = f"says {side.status or 'nothing of a migration'}"
    if not side.answers:
        return f"{says}; its monitor is not answered"
    return (
        f"{says}; the guest {'runs' if side.moves else 'is to run and stands still' if side.runs else 'does not run'}"
    )


def _verdict(result: ReplayResult, shown: Replayed) -> str:
    tried = f"{result.reproduced} of {len(result.attempts)}"
    what = f"QEMU {result.qemu}, {result.violated or 'a witness'} of {result.protocol}"
    if result.reproduced:
        return f"{what}: reproduced in {tried}: {shown.because}"
    return f"{what}: not reproduced in any of {len(result.attempts)}"


def replay_run(
    run: str | Path | TraceResult, protocol: ProtocolLike | None = None, *, qemu: str | None = None, times: int = 1
) -> EngineReplayResult | QemuReplayResult:
    """Drive the sound engine along a stored run: where it refuses, and which rule it keeps by that. Or two real QEMUs.

    Args:
        run: a file (.itf.json), or what `postcopy.trace` gives.
        protocol: the protocol that it is of; None for the one of the catalogue that the file names.
        qemu: drive two QEMUs of this program instead, a name or a path.
        times: with qemu: so often, for races; from 1 to 1000.

    Raises:
        TraceError: the file cannot be read or does not belong to this model.
        UsageError: there is no such protocol, or the run is of one that no engine is of.
        PostcopyError: there is no such QEMU, or the run has steps of which nothing is known for one.
    """
    whole_numbers(times=times)
    unless_none(texts, qemu=qemu)
    if not 1 <= times <= 1000:
        raise UsageError(f"{setting('times', times)} is out of range: 1 to 1000")
    if qemu is None and times != 1:
        raise UsageError(f"{setting('times')} is for QEMUs: give {setting('qemu')} as well")
    if qemu is not None and qemu.endswith(".json"):
        raise UsageError(f"{setting('qemu')} takes a QEMU, not {qemu}: the stored run stands before it")
    name, steps = (run.name, run.run) if isinstance(run, TraceResult) else read_run(path_of("run", run), protocol)
    if qemu is None:
        return EngineReplayResult(name, steps, replay(steps))
    return QemuReplayResult(name, steps, replay_on_qemu(steps, name, qemu, times))
