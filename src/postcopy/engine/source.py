"""The source: everything that decides what the source does. No socket, no thread, no clock, no guest memory.

Inputs are calls (of the operator, the migration thread, and about the connection), dirty logs and replies; outputs are
messages for the stream, page numbers to send, and whether the guest may run here. A call that the protocol forbids now
raises and changes nothing. A caller with several threads holds one lock around each call; each call is one step.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import IntEnum, auto
from typing import TypeAlias, assert_never

from postcopy.bitmaps import Bitmaps
from postcopy.engine.arrived_pages import pages_in
from postcopy.engine.bitmap import Bitmap
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Sink, Step, Thread, nowhere, record
from postcopy.engine.messages import (
    Advise,
    AskBitmap,
    Capabilities,
    Configuration,
    Description,
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
    Resume,
    ResumeAck,
    Run,
    SectionEnd,
    SectionStart,
    Shut,
    StreamMessage,
    SwitchoverAck,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.transitions import Transition, Transitions
from postcopy.engine.wire import MAX_DISCARDS, RAM_NAME, RAM_VERSION
from postcopy.engine.writing import StreamWriter

RAM_SECTION = 2
MACHINE = "postcopy-engine"
PING = 1
PING_BEFORE_PACKAGE, PING_IN_PACKAGE, PING_AFTER_PACKAGE = 2, 3, 4
"""Those that only a QEMU gets."""

RESUMED = 1
"""The only value of a `ResumeAck`."""

NO_DESCRIPTION = Description(b'{"devices": [], "by": "postcopy"}\n')
"""A QEMU waits for a description of its devices, and does not read what is in it."""

ConfigurationPart: TypeAlias = TargetPageBits | Capabilities | Uuid


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
    PAUSED = auto()
    """The connection broke in postcopy, and there is no other yet."""
    RECONNECTED = auto()
    ASKED = auto()
    """Waits for the bitmaps of what has arrived."""
    RELOADED = auto()
    """The migration bitmap is right again."""
    RESUMING = auto()
    """Waits for the acknowledgement."""
    ENDING = auto()
    COMPLETED = auto()
    FAILED = auto()
    CANCELLED = auto()


HANDED_OVER = Phase.POSTCOPY
"""From here on the destination may start the guest, so that the source must not (R15)."""

RECOVERING = (Phase.RECONNECTED, Phase.ASKED, Phase.RELOADED, Phase.RESUMING)
"""There is a new connection, and the migration does not go on yet."""
REOPENED_IN = (Phase.RECONNECTED, Phase.RELOADED)
"""The connection for urgent pages is made anew: in the first where the destination waits for it."""
BROKEN_OFF = (Phase.PAUSED, *RECOVERING)
"""Between a broken connection and the acknowledgement on another one (QEMU: postcopy-paused, postcopy-recover)."""

STARTED = tuple(phase for phase in Phase if phase > Phase.IDLE)
UNDER_WAY = tuple(phase for phase in STARTED if phase < Phase.COMPLETED)
SENDING = (Phase.PRECOPY, Phase.FINISHING)
"""Pages go out as precopy."""
CANCELLABLE = tuple(phase for phase in UNDER_WAY if phase < HANDED_OVER)
REPLIED_TO = tuple(phase for phase in UNDER_WAY if phase > Phase.OPENING and phase is not Phase.PAUSED)
"""The return path is open."""
PINGED_AGAIN = (Phase.PACKAGING, Phase.POSTCOPY, Phase.ENDING)
"""A QEMU has got PINGs that no other destination gets."""
REQUESTED_FROM = (Phase.POSTCOPY, Phase.ENDING)
"""The destination may miss a page; in ENDING a late request is ignored."""
LOST_FROM = tuple(phase for phase in UNDER_WAY if phase not in BROKEN_OFF)
"""Without a connection the migration fails; in recovery it pauses again."""
PAUSED_FROM = (Phase.POSTCOPY, *RECOVERING, Phase.ENDING)
"""Without a connection the migration pauses, if both hosts can recover it."""
GIVEN_UP_FROM = (Phase.POSTCOPY, *BROKEN_OFF, Phase.ENDING)

_OPERATOR, _MIGRATION, _RETURN_PATH = (Thread.OPERATOR,), (Thread.MIGRATION,), (Thread.RETURN_PATH,)
_NO_PAGES = "no pages are sent in {phase.name}"
_EARLY_REQUEST = "a request comes in {phase.name}: no page can be missing yet"
_NO_BITMAP = "a bitmap comes in {phase.name}, and nothing asks for it"
_NO_ACK = "RESUME_ACK comes in {phase.name}, and nothing asks for it"
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
        # urgent pages
        Transition(Step.OPENED_URGENT, _RETURN_PATH, (Phase.PRECOPY,), None, "it is opened once, in precopy", "R18"),
        Transition(Step.SERVED_URGENT, _RETURN_PATH, (Phase.POSTCOPY,), None, _NO_PAGES, "R13"),
        Transition(Step.DROPPED_URGENT, _RETURN_PATH, (Phase.POSTCOPY,), None, _NO_PAGES, "R13"),
        # replies
        Transition(Step.GOT_PONG, _RETURN_PATH, REPLIED_TO, None, "PONG comes in {phase.name}", "R19"),
        Transition(Step.GOT_LATER_PONG, _RETURN_PATH, PINGED_AGAIN, None, "PONG comes in {phase.name}", "R19"),
        Transition(Step.GOT_REQUEST, _RETURN_PATH, REQUESTED_FROM, None, _EARLY_REQUEST, "R16"),
        Transition(Step.GOT_SHUT, _RETURN_PATH, (Phase.ENDING,), Phase.COMPLETED, _EARLY_SHUT, "R24"),
        Transition(Step.GOT_SHUT_ERROR, _RETURN_PATH, REPLIED_TO, Phase.FAILED, "SHUT comes in {phase.name}", "R19"),
        # the connection
        Transition(Step.SOURCE_LOST, _MIGRATION + _RETURN_PATH, LOST_FROM, Phase.FAILED, "there is no connection"),
        # recovery
        Transition(Step.SOURCE_PAUSED, _MIGRATION + _RETURN_PATH, PAUSED_FROM, Phase.PAUSED, "it is for postcopy"),
        Transition(Step.RECONNECTED, _OPERATOR, (Phase.PAUSED,), Phase.RECONNECTED, "the old connection stands"),
        Transition(Step.ASKED_WHAT_ARRIVED, _MIGRATION, (Phase.RECONNECTED,), Phase.ASKED, "it is asked once, first"),
        Transition(Step.GOT_PART_OF_WHAT_ARRIVED, _RETURN_PATH, (Phase.ASKED,), None, _NO_BITMAP, "R19"),
        Transition(Step.GOT_WHAT_ARRIVED, _RETURN_PATH, (Phase.ASKED,), Phase.RELOADED, _NO_BITMAP, "R19"),
        Transition(Step.REOPENED_URGENT, _MIGRATION, REOPENED_IN, None, "it is made anew in recovery", "R18"),
        Transition(Step.SENT_RESUME, _MIGRATION, (Phase.RELOADED,), Phase.RESUMING, "the bitmap is not right yet"),
        Transition(Step.GOT_RESUME_ACK, _RETURN_PATH, (Phase.RESUMING,), Phase.POSTCOPY, _NO_ACK, "R19"),
        Transition(Step.SOURCE_GAVE_UP, _OPERATOR, GIVEN_UP_FROM, Phase.FAILED, "the guest can go on here", "R15"),
    ]
)
"""Every step of the source: who takes it in which phases, and where it leads. See `Transition`."""


class SourceCore:
    """The source of one migration.

    Args:
        geometry: guest memory.
        capability: postcopy was switched on (R1).
        machine: what kind of machine the guest is.
        configuration: what stands in the stream behind the machine.
        qemu: the other side is a QEMU: the whole migration bitmap is discarded, without a sent map; there are PINGs
            before, in and after the package; the states of devices have no length.
        preempt: pages that are asked for go out on a connection of their own, by the return-path thread.
        early: that connection is made without an answer of the destination, which may wait for it (see `old_machines`).
        recovery: where the connection breaks in postcopy, the migration pauses, and goes on over another one.
        log: where the records go.

    Attributes:
        phase: how far it has come.
        dirty: the migration bitmap (R10).
        sent: the sent map; only up to the switch (R12).
        guest_may_run: whether the guest's CPUs may run here.
        answered: where there is to be a connection for urgent pages: the destination has answered the ping.
        urgent_open: the connection for urgent pages has been made.
        urgent_stands: there is one now: a break takes it away, and it is made anew before RESUME.
        recoverable: the package is out, and a break of the connection makes the migration pause.
    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        capability: bool = True,
        machine: str = MACHINE,
        configuration: Iterable[ConfigurationPart] = (),
        qemu: bool = False,
        preempt: bool = False,
        early: bool = False,
        recovery: bool = False,
        log: Sink = nowhere,
    ) -> None:
        self.geometry, self.capability, self.machine, self.log = geometry, capability, machine, log
        self.configuration, self.qemu, self.recovery = tuple(configuration), qemu, recovery
        self.preempt, self.early = preempt, early
        self.phase = Phase.IDLE
        self.guest_may_run = True
        self.switch_asked = False
        self.recoverable = False
        self.answered = self.urgent_open = self.urgent_stands = False
        self.dirty = Bitmap(geometry.pages, full=True)
        self.sent = Bitmap(geometry.pages)
        self._discards: tuple[range, ...] = ()
        self._requests: OrderedDict[int, None] = OrderedDict()  # first pages of host pages, oldest first
        self._sending = range(0)  # the rest of the host page under way
        self._cursor = 0
        self._pongs_awaited: frozenset[int] = frozenset()
        self._bitmaps_awaited: frozenset[str] = frozenset()  # names of blocks
        self._arrived = 0  # pages that the bitmaps so far have, as bits

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

    @property
    def paused(self) -> bool:
        """The connection broke, and there is no other yet."""
        return self.phase is Phase.PAUSED

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
        return [Header(), Configuration(self.machine), *self.configuration, OpenReturnPath()]

    def ping(self) -> list[StreamMessage]:
        """A ping, to see that the return path works."""
        self._take(Step.PINGED)
        self._pongs_awaited = frozenset({PING})
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
        described = [NO_DESCRIPTION] if self.qemu else []
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), *devices, Eof(), *described]

    # -- the migration thread: the switch -----------------------------------------------------------------------------

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        """The CPUs have been stopped for postcopy; with the last dirty log: what is to be discarded (R3, R11)."""
        self._require(Step.STOPPED_TO_SWITCH)
        if not self.switch_asked:
            raise LocalProtocolError("the operator has not asked for postcopy", "R2")
        if not self.may_switch:
            raise LocalProtocolError("there is no connection for urgent pages yet", "R18")
        self._merge(list(pages))
        self._take(Step.STOPPED_TO_SWITCH)
        bits = Bitmaps(self.geometry.pages, self.geometry.group)
        sent = bits.all if self.qemu else int(self.sent)  # a QEMU that gets LISTEN and no discard before it refuses RUN
        discard, dirty = bits.switch(sent, int(self.dirty))
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
        discards: list[StreamMessage] = [
            Discard(block, tuple(parts[i : i + MAX_DISCARDS]))
            for block, parts in ranges.items()
            for i in range(0, len(parts), MAX_DISCARDS)
        ]
        if not self.qemu:
            return discards
        self._pongs_awaited |= {PING_BEFORE_PACKAGE}
        return [*discards, Ping(PING_BEFORE_PACKAGE)]

    @property
    def package_may_go(self) -> bool:
        """A QEMU has answered the PING before the package: it has refused nothing of what came before that."""
        return PING_BEFORE_PACKAGE not in self._pongs_awaited

    def send_package(self, devices: Iterable[Device]) -> list[StreamMessage]:
        """The package. When this returns, the guest is the destination's, whether or not a byte has gone out (R15)."""
        self._require(Step.SENT_PACKAGE)
        if not self.package_may_go:
            raise LocalProtocolError(f"PING {PING_BEFORE_PACKAGE} has not been answered: the QEMU may refuse the guest")
        pinged = [Ping(PING_IN_PACKAGE)] if self.qemu else []
        inside: list[StreamMessage] = [Listen(), *devices, *pinged, Run()]
        data = b"".join(StreamWriter(opaque_devices=self.qemu).encode(inside))
        self._take(Step.SENT_PACKAGE)
        self.recoverable = self.recovery
        self._cursor = 0
        if not self.qemu:
            return [Packaged(data)]
        self._pongs_awaited |= {PING_IN_PACKAGE, PING_AFTER_PACKAGE}
        return [Packaged(data), Ping(PING_AFTER_PACKAGE)]

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
            if not self.qemu:
                self.sent.add_all(pages)
        return pages

    def _next_in_postcopy(self, most: int) -> range:
        """R17: first the rest of a host page under way, then what is asked for, then the rest in order."""
        if self._sending:
            pages, self._sending = self._sending[:most], self._sending[most:]
            self._send(pages, Step.SENT_REST)
            return pages
        while self._requests and not self.preempt:
            first, _ = self._requests.popitem(last=False)
            if first in self.dirty:
                return self._begin_host_page(range(first, first + 1), Step.SERVED)
            self._take(Step.DROPPED, range(first, first + 1))
        background = self.dirty.run(self._cursor, most if self.geometry.group == 1 else 1)
        return self._begin_host_page(background, Step.SENT_BACKGROUND) if background else background

    # -- the return-path thread: urgent pages -------------------------------------------------------------------------

    @property
    def urgent_may_open(self) -> bool:
        """The connection for urgent pages is to be made now: after the main one, which has been answered (A25)."""
        may = self.answered or (self.preempt and self.early)
        return may and not self.urgent_open and self.capability and self.phase is Phase.PRECOPY

    @property
    def may_switch(self) -> bool:
        """No connection for urgent pages is to be made before the CPUs are stopped for postcopy (R18)."""
        return self.urgent_open or not self.preempt

    @property
    def waits_for_urgent(self) -> bool:
        """The migration thread has nothing to send, and the return-path thread has requests to serve before the end."""
        return self.preempt and not self.dirty and bool(self._requests)

    def open_urgent(self) -> None:
        """The connection for urgent pages has been made."""
        self._require(Step.OPENED_URGENT)
        if not self.urgent_may_open:
            raise LocalProtocolError("it is opened once, after the answer to the ping", "R18")
        self._take(Step.OPENED_URGENT)
        self.urgent_open = self.urgent_stands = True

    @property
    def urgent_may_reopen(self) -> bool:
        """After a break the connection is to be made anew now: when it is known what has arrived, as in QEMU.

        An old QEMU answers nothing before it is there.
        """
        return self._lacks_urgent and self.phase is (Phase.RECONNECTED if self.early else Phase.RELOADED)

    @property
    def _lacks_urgent(self) -> bool:
        return self.preempt and not self.urgent_stands

    def reopen_urgent(self) -> None:
        """The connection for urgent pages has been made anew."""
        self._require(Step.REOPENED_URGENT)
        if not self.urgent_may_reopen:
            raise LocalProtocolError("it is made anew once, when that is its turn", "R18")
        self._take(Step.REOPENED_URGENT)
        self.urgent_stands = True

    def next_urgent(self) -> range:
        """Serve the oldest request: the host page to send on the connection for urgent pages, which counts as sent.

        None is sent where the page was sent, or its host page is under way on the stream (A22).
        """
        self._require(Step.SERVED_URGENT)
        if not self._requests:
            return range(0)
        first, _ = self._requests.popitem(last=False)
        host_page = range(first, first + self.geometry.group)
        under_way = bool(self._sending) and self._sending.stop == host_page.stop
        if first not in self.dirty or under_way:
            self._take(Step.DROPPED_URGENT, range(first, first + 1))
            return range(0)
        self._take(Step.SERVED_URGENT, range(first, first + 1))
        self.dirty.remove_all(host_page)
        return host_page

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
            case ReceivedBitmap():
                self._receive_bitmap(reply)
            case ResumeAck(value):
                self._receive_resume_ack(value)
            case SwitchoverAck():
                raise RemoteProtocolError(f"{type(reply).__name__} comes, and nothing asks for it", "R19")
            case _:
                assert_never(reply)

    def _receive_request(self, pages: range) -> None:
        if self.qemu and self.phase in RECOVERING:
            return  # its fault thread has not noticed the break; after RESUME_ACK all open pages are asked for again
        self._require(Step.GOT_REQUEST, RemoteProtocolError)
        if len(pages) != self.geometry.group:
            raise RemoteProtocolError(f"a request for {len(pages)} pages, a host page is {self.geometry.group}", "R21")
        self._take(Step.GOT_REQUEST, range(pages.start, pages.start + 1))
        if self.phase == Phase.POSTCOPY:
            self._requests[pages.start] = None

    def _receive_pong(self, value: int) -> None:
        if value not in self._pongs_awaited:
            raise RemoteProtocolError(f"PONG {value} answers no ping", "R19")
        self._take(Step.GOT_PONG if value == PING else Step.GOT_LATER_PONG)
        self.answered = self.answered or (self.preempt and value == PING)
        self._pongs_awaited -= {value}

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
        """The connection is gone, or the other side cannot be trusted: in precopy the guest goes on here (R15).

        In postcopy the migration pauses, if it can be recovered.
        """
        if self.over or self.paused:
            return
        if self.recoverable:
            self._take(Step.SOURCE_PAUSED, why=why, thread=thread)
            self._requests.clear()
            self._sending = range(0)
            self.urgent_stands = False
            self._pongs_awaited, self._bitmaps_awaited = frozenset(), frozenset()
            self._arrived = 0
            return
        handed_over = self.phase >= HANDED_OVER
        self._take(Step.SOURCE_LOST, why=why, thread=thread)
        self._clean_up(guest_may_run=not handed_over)

    def give_up(self, why: str) -> None:
        """There will be no other connection: the guest is the destination's, or lost (R15)."""
        if self.over:
            return
        if not self.recoverable:
            self.lose(why)
            return
        self._take(Step.SOURCE_GAVE_UP, why=why)
        self._clean_up(guest_may_run=False)

    # -- recovery -----------------------------------------------------------------------------------------------------

    def reconnect(self) -> None:
        """The operator has made a new connection; the old one is closed."""
        self._take(Step.RECONNECTED)

    def ask_what_arrived(self) -> list[StreamMessage]:
        """Ask for the bitmap of each block: pages that are clean here may have been lost with the connection."""
        self._take(Step.ASKED_WHAT_ARRIVED)
        names = [block.name for block in self.geometry.blocks]
        self._bitmaps_awaited, self._arrived = frozenset(names), 0
        return [AskBitmap(name) for name in names]

    def _receive_bitmap(self, reply: ReceivedBitmap) -> None:
        """All that has not arrived is to be sent; when the last bitmap is here, that is known."""
        self._require(Step.GOT_WHAT_ARRIVED, RemoteProtocolError)
        if reply.block not in self._bitmaps_awaited:
            raise RemoteProtocolError(f"the bitmap of {reply.block} comes, and nothing asks for it")
        arrived = pages_in(self.geometry, reply)
        if unsent := arrived & int(self.dirty):
            page = (unsent & -unsent).bit_length() - 1
            raise RemoteProtocolError(f"page {page} is said to have arrived, and has not been sent", "R10")
        self._bitmaps_awaited -= {reply.block}
        self._arrived |= arrived
        here = Bitmap(self.geometry.pages)
        here.assign(arrived)
        if self._bitmaps_awaited:
            self._take(Step.GOT_PART_OF_WHAT_ARRIVED, runs=here.runs())
            return
        self._take(Step.GOT_WHAT_ARRIVED, runs=here.runs())
        self.dirty.assign(((1 << self.geometry.pages) - 1) & ~self._arrived)
        self._arrived = self._cursor = 0

    def resume(self) -> list[StreamMessage]:
        """The migration bitmap is right again: the migration may go on."""
        self._require(Step.SENT_RESUME)
        if self._lacks_urgent:
            raise LocalProtocolError("the connection for urgent pages has not been made anew yet", "R18")
        self._take(Step.SENT_RESUME)
        return [Resume()]

    def _receive_resume_ack(self, value: int) -> None:
        self._require(Step.GOT_RESUME_ACK, RemoteProtocolError)
        if value != RESUMED:
            raise RemoteProtocolError(f"RESUME is acknowledged with {value} instead of {RESUMED}")
        self._take(Step.GOT_RESUME_ACK)

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
