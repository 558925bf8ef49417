"""A story as rows of lanes, one row a step, one lane a thread or channel: places only, no words and no pixels.

With a lane for every channel a message needs two short arrows, each inside its own row: one when it is put on the
channel, one when it is taken off. Between them the channel's lane is filled. So rows may be as high as their text.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from postcopy.report.story.tell import Story, StoryStep


@dataclass(frozen=True)
class Arrow:
    """A message put on a channel or taken off it.

    Attributes:
        start, end: lanes.
        channel: number of the channel.
        sent: it is put on the channel, so that `end` is the channel's lane.
    """

    start: int
    end: int
    channel: int
    sent: bool


@dataclass(frozen=True)
class Filling:
    """How many messages are on a channel before and after a step, of which some may have been lost in it."""

    lane: int
    channel: int
    before: int
    after: int
    lost: int


@dataclass(frozen=True)
class Row:
    """A step: the lane of its thread, what it does to the channels, and how full they are."""

    step: StoryStep
    lane: int
    arrows: tuple[Arrow, ...]
    fillings: tuple[Filling, ...]


@dataclass(frozen=True)
class Gap:
    """A place beside a run's steps where it takes none: its channels stay as full as they are."""

    fillings: tuple[Filling, ...]
    lane: None = None
    arrows: tuple[Arrow, ...] = ()


@dataclass(frozen=True)
class Group:
    """The lanes of a host, or of the channels between hosts (whose `host` is empty).

    Attributes:
        host: the host's name.
        names: the lanes' names.
        first: number of the first of them.
    """

    host: str
    names: tuple[str, ...]
    first: int


def groups(story: Story) -> tuple[Group, ...]:
    """The lanes from left to right, host by host."""
    host_of = {lane.thread: lane.host for lane in story.lanes}
    found, first = [], 0
    for host, names in groupby(story.columns, key=lambda name: host_of.get(name, "")):
        lanes = tuple(names)
        found.append(Group(host, lanes, first))
        first += len(lanes)
    return tuple(found)


def rows(story: Story) -> tuple[Row, ...]:
    """The steps from top to bottom."""
    at = {name: lane for lane, name in enumerate(story.columns)}
    number = {name: i for i, name in enumerate(story.channels)}
    found = []
    for step in story.steps:
        own = at[step.thread]
        arrows = [Arrow(at[m.channel], own, number[m.channel], sent=False) for m in step.received]
        arrows += [Arrow(own, at[m.channel], number[m.channel], sent=True) for m in step.sent]
        found.append(Row(step, own, tuple(arrows), _fillings(story, step.number - 1, step.number)))
    return tuple(found)


def gap(story: Story, taken: int) -> Gap:
    """A place without a step.

    Args:
        story: the run.
        taken: how many steps it has taken.
    """
    return Gap(_fillings(story, taken, taken))


def _fillings(story: Story, before: int, after: int) -> tuple[Filling, ...]:
    """How full the channels are after so many steps, before and after what happens next."""
    at = {name: lane for lane, name in enumerate(story.columns)}
    return tuple(
        Filling(
            at[name],
            number,
            _waiting(story, name, before),
            _waiting(story, name, after),
            sum(
                before < flight.lost <= after
                for flight in story.flights
                if flight.lost and flight.message.channel == name
            ),
        )
        for number, name in enumerate(story.channels)
    )


def _waiting(story: Story, channel: str, after: int) -> int:
    """How many messages are on a channel after a step."""
    return sum(
        flight.message.channel == channel
        and flight.sent <= after
        and all(gone is None or gone > after for gone in (flight.received, flight.lost))
        for flight in story.flights
    )
