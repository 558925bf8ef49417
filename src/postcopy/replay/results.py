"""What came of a replay."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from postcopy.replay.hosts import Position


class Answer(StrEnum):
    """What QEMU did with a step."""

    FOLLOWED = "followed"
    REFUSED = "refused"
    NOT_FAITHFUL = "not faithful"


class StepResult(msgspec.Struct, frozen=True):
    """A step of the story.

    Attributes:
        number: from 1.
        action: its name.
        answer: what QEMU did with it.
        seen: what was seen, or what QEMU did instead, or why nothing can be seen.
    """

    number: int
    action: str
    answer: Answer
    seen: str


class SideEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One side at the end.

    Attributes:
        exit: with what the process has ended, negative for a signal; None where it goes on.
        answers: its monitor answers.
        statuses: those that the migration has had.
        runs: QEMU says that the guest runs; None where it says nothing.
        position: where the guest is; None where QEMU does not say it.
        moves: the guest has gone on between two looks.
        complaint: the last line of standard error.
    """

    exit: int | None
    answers: bool
    statuses: tuple[str, ...]
    runs: bool | None
    position: Position | None
    moves: bool
    complaint: str

    @property
    def status(self) -> str:
        """The last status; empty where there was none."""
        return self.statuses[-1] if self.statuses else ""


class End(msgspec.Struct, frozen=True):
    """Both sides at one time."""

    source: SideEnd
    destination: SideEnd

    @property
    def sides(self) -> tuple[SideEnd, SideEnd]:
        """Both."""
        return self.source, self.destination

    @property
    def went_back(self) -> int | None:
        """How many pages of work the source's guest is behind the destination's; None where it is not behind."""
        here, there = self.source.position, self.destination.position
        if here is None or there is None or not (self.source.runs and self.destination.runs):
            return None
        return max(0, there.passed - here.passed) or None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt.

    Attributes:
        steps: the story's, in order.
        end: what was seen at the story's end.
        afterwards: what was seen some seconds after everything was let through.
        reproduced: what the story violates is so of these QEMUs.
        because: in words.
        seconds: how long it took.
    """

    steps: tuple[StepResult, ...]
    end: End
    afterwards: End
    reproduced: bool
    because: str
    seconds: float

    def count(self, answer: Answer) -> int:
        """How many steps have this answer."""
        return sum(step.answer is answer for step in self.steps)


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True, tag="postcopy-replay"):
    """All attempts with one story and one QEMU.

    Attributes:
        version: of this format.
        qemu: QEMU's version.
        protocol: the story's.
        violated: the property that it violates; empty where it is a witness.
        attempts: each of them.
    """

    version: int = 1
    qemu: str
    protocol: str
    violated: str
    attempts: tuple[Replayed, ...]

    @property
    def reproduced(self) -> int:
        """In how many attempts."""
        return sum(attempt.reproduced for attempt in self.attempts)
