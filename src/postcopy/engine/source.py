"""The source: everything that decides what the source does. No socket, no thread, no clock, no guest memory.

Inputs are calls (of the operator, the migration thread, and about the connection), dirty logs and replies; outputs are
messages for the stream, page numbers to send, and whether the guest may run here. A call that the protocol forbids now
raises and changes nothing. A caller with several threads holds one lock around each call; each call is one step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import IntEnum, auto
from typing import assert_never

from postcopy.bitmaps import Bitmaps
from postcopy.engine.bitmap import Bitmap
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Sink, Step, Thread, nowhere, record
from postcopy.engine.messages import (
    Advise,
    Configuration,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    OpenReturnPath,
    Packaged,
    Ping,
    Pong,
    RamEnd,
    RamSize,
    ReceivedBitmap,
    Reply,
    Request,
    ResumeAck,
    Run,
    SectionEnd,
    SectionStart,
    Shut,
    StreamMessage,
    SwitchoverAck,
)
from postcopy.engine.transitions import Transition, Transitions
from postcopy.engine.wire import MAX_DISCARDS, RAM_NAME, RAM_VERSION
from postcopy.engine.writing import StreamWriter

RAM_SECTION = 2
MACHINE = "postcopy-engine"
PING = 1


class Phase(IntEnum):
    """How far the source has come; the order is that of progress."""

    IDLE = auto()
    OPENING = auto()
    PINGING = auto()
    ADVISING = auto()
    PRECOPY = auto()
    FINISHING = auto()
    SWITCHING = auto()
    PACKAGING = auto()
    POSTCOPY = auto()
    ENDING = auto()
    COMPLETED = auto()
    FAILED = auto()
    CANCELLED = auto()


HANDED_OVER = Phase.POSTCOPY
"""From here on the destination may start the guest, so that the source must not (R15)."""

STARTED = tuple(phase for phase in Phase if phase > Phase.IDLE)
UNDER_WAY = tuple(phase for phase in STARTED if phase < Phase.COMPLETED)
SENDING = (Phase.PRECOPY, Phase.FINISHING)
"""Pages go out as precopy."""
CANCELLABLE = tuple(phase for phase in UNDER_WAY if phase < HANDED_OVER)
REPLIED_TO = tuple(phase for phase in UNDER_WAY if phase > Phase.OPENING)
"""The return path is open."""
REQUESTED_FROM = tuple(phase for phase in UNDER_WAY if phase >= HANDED_OVER)
"""The destination may miss a page; in ENDING a late request is ignored."""

_OPERATOR, _MIGRATION, _RETURN_PATH = (Thread.OPERATOR,), (Thread.MIGRATION,), (Thread.RETURN_PATH,)
_NO_PAGES = "no pages are sent in {phase.name}"
_EARLY_REQUEST = "a request comes in {phase.name}: no page can be missing yet"
_EARLY_SHUT = "SHUT comes in {phase.name}, not after the end of the stream"

TRANSITIONS = Transitions[Phase](
    [
        # the operator
        Transition(Step.STARTED, _OPERATOR, (Phase.IDLE,), Phase.OPENING, "a migration is started once"),
        Transition(Step.SWITCH_ASKED, _OPERATOR, STARTED, None, "the migration has not been started", "R2"),
        Transition(Step.CANCELLED, _OPERATOR, CANCELLABLE, Phase.CANCELLED, "it would not bring the guest back", "R27"),
        # opening and precopy
        Transition(Step.OPENED, _MIGRATION, (Phase.OPENING,), Phase.PINGING, "the stream is opened once, first", "R19"),
        Transition(Step.PINGED, _MIGRATION, (Phase.PINGING,), Phase.ADVISING, "the ping follows the opening", "R19"),
        Transition(Step.ADVISED, _MIGRATION, (Phase.ADVISING,), Phase.PRECOPY, "ADVISE follows the ping", "R1"),
        Transition(Step.DIRTIED, _MIGRATION, (Phase.PRECOPY,), None, "the dirty log is read in precopy only", "R10"),
        Transition(Step.SENT_PRECOPY, _MIGRATION, SENDING, None, _NO_PAGES, "R13"),
        Transition(Step.STOPPED_TO_FINISH, _MIGRATION, (Phase.PRECOPY,), Phase.FINISHING, "it follows precopy", "R2"),
        Transition(Step.ENDED_PRECOPY, _MIGRATION, (Phase.FINISHING,), Phase.ENDING, "the CPUs stop before", "R2"),
        # the switch and postcopy
        Transition(Step.STOPPED_TO_SWITCH, _MIGRATION, (Phase.PRECOPY,), Phase.SWITCHING, "it follows precopy", "R3"),
        Transition(Step.SENT_DISCARDS, _MIGRATION, (Phase.SWITCHING,), Phase.PACKAGING, "the CPUs stop before", "R11"),
        Transition(Step.SENT_PACKAGE, _MIGRATION, (Phase.PACKAGING,), Phase.POSTCOPY, "it follows the discards", "R4"),
        Transition(Step.SERVED, _MIGRATION, (Phase.POSTCOPY,), None, _NO_PAGES, "R13"),
        Transition(Step.DROPPED, _MIGRATION, (Phase.POSTCOPY,), None, _NO_PAGES, "R13"),
        Transition(Step.SENT_REST, _MIGRATION, (Phase.POSTCOPY,), None, _NO_PAGES, "R13"),
        Transition(Step.SENT_BACKGROUND, _MIGRATION, (Phase.POSTCOPY,), None, _NO_PAGES, "R13"),
        Transition(Step.ENDED_POSTCOPY, _MIGRATION, (Phase.POSTCOPY,), Phase.ENDING, "it follows postcopy", "R24"),
        # replies
        Transition(Step.GOT_PONG, _RETURN_PATH, REPLIED_TO, None, "PONG comes in {phase.name}", "R19"),
        Transition(Step.GOT_REQUEST, _RETURN_PATH, REQUESTED_FROM, None, _EARLY_REQUEST, "R16"),
        Transition(Step.GOT_SHUT, _RETURN_PATH, (Phase.ENDING,), Phase.COMPLETED, _EARLY_SHUT, "R24"),
        Transition(Step.GOT_SHUT_ERROR, _RETURN_PATH, REPLIED_TO, Phase.FAILED, "SHUT comes in {phase.name}", "R19"),
        # the connection
        Transition(Step.SOURCE_LOST, _MIGRATION + _RETURN_PATH, UNDER_WAY, Phase.FAILED, "there is no connection"),
    ]
)
"""Every step of the source: who takes it in which phases, and where it leads. See `Transition`."""


class SourceCore:
    """The source of one migration.

    Args:
        geometry: guest memory.
        capability: postcopy was switched on (R1).
        machine: what kind of machine the guest is.
        log: where the records go.

    Attributes:
        phase: how far it has come.
        dirty: the migration bitmap (R10).
        sent: the sent map; only up to the switch (R12).
        guest_may_run: whether the guest's CPUs may run here.
    """

    def __init__(
        self, geometry: Geometry, *, capability: bool = True, machine: str = MACHINE, log: Sink = nowhere
    ) -> None:
        self.geometry, self.capability, self.machine, self.log = geometry, capability, machine, log
        self.phase = Phase.IDLE
        self.guest_may_run = True
        self.switch_asked = False
        self.dirty = Bitmap(geometry.pages, full=True)
        self.sent = Bitmap(geometry.pages)
        self._discards: tuple[range, ...] = ()
        self._requests: OrderedDict[int, None] = OrderedDict()  # first pages of host pages, oldest first
        self._sending = range(0)  # the rest of the host page under way
        self._cursor = 0
        self._pong_awaited = False

    @property
    def requests(self) -> tuple[int, ...]:
        """First pages of the host pages that wait to be served, oldest first."""
        return tuple(self._requests)

    @property
    def rest_of_host_page(self) -> tuple[int, ...]:
        """Pages still to be sent of the host page under way."""
        return tuple(self._sending)

    @property
    def over(self) -> bool:
        """The migration is over here, for better or worse."""
        return self.phase >= Phase.COMPLETED

    # -- the operator -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The operator starts the migration."""
        self._take(Step.STARTED)

    def start_postcopy(self) -> bool:
        """The operator asks for postcopy; whether that means anything now (R2: when it is late it does nothing)."""
        if not self.capability:
            raise LocalProtocolError("postcopy was not switched on before the migration", "R1")
        self._take(Step.SWITCH_ASKED)
        if self.phase > Phase.PRECOPY:
            return False
        self.switch_asked = True
        return True

    def cancel(self) -> None:
        """The operator cancels; the guest goes on here."""
        self._take(Step.CANCELLED)
        self._clean_up(guest_may_run=True)

    # -- the migration thread: opening and precopy --------------------------------------------------------------------

    @property
    def opening(self) -> Callable[[], list[StreamMessage]] | None:
        """The next step of the opening, which needs no input; None before the start and after the opening."""
        steps = {Phase.OPENING: self.open, Phase.PINGING: self.ping, Phase.ADVISING: self.advise}
        return steps.get(self.phase)

    def open(self) -> list[StreamMessage]:
        """The head of the stream, and the return path."""
        self._take(Step.OPENED)
        return [Header(), Configuration(self.machine), OpenReturnPath()]

    def ping(self) -> list[StreamMessage]:
        """A ping, to see that the return path works."""
        self._take(Step.PINGED)
        self._pong_awaited = True
        return [Ping(PING)]

    def advise(self) -> list[StreamMessage]:
        """ADVISE, where postcopy is switched on, and what memory there is."""
        self._take(Step.ADVISED)
        geometry = self.geometry
        advice: list[StreamMessage] = [Advise(geometry.host_page, geometry.target_page)] if self.capability else []
        section = SectionStart(RAM_SECTION, RAM_NAME, 0, RAM_VERSION)
        return [*advice, section, RamSize(geometry.blocks), RamEnd(), Footer(RAM_SECTION)]

    def merge_dirty(self, pages: Iterable[range]) -> None:
        """What the guest has written since the last time (R10: in precopy only)."""
        self._require(Step.DIRTIED)
        self._merge(list(pages))

    def _merge(self, pages: list[range]) -> None:
        if pages:
            self._take(Step.DIRTIED, runs=pages)
            for part in pages:
                self.dirty.add_all(part)

    def cpus_stopped_to_finish(self, pages: Iterable[range]) -> None:
        """The CPUs have been stopped to end in precopy; the last of the dirty log."""
        self._require(Step.STOPPED_TO_FINISH)
        self._merge(list(pages))
        self._take(Step.STOPPED_TO_FINISH)
        self.guest_may_run = False

    def end_precopy(self, devices: Iterable[Device]) -> list[StreamMessage]:
        """The end of memory, the devices, and the end of the stream."""
        self._require(Step.ENDED_PRECOPY)
        if self.dirty:
            raise LocalProtocolError(f"{self.dirty.count} pages are still to be sent", "R24")
        self._take(Step.ENDED_PRECOPY)
        self.sent.clear()
        self.switch_asked = False
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), *devices, Eof()]

    # -- the migration thread: the switch -----------------------------------------------------------------------------

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        """The CPUs have been stopped for postcopy; with the last dirty log: what is to be discarded (R3, R11)."""
        self._require(Step.STOPPED_TO_SWITCH)
        if not self.switch_asked:
            raise LocalProtocolError("the operator has not asked for postcopy", "R2")
        self._merge(list(pages))
        self._take(Step.STOPPED_TO_SWITCH)
        bits = Bitmaps(self.geometry.pages, self.geometry.group)
        discard, dirty = bits.switch(int(self.sent), int(self.dirty))
        self.dirty.assign(dirty)
        self.sent.assign(discard)
        self._discards = tuple(self.sent.runs())
        self.sent.clear()
        self.guest_may_run = False
        self.switch_asked = False

    @property
    def discards(self) -> tuple[range, ...]:
        """The discard set, between the switch and its sending."""
        return self._discards

    def send_discards(self) -> list[StreamMessage]:
        """The discard set: no message where there is nothing to discard."""
        self._take(Step.SENT_DISCARDS, runs=self._discards)
        ranges: dict[str, list[tuple[int, int]]] = {}
        for part in self._discards:
            for block, offset, length in self.geometry.parts(part.start, len(part)):
                ranges.setdefault(block, []).append((offset, length))
        self._discards = ()
        return [
            Discard(block, tuple(parts[i : i + MAX_DISCARDS]))
            for block, parts in ranges.items()
            for i in range(0, len(parts), MAX_DISCARDS)
        ]

    def send_package(self, devices: Iterable[Device]) -> list[StreamMessage]:
        """The package. When this returns, the guest is the destination's, whether or not a byte has gone out (R15)."""
        self._require(Step.SENT_PACKAGE)
        inside: list[StreamMessage] = [Listen(), *devices, Run()]
        data = b"".join(StreamWriter().encode(inside))
        self._take(Step.SENT_PACKAGE)
        self._cursor = 0
        return [Packaged(data)]

    # -- the migration thread: pages ----------------------------------------------------------------------------------

    def next_pages(self, most: int = 1) -> range:
        """The neighbouring pages to send next, at most so many, which then count as sent; none where there are none.

        Each of them is a step; the caller's lock keeps other threads from coming between.
        """
        if self.phase == Phase.POSTCOPY:
            return self._next_in_postcopy(most)
        self._require(Step.SENT_PRECOPY)
        pages = self.dirty.run(self._cursor, most)
        if pages:
            self._send(pages, Step.SENT_PRECOPY)
            self.sent.add_all(pages)
        return pages

    def _next_in_postcopy(self, most: int) -> range:
        """R17: first the rest of a host page under way, then what is asked for, then the rest in order."""
        if self._sending:
            pages, self._sending = self._sending[:most], self._sending[most:]
            self._send(pages, Step.SENT_REST)
            return pages
        while self._requests:
            first, _ = self._requests.popitem(last=False)
            if first in self.dirty:
                return self._begin_host_page(range(first, first + 1), Step.SERVED)
            self._take(Step.DROPPED, range(first, first + 1))
        background = self.dirty.run(self._cursor, most if self.geometry.group == 1 else 1)
        return self._begin_host_page(background, Step.SENT_BACKGROUND) if background else background

    def _begin_host_page(self, pages: range, step: Step) -> range:
        """Pages to be sent now; what is left of the host page of the last one is next."""
        group = self.geometry.group
        self._sending = range(pages.stop, -(-pages.stop // group) * group)
        self._send(pages, step)
        return pages

    def _send(self, pages: range, step: Step) -> None:
        """R13: the migration bitmap makes sure that no page is sent more than once in postcopy."""
        self._take(step, pages)
        self.dirty.remove_all(pages)
        self._cursor = pages.stop if pages.stop < self.geometry.pages else 0

    def end_postcopy(self) -> list[StreamMessage]:
        """The end of the stream: nothing is dirty and no request is open (R24)."""
        self._require(Step.ENDED_POSTCOPY)
        if self.dirty or self._requests or self._sending:
            raise LocalProtocolError(
                f"{self.dirty.count} pages and {len(self._requests)} requests are still to be served", "R24"
            )
        self._take(Step.ENDED_POSTCOPY)
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), Eof()]

    # -- the return-path thread ---------------------------------------------------------------------------------------

    def receive(self, reply: Reply) -> None:
        """A reply has come.

        Raises:
            RemoteProtocolError: one that cannot come now. The caller gives up with `lose`.
        """
        if self.phase not in REPLIED_TO:
            raise RemoteProtocolError(f"{type(reply).__name__} comes in {self.phase.name}", "R19")
        match reply:
            case Request(block, offset, length):
                self._receive_request(self.geometry.range(block, offset, length))
            case Pong(value):
                self._receive_pong(value)
            case Shut(status):
                self._receive_shut(status)
            case ReceivedBitmap() | ResumeAck() | SwitchoverAck():
                raise RemoteProtocolError(f"{type(reply).__name__} comes, and nothing asks for it", "R19")
            case _:
                assert_never(reply)

    def _receive_request(self, pages: range) -> None:
        self._require(Step.GOT_REQUEST, RemoteProtocolError)
        if len(pages) != self.geometry.group:
            raise RemoteProtocolError(f"a request for {len(pages)} pages, a host page is {self.geometry.group}", "R21")
        self._take(Step.GOT_REQUEST, range(pages.start, pages.start + 1))
        if self.phase == Phase.POSTCOPY:
            self._requests[pages.start] = None

    def _receive_pong(self, value: int) -> None:
        if not self._pong_awaited or value != PING:
            raise RemoteProtocolError(f"PONG {value} answers no ping", "R19")
        self._take(Step.GOT_PONG)
        self._pong_awaited = False

    def _receive_shut(self, status: int) -> None:
        handed_over = self.phase >= HANDED_OVER
        if status:
            self._take(Step.GOT_SHUT_ERROR, why=f"status {status}")
            self._clean_up(guest_may_run=not handed_over)
        else:
            self._require(Step.GOT_SHUT, RemoteProtocolError)
            self._take(Step.GOT_SHUT)
            self._clean_up(guest_may_run=False)

    # -- the connection -----------------------------------------------------------------------------------------------

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        """The connection is gone, or the other side cannot be trusted: in precopy the guest goes on here (R15)."""
        if self.over:
            return
        handed_over = self.phase >= HANDED_OVER
        self._take(Step.SOURCE_LOST, why=why, thread=thread)
        self._clean_up(guest_may_run=not handed_over)

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _clean_up(self, *, guest_may_run: bool) -> None:
        """The migration is over here."""
        self.guest_may_run = guest_may_run
        self.switch_asked = False
        self.dirty.clear()
        self.sent.clear()
        self._requests.clear()
        self._sending = range(0)
        self._discards = ()

    def _require(
        self, step: Step, error: type[LocalProtocolError | RemoteProtocolError] = LocalProtocolError
    ) -> Transition[Phase]:
        return TRANSITIONS.require(step, self.phase, error)

    def _take(
        self,
        step: Step,
        pages: range | None = None,
        runs: Iterable[range] = (),
        why: str = "",
        thread: Thread | None = None,
    ) -> None:
        """Take a step: refused out of turn, put into the log, and followed by its phase."""
        row = self._require(step)
        self.log(record(thread or row.threads[0], step, pages, runs, why=why))
        if row.after is not None:
            self.phase = row.after
