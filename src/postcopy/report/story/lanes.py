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
        fillings = tuple(
            Filling(
                at[name],
                number[name],
                _waiting(story, name, step.number - 1),
                _waiting(story, name, step.number),
                sum(flight.lost == step.number for flight in story.flights if flight.message.channel == name),
            )
            for name in story.channels
        )
        found.append(Row(step, own, tuple(arrows), fillings))
    return tuple(found)


def _waiting(story: Story, channel: str, after: int) -> int:
    """How many messages are on a channel after a step."""
    return sum(
        flight.message.channel == channel
        and flight.sent <= after
        and all(gone is None or gone > after for gone in (flight.received, flight.lost))
        for flight in story.flights
    )
