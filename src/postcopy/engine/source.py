"""The source: everything that decides what the source does. No socket, no thread, no clock, no guest memory.

Inputs are calls (of the operator, the migration thread, and about the connection), dirty logs and replies; outputs are
messages for the stream, page numbers to send, and whether the guest may run here. A call that the protocol forbids now
raises and changes nothing. A caller with several threads holds one lock around each call; each call is one step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from enum import IntEnum, auto

from postcopy.bitmaps import Bitmaps
from postcopy.engine.bitmap import Bitmap
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Sink, Step, nowhere, record
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
    Reply,
    Request,
    Run,
    SectionEnd,
    SectionStart,
    StreamMessage,
)
from postcopy.engine.wire import MAX_DISCARDS, RAM_NAME, RAM_VERSION, StreamWriter

RAM_SECTION = 2
MACHINE = "postcopy-engine"
PING = 1

OPERATOR, MIGRATION, RETURN_PATH = "operator", "migration thread", "return-path thread"


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
        self.geometry, self.capability, self.machine, self._log = geometry, capability, machine, log
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
        self._require(Phase.IDLE, "a migration is started once")
        self._record(OPERATOR, Step.STARTED)
        self.phase = Phase.OPENING

    def start_postcopy(self) -> bool:
        """The operator asks for postcopy; whether that means anything now (R2: when it is late it does nothing)."""
        if not self.capability:
            raise LocalProtocolError("postcopy was not switched on before the migration", "R1")
        if self.phase == Phase.IDLE:
            raise LocalProtocolError("postcopy is asked for before the migration is started", "R2")
        self._record(OPERATOR, Step.SWITCH_ASKED)
        if self.phase > Phase.PRECOPY:
            return False
        self.switch_asked = True
        return True

    def cancel(self) -> None:
        """The operator cancels; the guest goes on here."""
        if not Phase.IDLE < self.phase < HANDED_OVER:
            raise LocalProtocolError(f"cannot cancel in {self.phase.name}: it would not bring the guest back", "R27")
        self._record(OPERATOR, Step.CANCELLED)
        self._over(Phase.CANCELLED, guest_may_run=True)

    # -- the migration thread: opening and precopy --------------------------------------------------------------------

    def open(self) -> list[StreamMessage]:
        """The head of the stream, and the return path."""
        self._require(Phase.OPENING, "the stream is opened once, first", "R19")
        self._record(MIGRATION, Step.OPENED)
        self.phase = Phase.PINGING
        return [Header(), Configuration(self.machine), OpenReturnPath()]

    def ping(self) -> list[StreamMessage]:
        """A ping, to see that the return path works."""
        self._require(Phase.PINGING, "the ping follows the opening", "R19")
        self._record(MIGRATION, Step.PINGED)
        self.phase = Phase.ADVISING
        self._pong_awaited = True
        return [Ping(PING)]

    def advise(self) -> list[StreamMessage]:
        """ADVISE, where postcopy is switched on, and what memory there is."""
        self._require(Phase.ADVISING, "ADVISE follows the ping", "R1")
        self._record(MIGRATION, Step.ADVISED)
        self.phase = Phase.PRECOPY
        geometry = self.geometry
        advice: list[StreamMessage] = [Advise(geometry.host_page, geometry.target_page)] if self.capability else []
        section = SectionStart(RAM_SECTION, RAM_NAME, 0, RAM_VERSION)
        return [*advice, section, RamSize(geometry.blocks), RamEnd(), Footer(RAM_SECTION)]

    def merge_dirty(self, pages: Iterable[range]) -> None:
        """What the guest has written since the last time (R10: in precopy only)."""
        if self.phase != Phase.PRECOPY:
            raise LocalProtocolError(f"the dirty log is not read in {self.phase.name}", "R10")
        self._merge(list(pages))

    def _merge(self, pages: list[range]) -> None:
        if pages:
            self._record(MIGRATION, Step.DIRTIED, runs=pages)
            for part in pages:
                self.dirty.add_all(part)

    def cpus_stopped_to_finish(self, pages: Iterable[range]) -> None:
        """The CPUs have been stopped to end in precopy; the last of the dirty log."""
        self._require(Phase.PRECOPY, "precopy is finished out of precopy", "R2")
        self._merge(list(pages))
        self._record(MIGRATION, Step.STOPPED_TO_FINISH)
        self.guest_may_run = False
        self.phase = Phase.FINISHING

    def end_precopy(self, devices: Iterable[Device]) -> list[StreamMessage]:
        """The end of memory, the devices, and the end of the stream."""
        self._require(Phase.FINISHING, "precopy ends after the CPUs have stopped", "R2")
        if self.dirty:
            raise LocalProtocolError(f"{self.dirty.count} pages are still to be sent", "R24")
        self._record(MIGRATION, Step.ENDED_PRECOPY)
        self.sent.clear()
        self.switch_asked = False
        self.phase = Phase.ENDING
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), *devices, Eof()]

    # -- the migration thread: the switch -----------------------------------------------------------------------------

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        """The CPUs have been stopped for postcopy; with the last dirty log: what is to be discarded (R3, R11)."""
        self._require(Phase.PRECOPY, "the switch is made out of precopy", "R3")
        if not self.switch_asked:
            raise LocalProtocolError("nobody has asked for postcopy", "R2")
        self._merge(list(pages))
        self._record(MIGRATION, Step.STOPPED_TO_SWITCH)
        bits = Bitmaps(self.geometry.pages, self.geometry.group)
        discard, dirty = bits.switch(int(self.sent), int(self.dirty))
        self.dirty.assign(dirty)
        self.sent.assign(discard)
        self._discards = tuple(self.sent.runs())
        self.sent.clear()
        self.guest_may_run = False
        self.switch_asked = False
        self.phase = Phase.SWITCHING

    @property
    def discards(self) -> tuple[range, ...]:
        """The discard set, between the switch and its sending."""
        return self._discards

    def send_discards(self) -> list[StreamMessage]:
        """The discard set: no message where there is nothing to discard."""
        self._require(Phase.SWITCHING, "discards are sent once, when the CPUs have stopped", "R11")
        self._record(MIGRATION, Step.SENT_DISCARDS, runs=self._discards)
        ranges: dict[str, list[tuple[int, int]]] = {}
        for part in self._discards:
            for block, offset, length in self.geometry.parts(part.start, len(part)):
                ranges.setdefault(block, []).append((offset, length))
        self._discards = ()
        self.phase = Phase.PACKAGING
        return [
            Discard(block, tuple(parts[i : i + MAX_DISCARDS]))
            for block, parts in ranges.items()
            for i in range(0, len(parts), MAX_DISCARDS)
        ]

    def send_package(self, devices: Iterable[Device]) -> list[StreamMessage]:
        """The package. When this returns, the guest is the destination's, whether or not a byte has gone out (R15)."""
        self._require(Phase.PACKAGING, "the package follows the discards", "R4")
        inside: list[StreamMessage] = [Listen(), *devices, Run()]
        data = b"".join(StreamWriter().encode(inside))
        self._record(MIGRATION, Step.SENT_PACKAGE)
        self.phase = Phase.POSTCOPY
        self._cursor = 0
        return [Packaged(data)]

    # -- the migration thread: pages ----------------------------------------------------------------------------------

    def next_pages(self, most: int = 1) -> range:
        """The neighbouring pages to send next, at most so many, which then count as sent; none where there are none.

        Each of them is a step; the caller's lock keeps other threads from coming between.
        """
        if self.phase == Phase.POSTCOPY:
            return self._next_in_postcopy(most)
        if self.phase in (Phase.PRECOPY, Phase.FINISHING):
            pages = self.dirty.run(self._cursor, most)
            if pages:
                self._take(pages, Step.SENT_PRECOPY)
                self.sent.add_all(pages)
            return pages
        raise LocalProtocolError(f"no pages are sent in {self.phase.name}", "R13")

    def _next_in_postcopy(self, most: int) -> range:
        """R17: first the rest of a host page under way, then what is asked for, then the rest in order."""
        if self._sending:
            pages, self._sending = self._sending[:most], self._sending[most:]
            self._take(pages, Step.SENT_REST)
            return pages
        while self._requests:
            first, _ = self._requests.popitem(last=False)
            if first in self.dirty:
                return self._begin_host_page(range(first, first + 1), Step.SERVED)
            self._record(MIGRATION, Step.DROPPED, range(first, first + 1))
        background = self.dirty.run(self._cursor, most if self.geometry.group == 1 else 1)
        return self._begin_host_page(background, Step.SENT_BACKGROUND) if background else background

    def _begin_host_page(self, pages: range, step: Step) -> range:
        """Pages to be sent now; what is left of the host page of the last one is next."""
        group = self.geometry.group
        self._sending = range(pages.stop, -(-pages.stop // group) * group)
        self._take(pages, step)
        return pages

    def _take(self, pages: range, step: Step) -> None:
        """R13: the migration bitmap makes sure that no page is sent more than once in postcopy."""
        self._record(MIGRATION, step, pages)
        self.dirty.remove_all(pages)
        self._cursor = pages.stop if pages.stop < self.geometry.pages else 0

    def end_postcopy(self) -> list[StreamMessage]:
        """The end of the stream: nothing is dirty and no request is open (R24)."""
        self._require(Phase.POSTCOPY, "postcopy ends out of postcopy", "R24")
        if self.dirty or self._requests or self._sending:
            raise LocalProtocolError(
                f"{self.dirty.count} pages and {len(self._requests)} requests are still to be served", "R24"
            )
        self._record(MIGRATION, Step.ENDED_POSTCOPY)
        self.phase = Phase.ENDING
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), Eof()]

    # -- the return-path thread ---------------------------------------------------------------------------------------

    def receive(self, reply: Reply) -> None:
        """A reply has come.

        Raises:
            RemoteProtocolError: one that cannot come now. The caller gives up with `lose`.
        """
        if self.over or self.phase <= Phase.OPENING:
            raise RemoteProtocolError(f"{type(reply).__name__} comes in {self.phase.name}", "R19")
        if isinstance(reply, Request):
            self._receive_request(self.geometry.range(reply.block, reply.offset, reply.length))
        elif isinstance(reply, Pong):
            if not self._pong_awaited or reply.value != PING:
                raise RemoteProtocolError(f"PONG {reply.value} answers no ping", "R19")
            self._record(RETURN_PATH, Step.GOT_PONG)
            self._pong_awaited = False
        elif reply.status:
            self._record(RETURN_PATH, Step.GOT_SHUT_ERROR, why=f"status {reply.status}")
            self._over(Phase.FAILED, guest_may_run=self.phase < HANDED_OVER)
        elif self.phase != Phase.ENDING:
            raise RemoteProtocolError(f"SHUT comes in {self.phase.name}, before the end of the stream", "R24")
        else:
            self._record(RETURN_PATH, Step.GOT_SHUT)
            self._over(Phase.COMPLETED, guest_may_run=False)

    def _receive_request(self, pages: range) -> None:
        if self.phase < Phase.POSTCOPY:
            raise RemoteProtocolError(f"a request comes in {self.phase.name}, before anybody can miss a page", "R16")
        if len(pages) != self.geometry.group:
            raise RemoteProtocolError(f"a request for {len(pages)} pages, a host page is {self.geometry.group}", "R21")
        self._record(RETURN_PATH, Step.GOT_REQUEST, range(pages.start, pages.start + 1))
        if self.phase == Phase.POSTCOPY:
            self._requests[pages.start] = None

    # -- the connection -----------------------------------------------------------------------------------------------

    def lose(self, why: str, thread: str = MIGRATION) -> None:
        """The connection is gone, or the other side cannot be trusted: in precopy the guest goes on here (R15)."""
        if self.phase == Phase.IDLE:
            raise LocalProtocolError("there is no connection to lose before the migration is started")
        if self.over:
            return
        self._record(thread, Step.SOURCE_LOST, why=why)
        self._over(Phase.FAILED, guest_may_run=self.phase < HANDED_OVER)

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _over(self, phase: Phase, *, guest_may_run: bool) -> None:
        self.phase = phase
        self.guest_may_run = guest_may_run
        self.switch_asked = False
        self.dirty.clear()
        self.sent.clear()
        self._requests.clear()
        self._sending = range(0)
        self._discards = ()

    def _require(self, phase: Phase, why: str, rule: str = "") -> None:
        if self.phase != phase:
            raise LocalProtocolError(f"not in {self.phase.name}: {why}", rule)

    def _record(
        self, thread: str, step: Step, pages: range | None = None, runs: Iterable[range] = (), why: str = ""
    ) -> None:
        self._log(record("source", thread, step, pages, runs, why=why))
