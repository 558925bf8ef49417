"""The event log: one record for each step of the protocol, made by the cores. Conformance reads it.

The names of the steps are this file's; what they are in the model is for `postcopy.conformance` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import assert_never

import msgspec


class Thread(StrEnum):
    """A thread of a host, in the document's words."""

    OPERATOR = "operator"
    MIGRATION = "migration thread"
    RETURN_PATH = "return-path thread"
    MAIN = "main thread"
    LISTEN = "listen thread"
    FAULT = "fault thread"
    PREEMPT = "preempt thread"

    @property
    def host(self) -> str:
        """The host that it runs at: ``source`` or ``destination``."""
        match self:
            case Thread.OPERATOR | Thread.MIGRATION | Thread.RETURN_PATH:
                return "source"
            case Thread.MAIN | Thread.LISTEN | Thread.FAULT | Thread.PREEMPT:
                return "destination"
            case _:
                assert_never(self)


class Step(StrEnum):
    """What a thread of a host did, as one step that no other thread of the host came between."""

    # the source
    STARTED = "started"
    SWITCH_ASKED = "switch asked for"
    CANCELLED = "cancelled"
    OPENED = "opened the return path"
    PINGED = "pinged"
    ADVISED = "advised"
    DIRTIED = "took pages from the dirty log"
    SENT_PRECOPY = "sent a page in precopy"
    STOPPED_TO_FINISH = "stopped the CPUs to finish in precopy"
    ENDED_PRECOPY = "ended precopy"
    STOPPED_TO_SWITCH = "stopped the CPUs to switch"
    SENT_DISCARDS = "sent the discards"
    SENT_PACKAGE = "sent the package"
    SERVED = "served a request"
    DROPPED = "dropped a request"
    SENT_REST = "sent the rest of a host page"
    SENT_BACKGROUND = "sent a page in the background"
    ENDED_POSTCOPY = "ended postcopy"
    GOT_PONG = "got a pong"
    GOT_LATER_PONG = "got a later pong"
    GOT_REQUEST = "got a request"
    GOT_SHUT = "got the word that all has arrived"
    GOT_SHUT_ERROR = "got the word that the destination has failed"
    SOURCE_LOST = "lost the connection"
    SOURCE_PAUSED = "paused without a connection"
    RECONNECTED = "made a new connection"
    ASKED_WHAT_ARRIVED = "asked what has arrived"
    GOT_PART_OF_WHAT_ARRIVED = "got a part of what has arrived"
    GOT_WHAT_ARRIVED = "got what has arrived"
    SENT_RESUME = "sent RESUME"
    GOT_RESUME_ACK = "got the acknowledgement of RESUME"
    OPENED_URGENT = "opened the connection for urgent pages"
    SERVED_URGENT = "served a request on the connection for urgent pages"
    DROPPED_URGENT = "dropped a request on the connection for urgent pages"
    REOPENED_URGENT = "opened the connection for urgent pages again"
    SOURCE_GAVE_UP = "gave up for good"
    # the destination
    RETURN_PATH_OPEN = "opened its return path"
    ANSWERED = "answered a ping"
    ANSWERED_LATER = "answered a later ping"
    PREPARED = "prepared for postcopy"
    REFUSED = "refused postcopy"
    LOADED = "loaded a page in precopy"
    DISCARDED = "discarded pages"
    READ_PACKAGE = "read the package"
    LISTENS = "listens"
    DEVICES_LOADED = "loaded the devices"
    RUNS = "started the CPUs"
    PLACED = "received a page in postcopy"
    ENDED = "came to the end"
    ENDED_IN_PRECOPY = "came to the end in precopy"
    REQUESTED = "requested a page"
    SHUT = "sent its word that all has arrived"
    GAVE_UP = "gave up"
    LOST_GUEST = "lost the guest"
    PAUSED = "paused with its guest"
    WAITED = "waits for a new connection"
    ACCEPTED = "accepted a new connection"
    FOUND_BROKEN = "found the new connection broken"
    SAID_PART_OF_WHAT_ARRIVED = "said a part of what has arrived"
    SAID_WHAT_ARRIVED = "said what has arrived"
    RESUMED = "acknowledged RESUME"
    REQUESTED_AGAIN = "requested a page again"
    ACCEPTED_URGENT = "accepted the connection for urgent pages"
    ACCEPTED_URGENT_AGAIN = "accepted the connection for urgent pages again"
    PLACED_URGENT = "received an urgent host page"
    GAVE_UP_GUEST = "gave up the guest for good"


class Record(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One step; or as many as there are neighbouring pages, each of them a step, with none of another thread between.

    Attributes:
        host: ``source`` or ``destination``.
        thread: the thread that took the step.
        step: what it was.
        page: the page it was about, the first of them.
        count: how many pages, and steps.
        pages: runs of pages it was about: first, and how many.
        who: the toucher of a missing page: ``vCPU 0``, ``device load``.
        why: of a failure.
    """

    host: str
    thread: Thread
    step: Step
    page: int | None = None
    pages: tuple[tuple[int, int], ...] = ()
    who: str = ""
    why: str = ""
    count: int = 1

    @property
    def steps(self) -> Iterator[Record]:
        """A record for each step."""
        if self.count == 1 or self.page is None:
            yield self
            return
        for page in range(self.page, self.page + self.count):
            yield Record(self.host, self.thread, self.step, page, self.pages, self.who, self.why)


def record(
    thread: Thread,
    step: Step,
    pages: range | None = None,
    runs: Iterable[range] = (),
    who: str = "",
    why: str = "",
) -> Record:
    """The record of a step: of each of some pages, or about runs of pages."""
    about = tuple((run.start, len(run)) for run in runs)
    if pages is None:
        return Record(thread.host, thread, step, None, about, who, why)
    return Record(thread.host, thread, step, pages.start, about, who, why, len(pages))


Sink = Callable[[Record], None]
"""Where a core puts its records; called within the step."""


def nowhere(_: Record) -> None:
    """Keeps nothing."""
