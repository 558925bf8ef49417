"""What every part of the state held from step to step: all that a story leaves out because it did not change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from postcopy.language.trace import Trace
from postcopy.language.variables import Sort
from postcopy.report.story.words import (
    MessageInWords,
    contents,
    contents_words,
    plain,
    slot_variables,
    value_words,
    variable_words,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Value:
    """What a part of the state held for a while.

    Attributes:
        since: the step after which it held it; 0 is the beginning.
        until: the first step after which it no longer did; one more than there are steps, where it never changed again.
        words: the value in words.
        bits: for a set of pages, one bit a page.
        messages: for a channel what is on it, oldest first.
    """

    since: int
    until: int
    words: str
    bits: int | None = None
    messages: tuple[MessageInWords, ...] | None = None


@dataclass(frozen=True)
class Held:
    """One part of the state through a whole run.

    Attributes:
        variable: its name in the model (for the messages on a channel, the channel's name).
        owner: the machine, channel or observer that it belongs to, in words; or that it is chosen at the start.
        title: what it is in the document's words.
        ghost: no thread knows it; it is there for the properties.
        values: what it held, one after the other.
    """

    variable: str
    owner: str
    title: str
    ghost: bool
    values: tuple[Value, ...]


def held(trace: Trace) -> tuple[Held, ...]:
    """All parts of the state through a run: what is on the channels first, then the variables as declared."""
    instance = trace.instance
    found, folded = [], set()
    for channel in instance.channels.values():
        folded.update(slot_variables(channel))
        queues = _spans(tuple(contents(instance, state, channel)) for state in trace.states)
        values = tuple(
            Value(since, until, contents_words(list(queue)), messages=queue) for since, until, queue in queues
        )
        found.append(Held(channel.name, "channels", plain(channel.name), False, values))
    for v in instance.variables:
        if v not in folded:
            stored = _spans(state[instance.index[v]] for state in trace.states)
            pages = v.sort is Sort.PAGES
            values = tuple(
                Value(since, until, value_words(v, value), value if pages else None) for since, until, value in stored
            )
            owner = "chosen at the start" if v.chosen else plain(v.owner)
            found.append(Held(v.name, owner, variable_words(v), v.ghost, values))
    return tuple(found)


def _spans(values: Iterable[T]) -> list[tuple[int, int, T]]:
    """Runs of equal values, with the steps from and until which they last."""
    found, step = [], 0
    for value, equal in groupby(values):
        until = step + len(list(equal))
        found.append((step, until, value))
        step = until
    return found
