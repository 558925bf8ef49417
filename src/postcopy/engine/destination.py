"""The destination: everything that decides what the destination does. No socket, no thread, no clock, no guest memory.

Inputs are messages of the stream (for the main thread or, from LISTEN on, the listen thread), the main thread's steps
through the package, faults, and the end of the connection; outputs are replies for the return path and effects on the
guest and its memory, to be carried out in order. A call that the protocol forbids now raises and changes nothing. A
caller with several threads holds one lock around each call; each call is one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, IntEnum, auto
from typing import NamedTuple, TypeAlias, assert_never

import msgspec

from postcopy.engine.bitmap import Bitmap
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Sink, Step, Thread, nowhere, record
from postcopy.engine.messages import (
    Advise,
    AskBitmap,
    Block,
    Capabilities,
    Configuration,
    Contents,
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
from postcopy.engine.source import MACHINE
from postcopy.engine.transitions import Transition, Transitions

PAGES = (Page, Pages)


class State(IntEnum):
    """The document's postcopy states (R9), with what is before and beside them."""

    NONE = auto()
    ADVISE = auto()
    LISTEN = auto()
    RUNNING = auto()
    END = auto()
    FAILED = auto()


class Main(Enum):
    """Where the main thread is."""

    STREAM = auto()
    """Reads the stream."""
    PACKAGE = auto()
    """Has read the whole package; its first command, LISTEN, is next."""
    DEVICES = auto()
    """Loads the devices."""
    RUN = auto()
    """The package's last command is next."""
    LEFT = auto()
    """Has left the migration."""


class Place(NamedTuple):
    """How far the destination has come: its state, and where its main thread is."""

    state: State
    main: Main


NONE = Place(State.NONE, Main.STREAM)
ADVISED = Place(State.ADVISE, Main.STREAM)
PACKAGE_READ = Place(State.ADVISE, Main.PACKAGE)
LOADING = Place(State.LISTEN, Main.DEVICES)
LOADED = Place(State.LISTEN, Main.RUN)
RUNNING = Place(State.RUNNING, Main.LEFT)
END = Place(State.END, Main.LEFT)
FAILED = Place(State.FAILED, Main.LEFT)

READING = (NONE, ADVISED)
"""The main thread reads the stream."""
LISTENING = (LOADING, LOADED, RUNNING)
"""The listen thread reads it."""

_MAIN, _LISTEN, _FAULT = (Thread.MAIN,), (Thread.LISTEN,), (Thread.FAULT,)
_NOT_READING = "the main thread is at {phase.main.name} and reads no stream"
_AT = "the main thread is at {phase.main.name}: "
_IN = "{phase.state.name}"

TRANSITIONS = Transitions[Place](
    [
        # the main thread reads the stream
        Transition(Step.RETURN_PATH_OPEN, _MAIN, READING, None, _NOT_READING, "R20"),
        Transition(Step.ANSWERED, _MAIN, READING, None, _NOT_READING, "R20"),
        Transition(Step.PREPARED, _MAIN, (NONE,), ADVISED, f"ADVISE comes in {_IN}", "R9"),
        Transition(Step.REFUSED, _MAIN, (NONE,), FAILED, f"ADVISE comes in {_IN}", "R9"),
        Transition(Step.LOADED, _MAIN, READING, None, _NOT_READING, "R20"),
        Transition(Step.DISCARDED, _MAIN, (ADVISED,), None, f"DISCARD comes in {_IN}", "R11"),
        Transition(Step.READ_PACKAGE, _MAIN, (ADVISED,), PACKAGE_READ, f"PACKAGED comes in {_IN}", "R4"),
        Transition(Step.ENDED_IN_PRECOPY, _MAIN, READING, END, _NOT_READING, "R20"),
        # the main thread processes the package
        Transition(Step.LISTENS, _MAIN, (PACKAGE_READ,), LOADING, _AT + "LISTEN is the package's first command", "R5"),
        Transition(Step.DEVICES_LOADED, _MAIN, (LOADING,), LOADED, _AT + "devices come between LISTEN and RUN", "R7"),
        Transition(Step.RUNS, _MAIN, (LOADED,), RUNNING, _AT + "RUN is the package's last command", "R7"),
        # the listen thread and the fault thread
        Transition(Step.PLACED, _LISTEN, LISTENING, None, f"there is no listen thread in {_IN}", "R8"),
        Transition(Step.ENDED, _LISTEN, (RUNNING,), END, f"the end waits for RUN, in {_IN}", "R9"),
        Transition(Step.SHUT, _LISTEN, (END,), None, f"there is no SHUT to send in {_IN}", "R24"),
        Transition(Step.REQUESTED, _FAULT, LISTENING, None, f"memory is not sensitive in {_IN}", "R16"),
        # the connection
        Transition(Step.GAVE_UP, _MAIN, (*READING, PACKAGE_READ), FAILED, f"there is nothing to give up in {_IN}"),
        Transition(Step.LOST_GUEST, _LISTEN, LISTENING, FAILED, f"there is no guest to lose in {_IN}"),
    ]
)
"""Every step of the destination: who takes it at which places, and where it leads. See `Transition`."""


