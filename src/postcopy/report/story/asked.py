"""What every property says from step to step of a run, for a reader who steps by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from postcopy.language.concrete import answer_in, holds, is_deadlock
from postcopy.language.instance import State
from postcopy.language.properties import Kind, Property
from postcopy.language.trace import Trace
from postcopy.language.values import ConcretePages
from postcopy.report.story.words import page_words

Says: TypeAlias = Literal["holds", "violated", "reached", "reached before", "not reached", "not asked"]


@dataclass(frozen=True)
class Saying:
    """What a property says for a while.

    Attributes:
        since: the step after which it says so; 0 is the beginning.
        until: the first step after which it no longer does.
        says: of a property of states, whether the state keeps it; of one of steps, whether the step did; of a witness,
            whether it is reached here, or was before.
        pages: the pages that offend, in words; may be empty.
    """

    since: int
    until: int
    says: Says
    pages: str


@dataclass(frozen=True)
class Asked:
    """A property along a run."""

    prop: Property
    sayings: tuple[Saying, ...]


@dataclass(frozen=True)
class Count:
    """How many properties are violated for a while, by name."""

    since: int
    until: int
    violated: tuple[str, ...]


def asked_along(trace: Trace) -> tuple[Asked, ...]:
    """What each property says after each step of a run; those of whole runs are not asked of a beginning."""
    return tuple(
        Asked(prop, tuple(_spans(_along(trace, prop)))) for prop in trace.instance.properties if not prop.of_runs
    )


def violated_along(asked: Sequence[Asked], steps: int) -> tuple[Count, ...]:
    """Which of the properties are violated, from step to step.

    Args:
        asked: the properties along a run.
        steps: how many steps it has.
    """
    found: list[tuple[str, ...]] = []
    for step in range(steps + 1):
        here = (
            each.prop.name
            for each in asked
            for it in each.sayings
            if it.since <= step < it.until and it.says == "violated"
        )
        found.append(tuple(here))
    counts, step = [], 0
    for names, equal in groupby(found):
        until = step + len(list(equal))
        counts.append(Count(step, until, names))
        step = until
    return tuple(counts)


def _along(trace: Trace, prop: Property) -> Iterator[tuple[Says, str]]:
    """The answer in the beginning, and after each step."""
    reached = False
    for number, state in enumerate(trace.states):
        if prop.of_steps:
            step = trace.steps[number - 1] if number else None
            yield "not asked" if step is None else "violated" if prop.name in step.violated else "holds", ""
        elif prop.is_witness:
            here = holds(answer_in(trace.instance, state, prop.holds))
            yield "reached" if here else "reached before" if reached else "not reached", ""
            reached = reached or here
        else:
            yield _of_state(trace, prop, state)


def _of_state(trace: Trace, prop: Property, state: State) -> tuple[Says, str]:
    if prop.kind is Kind.NO_DEADLOCK:
        return "violated" if is_deadlock(trace.instance, state) else "holds", ""
    answer = answer_in(trace.instance, state, prop.holds)
    if holds(answer):
        return "holds", ""
    return "violated", page_words(answer.bits) if isinstance(answer, ConcretePages) and answer.bits else ""


def _spans(answers: Iterator[tuple[Says, str]]) -> Iterator[Saying]:
    step = 0
    for (says, pages), equal in groupby(answers):
        until = step + len(list(equal))
        yield Saying(step, until, says, pages)
        step = until
