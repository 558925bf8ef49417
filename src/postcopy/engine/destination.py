"""The destination: everything that decides what the destination does. No socket, no thread, no clock, no guest memory.

Inputs are messages of the stream (for the main thread or, from LISTEN on, the listen thread), the main thread's steps
through the package, faults, and the end of the connection; outputs are replies for the return path and effects on the
guest and its memory, to be carried out in order. A call that the protocol forbids now raises and changes nothing. A
caller with several threads holds one lock around each call; each call is one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from postcopy.engine.arrived_pages import bitmap_of
from postcopy.engine.bitmap import Bitmap
from postcopy.engine.destination_steps import (
    BROKEN_OFF,
    RUNNING,
    TRANSITIONS,
    Main,
    Place,
    State,
)
from postcopy.engine.effects import (
    DropPages,
    GiveUpGuest,
    LoadDevice,
    LoadPages,
    Output,
    PlacePages,
    PrepareMemory,
    ReleaseMemory,
    Sensitise,
    StartGuest,
)
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Sink, Step, Thread, nowhere, record
from postcopy.engine.messages import (
    Advise,
    AskBitmap,
    Block,
    Capabilities,
    Configuration,
    Description,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    MultifdFlush,
    OpenReturnPath,
    Packaged,
    Page,
    Pages,
    Ping,
    Pong,
    RamEnd,
    RamSize,
    Request,
    Resume,
    ResumeAck,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    Shut,
    StreamMessage,
    SwitchoverStart,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.parsing import read_package
from postcopy.engine.source import MACHINE, RESUMED
from postcopy.engine.transitions import Transition
from postcopy.engine.wire import IGNORE_SHARED

PAGES = (Page, Pages)


class DestinationCore:
    """The destination of one migration.

    Args:
        geometry: guest memory.
        capability: postcopy was switched on here too (R1).
        host_support: this host has userfaultfd, or what is used in its place (R23).
        machine: what kind of machine the guest is.
        qemu: the other side is a QEMU: PINGs may come in the package and after it, the configuration may have parts,
            and the states of devices have no length. All of that is refused otherwise.
        preempt: pages that are asked for come on a connection of their own, to a thread of its own.
        recovery: where the connection breaks while the guest runs here, it runs on, and the migration goes on over
            another connection.
        log: where the records go.

    Attributes:
        state: the postcopy state.
        main: where the main thread is.
        received: the pages that are here.
        assembly: contents of the target pages that wait for the rest of their host page; None stands for zeros.
        return_path_open: replies may be written.
        guest_runs: the guest's CPUs run here.
        urgent_ready: the connection for urgent pages was accepted.
        urgent_stands: there is one now: a break takes it away.
        urgent_assembly: as `assembly`, of a host page that comes on that.
        unread: pages whose fault has been read, and for which no request may go out yet: the target page, and the
            toucher, or None where it was asked for on an earlier connection.
    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        capability: bool = True,
        host_support: bool = True,
        machine: str = MACHINE,
        qemu: bool = False,
        preempt: bool = False,
        recovery: bool = False,
        log: Sink = nowhere,
    ) -> None:
        self.geometry, self.machine, self.qemu, self.recovery, self.log = geometry, machine, qemu, recovery, log
        self.capability, self.host_support, self.preempt = capability, host_support, preempt
        self.state = State.NONE
        self.main = Main.STREAM
        self.received = Bitmap(geometry.pages)
        self.guest_runs = False
        self.owes_shut = False
        self.end_seen = False
        self.return_path_open = False
        self._configured = False
        self._sized = False
        self._package: list[Device | Ping] = []
        self.assembly: dict[int, bytes | None] = {}
        self.urgent_ready = self.urgent_stands = False
        self.urgent_assembly: dict[int, bytes | None] = {}
        self.unread: dict[int, str | None] = {}
        self._open: dict[int, None] = {}  # target pages that are asked for and have not come
        self._blocks_said: frozenset[str] = frozenset()

    @property
    def place(self) -> Place:
        """How far it has come."""
        return Place(self.state, self.main)

    @property
    def listening(self) -> bool:
        """The listen thread reads the stream."""
        return self.state in (State.LISTEN, State.RUNNING)

    # -- the main thread reads the stream -----------------------------------------------------------------------------

    def receive(self, message: StreamMessage) -> Sequence[Output]:
        """The main thread has read a message.

        Raises:
            RemoteProtocolError: one that cannot come now, or lies. The caller gives up with `lose`.
        """
        self._require(Step.LOADED)
        if not self._configured and not isinstance(message, Header | Configuration):
            raise RemoteProtocolError(f"{type(message).__name__} comes before the configuration")
        match message:
            case Page() | Pages():
                return self._precopy_pages(message)
            case (
                Header()
                | (SectionStart() | SectionPart() | SectionEnd() | RamEnd() | Footer())
                | (SwitchoverStart() | Description())
            ):
                return []  # framing, which the wire has checked; and what devices and tools of QEMU use
            case Configuration() | TargetPageBits() | Capabilities() | Uuid():
                return self._configuration(message)
            case OpenReturnPath():
                self._take(Step.RETURN_PATH_OPEN)
                self.return_path_open = True
                return []
            case Ping(value):
                self._need_return_path("PING")
                self._take(Step.ANSWERED_LATER if self.qemu and self.state is State.ADVISE else Step.ANSWERED)
                return [Pong(value)]
            case Advise():
                return self._advise(message)
            case RamSize(blocks):
                return self._ram_size(blocks)
            case Discard():
                return self._discard(message)
            case Packaged(data):
                return self._packaged(data)
            case Device():
                return [LoadDevice(message)]
            case Eof():
                return self._end_in_precopy()
            case AskBitmap() | Resume() | MultifdFlush():
                raise RemoteProtocolError(f"{type(message).__name__} comes: the engine has nothing of that kind")
            case Listen() | Run():
                raise RemoteProtocolError(f"{type(message).__name__.upper()} comes outside of the package", "R4")
            case _:
                assert_never(message)

    def _configuration(self, message: Configuration | TargetPageBits | Capabilities | Uuid) -> Sequence[Output]:
        """The guest's number says nothing to the engine; all else has to fit."""
        if isinstance(message, Configuration):
            if self._configured:
                raise RemoteProtocolError("a second configuration")
            if message.machine != self.machine:
                raise RemoteProtocolError(f"the machine is {message.machine} there and {self.machine} here")
            self._configured = True
        elif not self.qemu:
            raise RemoteProtocolError(f"{type(message).__name__} comes: the engine has nothing of that kind")
        elif isinstance(message, TargetPageBits) and 1 << message.bits != self.geometry.target_page:
            here = self.geometry.target_page
            raise RemoteProtocolError(f"target pages have {1 << message.bits} bytes there, {here} here", "R21")
        elif isinstance(message, Capabilities) and (unknown := sorted({*message.names} - {IGNORE_SHARED})):
            raise RemoteProtocolError(f"the source needs capabilities that the engine lacks: {', '.join(unknown)}")
        return []

    def _advise(self, message: Advise) -> Sequence[Output]:
        self._require(Step.PREPARED, RemoteProtocolError)
        here = self.geometry
        if (message.host_page, message.target_page) != (here.host_page, here.target_page):
            raise RemoteProtocolError(
                f"host and target pages have {message.host_page} and {message.target_page} bytes there, "
                f"{here.host_page} and {here.target_page} here",
                "R21",
            )
        if not (self.capability and self.host_support):
            self._need_return_path("ADVISE")
            why = "this host cannot do postcopy" if self.capability else "postcopy is not switched on here"
            self._take(Step.REFUSED, why=why)
            self._give_up()
            return [Shut(1), GiveUpGuest()]
        self._take(Step.PREPARED)
        return [PrepareMemory()]

    def _ram_size(self, blocks: tuple[Block, ...]) -> Sequence[Output]:
        if self._sized:
            raise RemoteProtocolError("the sizes of memory come a second time")
        if blocks != self.geometry.blocks:
            raise RemoteProtocolError(f"memory is {_listed(blocks)} there and {_listed(self.geometry.blocks)} here")
        self._sized = True
        return []

    def _precopy_pages(self, message: Page | Pages) -> Sequence[Output]:
        if not self._sized:
            raise RemoteProtocolError("a page comes before the sizes of memory")
        pages = self._pages_of(message)
        self._take(Step.LOADED, pages)
        self.received.add_all(pages)
        return [LoadPages(pages, message.data)]

    def _discard(self, message: Discard) -> Sequence[Output]:
        self._require(Step.DISCARDED, RemoteProtocolError)
        pages = [self.geometry.range(message.block, *part) for part in message.ranges]
        self._take(Step.DISCARDED, runs=pages)
        for part in pages:
            self.received.remove_all(part)
        return [DropPages(part) for part in pages]

    def _packaged(self, data: bytes) -> Sequence[Output]:
        """R4: the whole package is here and has been read before any of it is acted on."""
        self._require(Step.READ_PACKAGE, RemoteProtocolError)
        if not self._sized:
            raise RemoteProtocolError("PACKAGED comes before the sizes of memory", "R4")
        self._need_return_path("PACKAGED")
        if self.preempt and not self.urgent_ready:
            raise LocalProtocolError("the connection for urgent pages was not accepted yet", "R18")
        inside = read_package(data, self.geometry.target_page, opaque_devices=self.qemu)
        if not inside or not isinstance(inside[0], Listen):
            raise RemoteProtocolError("the package does not begin with LISTEN", "R5")
        if len(inside) < 2 or not isinstance(inside[-1], Run):
            raise RemoteProtocolError("the package does not end with RUN", "R7")
        package = [message for message in inside[1:-1] if isinstance(message, (Device, Ping) if self.qemu else Device)]
        if len(package) < len(inside) - 2:
            raise RemoteProtocolError("the package has more in it than LISTEN, devices and RUN", "R4")
        self._take(Step.READ_PACKAGE)
        self._package = package
        return []

    def _end_in_precopy(self) -> Sequence[Output]:
        self._check_all_here()
        self._need_return_path("the end of the stream")
        self._take(Step.ENDED_IN_PRECOPY)
        self.guest_runs = True
        self.owes_shut = True
        return [ReleaseMemory(), StartGuest()]

    # -- the main thread processes the package ------------------------------------------------------------------------

    def listen(self) -> Sequence[Output]:
        """LISTEN: the listen thread starts, and memory becomes sensitive (R5)."""
        self._take(Step.LISTENS)
        return [Sensitise()]

    @property
    def package_left(self) -> int:
        """How many devices are still to be loaded, and pings to be answered."""
        return len(self._package)

    def next_in_package(self) -> Sequence[Output]:
        """The next device to load, or ping to answer; none where there is no other."""
        self._require(Step.DEVICES_LOADED)
        if not self._package:
            return []
        message = self._package.pop(0)
        if isinstance(message, Device):
            return [LoadDevice(message)]
        self._take(Step.ANSWERED_LATER)
        return [Pong(message.value)]

    def devices_loaded(self) -> None:
        """All devices have been loaded."""
        self._require(Step.DEVICES_LOADED)
        if self._package:
            raise LocalProtocolError(f"{self.package_left} devices are still to be loaded", "R7")
        self._take(Step.DEVICES_LOADED)

    def run(self) -> Sequence[Output]:
        """RUN: the CPUs start, and the main thread leaves migration alone (R7, R8)."""
        self._take(Step.RUNS)
        self.guest_runs = True
        return [StartGuest()]

    # -- the listen thread --------------------------------------------------------------------------------------------

    def receive_listening(self, message: StreamMessage) -> Sequence[Output]:
        """The listen thread has read a message.

        Raises:
            RemoteProtocolError: one that cannot come now, or lies. The caller gives up with `lose`.
        """
        if self.state is State.RECOVERING:
            return self._receive_recovering(message)
        self._require(Step.PLACED)
        if self.end_seen:
            raise RemoteProtocolError(f"{type(message).__name__} comes after the end of the stream", "R24")
        match message:
            case Page() | Pages():
                return self._postcopy_pages(message)
            case Ping(value) if self.qemu:
                self._take(Step.ANSWERED_LATER, thread=Thread.LISTEN)
                return [Pong(value)]
            case Eof():
                if not self.preempt:
                    self._check_all_here()
                self.end_seen = True
                return []
            case SectionStart() | SectionPart() | SectionEnd() | RamEnd() | Footer():
                return []  # framing, which the wire has checked
            case Discard():
                raise RemoteProtocolError(f"DISCARD comes in {self.state.name}", "R11")
            case (
                Header()
                | Configuration()
                | OpenReturnPath()
                | Ping()
                | Advise()
                | Listen()
                | Run()
                | Packaged()
                | Device()
                | RamSize()
                | SwitchoverStart()
                | Description()
                | AskBitmap()
                | Resume()
                | TargetPageBits()
                | Capabilities()
                | Uuid()
                | MultifdFlush()
            ):
                raise RemoteProtocolError(f"{type(message).__name__} comes in {self.state.name}", "R9")
            case _:
                assert_never(message)

    def _postcopy_pages(self, message: Page | Pages) -> Sequence[Output]:
        pages, group = self._pages_of(message), self.geometry.group
        here = next((page for page in self.assembly if page in pages), self.received.first_of(pages))
        if here is not None:
            raise RemoteProtocolError(f"page {here} comes in postcopy although it is here", "R13")
        first = pages.start // group * group
        if self.assembly and first != next(iter(self.assembly)) // group * group:
            raise RemoteProtocolError(f"page {pages.start} comes before the host page under way is whole", "R21")
        if pages.start == first and len(pages) % group == 0:
            self._take(Step.PLACED, pages)
            self._mark_received(pages)
            return [PlacePages(pages, message.data)]
        if isinstance(message, Pages):
            raise LocalProtocolError("several pages are taken at once if they are whole host pages", "R21")
        self._take(Step.PLACED, pages)
        self.assembly[pages.start] = message.data
        if len(self.assembly) < group:
            return []
        host_page = range(first, first + group)
        data = self._joined(self.assembly, host_page)
        self._mark_received(host_page)
        return [PlacePages(host_page, data)]

    def end(self) -> Sequence[Output]:
        """The listen thread cleans up: the end of the stream was read, and the CPUs have been started (R8, R24)."""
        self._require(Step.ENDED)
        if not self.end_seen:
            raise LocalProtocolError("the end of the stream has not been read", "R24")
        if not self.all_here:
            raise LocalProtocolError("urgent pages are still to come", "R24")
        self._take(Step.ENDED)
        self.unread.clear()
        self.owes_shut = True
        return [ReleaseMemory()]

    @property
    def all_here(self) -> bool:
        """All pages have come. At the end of the stream urgent ones may be on their way (A05)."""
        return self.received.count == self.geometry.pages

    # -- the thread of urgent pages -----------------------------------------------------------------------------------

    def accept_urgent(self) -> None:
        """The main thread has accepted the connection for urgent pages."""
        self._require(Step.ACCEPTED_URGENT)
        if self.urgent_ready:
            raise RemoteProtocolError("a second connection for urgent pages", "R18")
        self._take(Step.ACCEPTED_URGENT)
        self.urgent_ready = self.urgent_stands = True

    def accept_urgent_again(self) -> None:
        """After a break, the listen thread has accepted the connection for urgent pages that was made anew."""
        self._require(Step.ACCEPTED_URGENT_AGAIN)
        if self.urgent_stands:
            raise RemoteProtocolError("a second connection for urgent pages", "R18")
        self._take(Step.ACCEPTED_URGENT_AGAIN)
        self.urgent_stands = True

    def receive_urgent(self, message: StreamMessage) -> Sequence[Output]:
        """A message on the connection for urgent pages.

        Raises:
            RemoteProtocolError: one that cannot come now, or lies. The caller gives up with `lose`.
        """
        self._require(Step.PLACED_URGENT)
        if isinstance(message, Page | Pages):
            return self._urgent_pages(message)
        if isinstance(message, RamEnd):
            return []
        raise RemoteProtocolError(f"{type(message).__name__} comes on the connection for urgent pages", "R18")

    def _urgent_pages(self, message: Page | Pages) -> Sequence[Output]:
        """Each host page comes whole on one connection (A22)."""
        pages, group = self._pages_of(message), self.geometry.group
        known = next((page for page in pages if page in self.urgent_assembly or page in self.assembly), None)
        here = known if known is not None else self.received.first_of(pages)
        if here is not None:
            raise RemoteProtocolError(f"urgent page {here} comes although it is here", "R13")
        if group == 1 and isinstance(message, Page):
            self._take(Step.PLACED_URGENT, pages)
            self._mark_received(pages)
            return [PlacePages(pages, message.data)]
        first = pages.start // group * group
        if self.urgent_assembly and first != next(iter(self.urgent_assembly)) // group * group:
            raise RemoteProtocolError(f"urgent page {pages.start} comes before the host page under way is whole", "R21")
        size = self.geometry.target_page
        data = None if message.data is None else bytes(message.data)
        for n, page in enumerate(pages):
            self.urgent_assembly[page] = None if data is None else data[n * size : (n + 1) * size]
        placed: list[Output] = []
        for first in range(pages.start // group * group, pages.stop, group):
            host_page = range(first, first + group)
            if all(page in self.urgent_assembly for page in host_page):
                self._take(Step.PLACED_URGENT, range(first, first + 1))
                placed.append(PlacePages(host_page, self._joined(self.urgent_assembly, host_page)))
                self._mark_received(host_page)
        return placed

    def _joined(self, assembly: dict[int, bytes | None], host_page: range) -> bytes | None:
        """The contents of a host page that is whole, out of where its parts were collected."""
        parts = [assembly.pop(page) for page in host_page]
        zeros = bytes(self.geometry.target_page)
        return None if all(part is None for part in parts) else b"".join(zeros if p is None else p for p in parts)

    def shut(self) -> Sequence[Output]:
        """The last reply: all has arrived (R24)."""
        self._require(Step.SHUT)
        if not self.owes_shut:
            raise LocalProtocolError("SHUT is sent once", "R24")
        self._take(Step.SHUT)
        self.owes_shut = False
        return [Shut(0)]

    # -- the fault thread ---------------------------------------------------------------------------------------------

    def fault(self, page: int, who: str = "") -> Sequence[Output]:
        """The guest touched a missing page and sleeps until it comes: its host page is asked for (R16).

        That is done for a page that has come meanwhile too: the source ignores it (R13). While there is no connection,
        the fault waits in `unread`.

        Args:
            who: the vCPU, or the load of a device.
        """
        if self.state == State.END:
            return []  # all pages are here; placing them has woken the guest
        if self.place in BROKEN_OFF or page in self.unread:
            self.unread.setdefault(page, who)
            return []
        self._take(Step.REQUESTED, range(page, page + 1), who=who)
        return self._request(page)

    def request_unread(self) -> Sequence[Output]:
        """After a recovery: ask for the next page whose fault was read before; none where there is no other (R16)."""
        if self.state == State.END or self.place in BROKEN_OFF:
            return []
        self._require(Step.REQUESTED)
        if not self.unread:
            return []
        page, who = next(iter(self.unread.items()))
        step = Step.REQUESTED_AGAIN if who is None else Step.REQUESTED
        self._take(step, range(page, page + 1), who=who or "")
        del self.unread[page]
        return self._request(page)

    def _request(self, page: int) -> Sequence[Output]:
        if self.recovery and page not in self.received:
            self._open[page] = None
        block, offset = self.geometry.locate(page // self.geometry.group * self.geometry.group)
        return [Request(block, offset, self.geometry.host_page)]

    # -- the connection -----------------------------------------------------------------------------------------------

    def lose(self, why: str) -> Sequence[Output]:
        """The connection is gone, or the other side cannot be trusted: this guest is given up, unless all is here.

        A guest that runs here runs on, if the migration can be recovered.
        """
        if self.state >= State.END or self.state in (State.PAUSED, State.WAITING):
            return []
        if self.state is State.RECOVERING or (self.recovery and self.state is State.RUNNING):
            return self._pause(why)
        self._take(Step.LOST_GUEST if self.listening else Step.GAVE_UP, why=why)
        self._give_up()
        return [GiveUpGuest()]

    def _pause(self, why: str) -> Sequence[Output]:
        """What has come of a host page that is not whole comes again with the rest."""
        if self.end_seen and self.all_here:
            return []  # the end is next
        self._take(Step.PAUSED, why=why)
        self.return_path_open = self.end_seen = self.urgent_stands = False
        self.assembly.clear()
        self.urgent_assembly.clear()
        return []

    def give_up(self, why: str) -> Sequence[Output]:
        """There will be no other connection, or no guest: it is given up."""
        if self.recovery and self.place in (RUNNING, *BROKEN_OFF):
            self._take(Step.GAVE_UP_GUEST, why=why)
            self._give_up()
            return [GiveUpGuest()]
        return self.lose(why)

    # -- recovery -----------------------------------------------------------------------------------------------------

    def wait_for_connection(self) -> None:
        """The operator lets this host wait for a new connection; the old one is closed."""
        self._take(Step.WAITED)

    def accept(self, *, broken: bool = False) -> None:
        """The source has made a new connection.

        Args:
            broken: it is gone already.
        """
        self._take(Step.FOUND_BROKEN if broken else Step.ACCEPTED)
        self._blocks_said = frozenset()
        self.return_path_open = not broken

    def _receive_recovering(self, message: StreamMessage) -> Sequence[Output]:
        """On a new connection the source asks what has arrived, block by block, and then resumes."""
        if isinstance(message, AskBitmap):
            return self._say_what_arrived(message.block)
        if isinstance(message, Resume):
            return self._resume()
        raise RemoteProtocolError(f"{type(message).__name__} comes before RESUME")

    def _say_what_arrived(self, block: str) -> Sequence[Output]:
        if block in self._blocks_said:
            raise RemoteProtocolError(f"the bitmap of {block} is asked for a second time")
        reply = bitmap_of(self.geometry, block, self.received)
        said = self._blocks_said | {block}
        here = Bitmap(self.geometry.pages)
        within = self.geometry.whole(block)
        here.assign(int(self.received) & (((1 << len(within)) - 1) << within.start))
        last = len(said) == len(self.geometry.blocks)
        self._take(Step.SAID_WHAT_ARRIVED if last else Step.SAID_PART_OF_WHAT_ARRIVED, runs=tuple(here.runs()))
        self._blocks_said = said
        return [reply]

    def _resume(self) -> Sequence[Output]:
        """Requests on the old connection may be lost, and the kernel reports each fault once: they are made again."""
        self._require(Step.RESUMED)
        if missing := [block.name for block in self.geometry.blocks if block.name not in self._blocks_said]:
            raise RemoteProtocolError(f"RESUME comes before the bitmap of {missing[0]} was asked for")
        if self.preempt and not self.urgent_stands:
            raise LocalProtocolError("the connection for urgent pages was not accepted again yet", "R18")
        self._take(Step.RESUMED)
        self.unread = self.unread | dict.fromkeys(self._open)
        self._open.clear()
        return [ResumeAck(RESUMED)]

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _give_up(self) -> None:
        self.guest_runs = False
        self.return_path_open = False
        self.owes_shut = False
        self.received.clear()
        self.assembly.clear()
        self.urgent_assembly.clear()
        self.unread.clear()
        self._open.clear()
        self._package.clear()

    def _mark_received(self, pages: range) -> None:
        self.received.add_all(pages)
        for page in [page for page in self._open if page in pages]:
            del self._open[page]

    def _pages_of(self, message: Page | Pages) -> range:
        """Which target pages a message brings."""
        count, size = message.count if isinstance(message, Pages) else 1, self.geometry.target_page
        pages = self.geometry.pages_from(message.block, message.offset, count)
        found = count * size if message.data is None else memoryview(message.data).nbytes
        if found != count * size:
            raise RemoteProtocolError(f"{count} page{'s' * (count > 1)} of {found} bytes: a page has {size}", "R21")
        return pages

    def _check_all_here(self) -> None:
        missing = self.geometry.pages - self.received.count
        if missing or self.assembly:
            absent = Bitmap(self.geometry.pages)
            absent.assign(((1 << self.geometry.pages) - 1) & ~int(self.received))
            raise RemoteProtocolError(
                f"the stream ends, and {missing} pages have not come, page {absent.next(0)} the first", "R24"
            )

    def _need_return_path(self, what: str) -> None:
        if not self.return_path_open:
            raise RemoteProtocolError(f"{what} comes before the return path is open", "R19")

    def _require(
        self, step: Step, error: type[LocalProtocolError | RemoteProtocolError] = LocalProtocolError
    ) -> Transition[Place]:
        return TRANSITIONS.require(step, self.place, error)

    def _take(
        self,
        step: Step,
        pages: range | None = None,
        runs: Sequence[range] = (),
        who: str = "",
        why: str = "",
        thread: Thread | None = None,
    ) -> None:
        """Take a step: refused out of turn, put into the log, and followed by its place."""
        row = self._require(step)
        self.log(record(thread or row.threads[0], step, pages, runs, who, why))
        if row.after is not None:
            self.state, self.main = row.after


def _listed(blocks: tuple[Block, ...]) -> str:
    return ", ".join(f"{block.name} of {block.length} bytes" for block in blocks)
