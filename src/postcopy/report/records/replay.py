"""The result of driving the engine along a run as a record."""

from __future__ import annotations

import msgspec

from postcopy.conformance.replay import Refusal


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
