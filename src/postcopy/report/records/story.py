"""A run as a record."""

from __future__ import annotations

import msgspec

from postcopy.report.story.tell import Story


class StepRecord(msgspec.Struct, frozen=True):
    """One step of a run.

    Attributes:
        number: counted from 1.
        thread: the thread that takes it.
        does: what it does, with the page that it does it to.
        rule: rules of the document, separated by blanks; may be empty.
        qemu: the function of QEMU, where known.
        changes: what is different afterwards, one line each.
    """

    number: int
    thread: str
    does: str
    rule: str
    qemu: str
    changes: list[str]


class RunRecord(msgspec.Struct, frozen=True):
    """A run.

    Attributes:
        given: how it starts where a start may differ, one line each.
        loop: for a run that goes on for ever, the number of the first step that is repeated (one more than there are
            steps where nothing need happen any more).
        steps: its steps.
        contradiction: why the run violates the property; null for a run that violates none.
    """

    given: list[str]
    loop: int | None
    steps: list[StepRecord]
    contradiction: str | None


class TraceRecord(msgspec.Struct, frozen=True):
    """A stored run.

    Attributes:
        protocol: the protocol's class.
        violated: the property that the run violates, by name.
        given, loop, steps, contradiction: as in every run.
    """

    protocol: str
    violated: str | None
    given: list[str]
    loop: int | None
    steps: list[StepRecord]
    contradiction: str | None


def run_record(story: Story) -> RunRecord:
    """A run as a record."""
    steps = [
        StepRecord(
            number=step.number,
            thread=step.thread,
            does=step.what,
            rule=step.rule,
            qemu=step.qemu,
            changes=[change.words for change in step.changes],
        )
        for step in story.steps
    ]
    return RunRecord(
        given=list(story.given),
        loop=story.loop,
        steps=steps,
        contradiction=story.contradiction.words if story.contradiction else None,
    )


def trace_record(story: Story, violated: str | None) -> TraceRecord:
    """A stored run as a record."""
    run = run_record(story)
    return TraceRecord(
        protocol=story.protocol,
        violated=violated,
        given=run.given,
        loop=run.loop,
        steps=run.steps,
        contradiction=run.contradiction,
    )
