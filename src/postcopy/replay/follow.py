"""Plays a story on two QEMUs, step by step, and looks at the end."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from postcopy.language.instance import Instance, State
from postcopy.language.trace import Trace
from postcopy.recording.errors import RecordingError
from postcopy.recording.record import version_of
from postcopy.replay.ends import AT_REST, JUDGEMENTS, as_the_model_says, look_at
from postcopy.replay.errors import NotFaithful, Refused, ReplayError
from postcopy.replay.hosts import Hosts, Wanted
from postcopy.replay.meanings import MEANINGS
from postcopy.replay.results import Answer, Replayed, ReplayResult, StepResult
from postcopy.replay.stage import IMPATIENT, Moment, Stage, Values

SETTLE = 3.0
"""How long all is let through before the last look, in seconds."""
IN_POSTCOPY = frozenset(("source.operator_resumes", "destination.requests_page", "destination.cpu_touches_missing"))
"""Steps for which the source must not have sent everything."""
_CPU = re.compile(r"\[\d+\]$")


def replay_on_qemu(run: Trace, protocol: str, program: str, times: int = 1) -> ReplayResult:
    """Drive two QEMUs along a run, so many times.

    Args:
        run: of a model of QEMU, or of the document.
        protocol: its name.
        program: the QEMU, a name or a path.

    Raises:
        RecordingError: there is no such QEMU, or it does not start.
        ReplayError: the run has steps of which nothing is known for a QEMU.
    """
    moments = list(_moments(run))
    unknown = sorted({name for moment in moments if (name := name_of_action(moment.action)) not in MEANINGS})
    if unknown:
        raise ReplayError(f"{protocol} is no model of QEMU: {', '.join(unknown)} means nothing for one")
    version = version_of(program)
    wanted = _wanted(moments)
    return ReplayResult(
        qemu=version,
        protocol=protocol,
        violated=run.violated or "",
        attempts=tuple(_once(run, moments, program, version, wanted) for _ in range(times)),
    )


def name_of_action(action: str) -> str:
    """The name by which the table of meanings knows an action: without the number of a vCPU."""
    return _CPU.sub("", action)


def _once(run: Trace, moments: list[Moment], program: str, version: str, wanted: Wanted) -> Replayed:
    began = time.monotonic()
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    with (
        tempfile.TemporaryDirectory(prefix="postcopy-replay-") as directory,
        Hosts(program, numbers, wanted, Path(directory)) as hosts,
    ):
        try:
            hosts.start_guest()
        except RecordingError as error:
            raise ReplayError(f"{program}: {error}") from None
        stage = Stage(hosts)
        steps = tuple(_take(stage, number, moment) for number, moment in enumerate(moments, start=1))
        stage.give_what_is_owed()
        end = look_at(hosts)
        hosts.valve.open()
        time.sleep(SETTLE)
        afterwards = look_at(hosts)
        stage.close()
    judge = JUDGEMENTS.get(run.violated or "", as_the_model_says)
    because = judge(afterwards if run.violated in AT_REST else end, moments[-1].after)
    return Replayed(
        steps=steps,
        end=end,
        afterwards=afterwards,
        reproduced=bool(because),
        because=because,
        seconds=round(time.monotonic() - began, 1),
    )


def _take(stage: Stage, number: int, moment: Moment) -> StepResult:
    answer = Answer.FOLLOWED
    if _nothing_left(moment.after) and not _nothing_left(moment.before):
        stage.hurry()
    try:
        seen = MEANINGS[name_of_action(moment.action)](stage, moment)
    except NotFaithful as error:
        answer, seen = Answer.NOT_FAITHFUL, str(error)
    except Refused as error:
        answer, seen = Answer.REFUSED, str(error)
        stage.patience = IMPATIENT
    return StepResult(number, moment.action, answer, seen)


def _nothing_left(values: Values) -> bool:
    """In postcopy, and no page is left to send."""
    return values["source.phase"] in ("POSTCOPY", "ENDING") and not values["source.dirty"]


def _wanted(moments: list[Moment]) -> Wanted:
    first = moments[0].before
    names = [moment.action for moment in moments]
    idle = any(moment.action == "source.sends_discards" and not moment.before["source.dirty"] for moment in moments)
    return Wanted(
        source_postcopy=bool(first["source.postcopy_capability"]),
        destination_postcopy=bool(first["destination.postcopy_capability"]),
        preempt=bool(first.get("preempt")),
        disk_lock=bool(first.get("disk_lock")),
        exit_on_error=bool(first.get("exit_on_error", True)),
        pause_before_switchover=bool(first.get("pause_before_switchover")),
        accepts_later="destination.takes_first_connection" in names,
        idle=idle,
        precopy="source.ends_precopy" in names,
        slow=bool(moments[-1].after["source.dirty"]) or not IN_POSTCOPY.isdisjoint(map(name_of_action, names)),
        unknown_device="destination.device_load_fails" in names,
    )


def _moments(run: Trace) -> Iterator[Moment]:
    before = _values(run.instance, run.initial)
    for step in run.steps:
        after = _values(run.instance, step.state)
        yield Moment(step.action.name, before, after)
        before = after


def _values(instance: Instance, state: State) -> Mapping[str, object]:
    """A state by the names of variables: members of enumerations by name, and what is in each channel."""
    values: dict[str, object] = {}
    for variable, stored in zip(instance.variables, state, strict=True):
        value = variable.decode(stored)
        values[variable.name] = value.name if isinstance(value, Enum) else value
    for name, channel in instance.channels.items():
        values[name] = [
            tuple(state[instance.index[part]] for part in (slot.kind, slot.pages))
            for slot in channel.slots
            if state[instance.index[slot.kind]]
        ]
    return values