class _Effect(msgspec.Struct, frozen=True, gc=False):
    """Base of what is to be done to the guest or its memory."""


class PrepareMemory(_Effect, frozen=True):
    """Make memory fit for postcopy: not locked, no huge pages (R23, R26)."""


class LoadPages(_Effect, frozen=True):
    """Write target pages of precopy; None stands for zeros."""

    pages: range
    data: Contents | None


class DropPages(_Effect, frozen=True):
    """Throw pages away, so that touching one is a fault again (R11)."""

    pages: range


class Sensitise(_Effect, frozen=True):
    """From here on touching a missing page is a fault (R5)."""


class PlacePages(_Effect, frozen=True):
    """Place host pages, each whole and in one step, and wake who waits for them (R22); None stands for zeros.

    Attributes:
        pages: all of their target pages.
    """

    pages: range
    data: Contents | None


class LoadDevice(_Effect, frozen=True):
    """Load a device's state. It may touch missing memory and wait (R6): no lock may be held."""

    device: Device


class StartGuest(_Effect, frozen=True):
    """Start the CPUs (R7)."""


class ReleaseMemory(_Effect, frozen=True):
    """All has come: touching memory is no fault any more."""


class GiveUpGuest(_Effect, frozen=True):
    """The guest must never run here, or no longer."""


Effect: TypeAlias = (
    PrepareMemory
    | LoadPages
    | DropPages
    | Sensitise
    | PlacePages
    | LoadDevice
    | StartGuest
    | ReleaseMemory
    | GiveUpGuest
)
"""Something to be done to the guest or its memory."""

Output: TypeAlias = Shut | Pong | Request | Effect
"""A reply for the return path, or an effect."""


