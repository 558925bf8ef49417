"""`postcopy replay`: drive the engine along a stored counterexample."""

from __future__ import annotations

import msgspec

from postcopy.cli.exits import Exit
from postcopy.cli.options import AsJson
from postcopy.cli.output import print_json
from postcopy.cli.stored import OwnProtocol, StoredRun, read_run
from postcopy.conformance.replay import Refusal, replay
from postcopy.model.postcopy import Postcopy


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


def replay_record(found: Refusal, steps: int) -> ReplayRecord:
    """The result as a record.

    Args:
        found: where the engine did not go along.
        steps: how many steps the run has.
    """
    return ReplayRecord(
        number=found.number,
        action=found.action,
        how=found.how,
        rule=found.rule,
        could=found.could,
        refused=found.refused,
        steps=steps,
    )


def command(file: StoredRun, target: OwnProtocol = None, as_json: AsJson = False) -> int:
    """Say where the sound engine refuses, and which rule it keeps by that."""
    _, run = read_run(file, target)
    found = replay(run)
    protocol = run.instance.protocol
    if as_json:
        print_json(replay_record(found, len(run.steps)))
    else:
        print(_in_words(found, protocol.__name__, len(run.steps)))
    must = True if found.rule else False if protocol is Postcopy else found.refused  # a change may do either
    return Exit.OK if found.refused is must else Exit.VIOLATED


def _in_words(found: Refusal, protocol: str, steps: int) -> str:
    if not found.refused:
        said = f"it does not keep {found.rule}" if found.rule else "as it should: no rule is missing in this protocol"
        return f"the engine goes along with all {steps} steps of {protocol}: {said}"
    where = f"at step {found.number} of {steps}, {found.action}" if found.action else f"after all {steps} steps"
    kept = f"; so it keeps {found.rule}" if found.rule else ""
    return "\n".join(
        [
            f"{protocol}: the engine goes along for {found.number - 1} steps and refuses {where}{kept}",
            f"how: {found.how}",
            f"its threads could do instead: {', '.join(found.could) or 'nothing'}",
        ]
    )
