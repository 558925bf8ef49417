"""What second provers say of a proof, as a record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from postcopy.prover.confirmation.confirm import Answer, Confirmation
from postcopy.report.results.confirmation import sentence


class SecondProverRecord(msgspec.Struct, frozen=True):
    """How a second prover did.

    Attributes:
        name: its name.
        asked: how many questions it was asked.
        confirmed: how many of them it refuted as z3 did.
    """

    name: str
    asked: int
    confirmed: int


class UnconfirmedRecord(msgspec.Struct, frozen=True):
    """A question that a second prover has not confirmed.

    Attributes:
        about: what the question belongs to: protocol, conjunct, action, part.
        prover: the second prover.
        why: why it has no answer; empty for a disagreement.
        file: the question in SMT-LIB 2, for a disagreement.
    """

    about: dict[str, str]
    prover: str
    why: str = ""
    file: str | None = None


class ConfirmationRecord(msgspec.Struct, frozen=True):
    """What second provers say of what z3 has refuted.

    Attributes:
        sentence: the same in one sentence or two.
        asked: how many questions z3 has refuted.
        confirmed: how many of them all second provers that were asked refute too.
        provers: the second provers.
        unanswered: what a second prover had no answer to.
        disagreements: what a second prover finds satisfiable.
        seconds: time that it took.
    """

    sentence: str
    asked: int
    confirmed: int
    provers: list[SecondProverRecord]
    unanswered: list[UnconfirmedRecord]
    disagreements: list[UnconfirmedRecord]
    seconds: float


def confirmation_record(found: Confirmation, files: Sequence[Path]) -> ConfirmationRecord:
    """What second provers say, as a record.

    Args:
        found: see there.
        files: of each disagreement, where its question was written.
    """
    return ConfirmationRecord(
        sentence=sentence(found),
        asked=found.asked,
        confirmed=found.confirmed,
        provers=[SecondProverRecord(tally.prover, tally.asked, tally.confirmed) for tally in found.tallies],
        unanswered=[_unconfirmed(answer) for answer in found.unanswered],
        disagreements=[_unconfirmed(answer, file) for answer, file in zip(found.disagreements, files, strict=True)],
        seconds=round(found.seconds, 3),
    )


def _unconfirmed(answer: Answer, file: Path | None = None) -> UnconfirmedRecord:
    return UnconfirmedRecord(dict(answer.question.about), answer.prover, answer.said.why, str(file) if file else None)