class DestinationCore:
    """The destination of one migration.

    Args:
        geometry: guest memory.
        capability: postcopy was switched on here too (R1).
        host_support: this host has userfaultfd, or what is used in its place (R23).
        machine: what kind of machine the guest is.
        log: where the records go.

    Attributes:
        state: the postcopy state.
        main: where the main thread is.
        received: the pages that are here.
        assembly: contents of the target pages that wait for the rest of their host page; None stands for zeros.
        return_path_open: replies may be written.
        guest_runs: the guest's CPUs run here.
    """

    def __init__(
        self,
        geometry: Geometry,
        *,
        capability: bool = True,
        host_support: bool = True,
        machine: str = MACHINE,
        log: Sink = nowhere,
    ) -> None:
        self.geometry, self.machine, self.log = geometry, machine, log
        self.capability, self.host_support = capability, host_support
        self.state = State.NONE
        self.main = Main.STREAM
        self.received = Bitmap(geometry.pages)
        self.guest_runs = False
        self.owes_shut = False
        self.end_seen = False
        self.return_path_open = False
        self._configured = False
        self._sized = False
        self._devices: list[Device] = []
        self.assembly: dict[int, bytes | None] = {}

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
            case Configuration(machine):
                return self._configuration(machine)
            case OpenReturnPath():
                self._take(Step.RETURN_PATH_OPEN)
                self.return_path_open = True
                return []
            case Ping(value):
                self._need_return_path("PING")
                self._take(Step.ANSWERED)
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
            case AskBitmap() | Resume() | TargetPageBits() | Capabilities() | Uuid() | MultifdFlush():
                raise RemoteProtocolError(f"{type(message).__name__} comes: the engine has nothing of that kind")
            case Listen() | Run():
                raise RemoteProtocolError(f"{type(message).__name__.upper()} comes outside of the package", "R4")
            case _:
                assert_never(message)

    def _configuration(self, machine: str) -> Sequence[Output]:
        if self._configured:
            raise RemoteProtocolError("a second configuration")
        if machine != self.machine:
            raise RemoteProtocolError(f"the machine is {machine} there and {self.machine} here")
        self._configured = True
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
        inside = read_package(data, self.geometry.target_page)
        if not inside or not isinstance(inside[0], Listen):
            raise RemoteProtocolError("the package does not begin with LISTEN", "R5")
        if len(inside) < 2 or not isinstance(inside[-1], Run):
            raise RemoteProtocolError("the package does not end with RUN", "R7")
        devices = [message for message in inside[1:-1] if isinstance(message, Device)]
        if len(devices) < len(inside) - 2:
            raise RemoteProtocolError("the package has more in it than LISTEN, devices and RUN", "R4")
        self._take(Step.READ_PACKAGE)
        self._devices = devices
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

    def next_device(self) -> Sequence[Output]:
        """The next device to load; none where all have been loaded."""
        self._require(Step.DEVICES_LOADED)
        return [LoadDevice(self._devices.pop(0))] if self._devices else []

    def devices_loaded(self) -> None:
        """All devices have been loaded."""
        self._require(Step.DEVICES_LOADED)
        if self._devices:
            raise LocalProtocolError(f"{len(self._devices)} devices are still to be loaded", "R7")
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
        self._require(Step.PLACED)
        if self.end_seen:
            raise RemoteProtocolError(f"{type(message).__name__} comes after the end of the stream", "R24")
        match message:
            case Page() | Pages():
                return self._postcopy_pages(message)
            case Eof():
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
            self.received.add_all(pages)
            return [PlacePages(pages, message.data)]
        if isinstance(message, Pages):
            raise LocalProtocolError("several pages are taken at once if they are whole host pages", "R21")
        self._take(Step.PLACED, pages)
        self.assembly[pages.start] = message.data
        if len(self.assembly) < group:
            return []
        host_page = range(first, first + group)
        parts = [self.assembly[n] for n in host_page]
        self.assembly.clear()
        self.received.add_all(host_page)
        zeros = bytes(self.geometry.target_page)
        data = None if all(part is None for part in parts) else b"".join(zeros if p is None else p for p in parts)
        return [PlacePages(host_page, data)]

    def end(self) -> Sequence[Output]:
        """The listen thread cleans up: the end of the stream was read, and the CPUs have been started (R8, R24)."""
        self._require(Step.ENDED)
        if not self.end_seen:
            raise LocalProtocolError("the end of the stream has not been read", "R24")
        self._take(Step.ENDED)
        self.owes_shut = True
        return [ReleaseMemory()]

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

        That is done for a page that has come meanwhile too: the source ignores it (R13).

        Args:
            who: the vCPU, or the load of a device.
        """
        if self.state == State.END:
            return []  # all pages are here; placing them has woken the guest
        page = page // self.geometry.group * self.geometry.group
        self._take(Step.REQUESTED, range(page, page + 1), who=who)
        block, offset = self.geometry.locate(page)
        return [Request(block, offset, self.geometry.host_page)]

    # -- the connection -----------------------------------------------------------------------------------------------

    def lose(self, why: str) -> Sequence[Output]:
        """The connection is gone, or the other side cannot be trusted: this guest is given up, unless all is here."""
        if self.state >= State.END:
            return []
        self._take(Step.LOST_GUEST if self.listening else Step.GAVE_UP, why=why)
        self._give_up()
        return [GiveUpGuest()]

    # -- what the steps share -----------------------------------------------------------------------------------------

    def _give_up(self) -> None:
        self.guest_runs = False
        self.return_path_open = False
        self.owes_shut = False
        self.received.clear()
        self.assembly.clear()
        self._devices.clear()

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
    ) -> None:
        """Take a step: refused out of turn, put into the log, and followed by its place."""
        row = self._require(step)
        self.log(record(row.threads[0], step, pages, runs, who, why))
        if row.after is not None:
            self.state, self.main = row.after


def _listed(blocks: tuple[Block, ...]) -> str:
    return ", ".join(f"{block.name} of {block.length} bytes" for block in blocks)
