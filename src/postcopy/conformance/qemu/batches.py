"""Neighbouring observations that one step of the model explains: pages that are sent one after the other.

Pages are taken together only where nothing tells them apart: none of them comes twice, none is requested later, and the
destination says of all of them, or of none, that they have come before a break. So a batch is received whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postcopy.conformance.qemu.observations import Connected, Meaning, Observation, Recording, Sent, Taken, set_of

REQUEST, BITMAP, PAGE = "REQ_PAGES", "BITMAP", "PAGE"
REQUESTS = "destination.requests_page"


@dataclass(frozen=True)
class Batch:
    """Observations that are explained by one step.

    Attributes:
        bits: their pages.
        arrived: before a new connection: the pages that the destination is going to say it has; None elsewhere.
    """

    observations: Sequence[Observation]
    bits: int
    arrived: int | None = None

    @property
    def means(self) -> tuple[Meaning, ...]:
        """What each of them can be."""
        return self.observations[0].means

    def parts(self, size: int) -> Iterator[Batch]:
        """The same one by one."""
        for observation in self.observations:
            yield _of([observation], size)


def _of(observations: Sequence[Observation], size: int) -> Batch:
    first = observations[0]
    if first.page >= 0:
        return Batch(tuple(observations), set_of([its.page for its in observations], size))
    return Batch(tuple(observations), first.pages or 0)


def batches(stream: Sequence[Observation], recording: Recording) -> Iterator[Batch]:
    """A stream in batches, in order."""
    later = _Later(recording)
    received = any(
        isinstance(its, Taken)
        for stream in recording.streams
        for seen in stream
        if seen.page >= 0
        for its in seen.means
    )
    open_: list[Observation] = []
    members: set[int] = set()
    kind: tuple[object, ...] = ()
    for observation in stream:
        key = (observation.means, observation.host, *later.told_apart(observation))
        alone = recording.group > 1 or received or not _is_page(observation) or later.is_requested(observation.page)
        if open_ and (alone or key != kind or observation.page in members):
            yield _of(open_, recording.pages)
            open_, members = [], set()
        if alone:
            yield later.batch(observation, recording.pages)
        else:
            kind = key
            open_.append(observation)
            members.add(observation.page)
    if open_:
        yield _of(open_, recording.pages)


def _is_page(observation: Observation) -> bool:
    return observation.page >= 0 and any(isinstance(its, Sent) and its.kind == PAGE for its in observation.means)


def is_request(observation: Observation) -> bool:
    """Whether a page is requested."""
    return any(
        (isinstance(its, Sent) and its.kind == REQUEST) or (isinstance(its, Taken) and its.action == REQUESTS)
        for its in observation.means
    )


def requests_in(recording: Recording) -> Counter[int]:
    """How often each page is requested."""
    return Counter(its.page for stream in recording.streams for its in stream if is_request(its))


class _Later:
    """What a recording is going to say about a page."""

    def __init__(self, recording: Recording) -> None:
        self._requested = requests_in(recording)
        self._bitmaps = [
            its.pages or 0
            for stream in recording.streams
            for its in stream
            if any(isinstance(m, Sent) and m.kind == BITMAP for m in its.means)
        ]
        self._as_bytes = [its.to_bytes((recording.pages + 7) // 8, "little") for its in self._bitmaps]
        self._breaks = 0

    def is_requested(self, page: int) -> bool:
        """Whether it is requested at all."""
        return page in self._requested

    def told_apart(self, observation: Observation) -> tuple[object, ...]:
        """What tells a page apart from its neighbours: whether it has come when the destination says so next."""
        if observation.page < 0 or self._breaks >= len(self._as_bytes):
            return ()
        its = self._as_bytes[self._breaks]
        return (self._breaks, its[observation.page >> 3] >> (observation.page & 7) & 1)

    def batch(self, observation: Observation, size: int) -> Batch:
        """An observation alone."""
        batch = _of([observation], size)
        if any(isinstance(its, Connected) for its in observation.means):
            arrived = self._bitmaps[self._breaks] if self._breaks < len(self._bitmaps) else None
            self._breaks += 1
            return Batch(batch.observations, batch.bits, arrived=arrived)
        return batch
