"""The two cores in a world that is fully controlled: channels, guest memory, and the effects that the cores ask for.

What can happen in it, step by step, is in `moves`. Guest memory is what the properties need of it: whether a copy of a
page is the guest's last write.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar, assert_never

from postcopy.engine.bitmap import Bitmap
from postcopy.engine.destination import DestinationCore
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
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Record
from postcopy.engine.messages import (
    Block,
    Contents,
    Device,
    Page,
    Pong,
    ReceivedBitmap,
    Reply,
    Request,
    ResumeAck,
    Shut,
    StreamMessage,
    SwitchoverAck,
)
from postcopy.engine.source import Phase, SourceCore

PAGE = 1024
FRESH, STALE = b"F" * PAGE, b"S" * PAGE
CPU = Device(3, "cpu", 0, 1, b"")
CPUS = 2

Unit = tuple[StreamMessage, ...]
"""What one step of the migration thread puts on the stream."""


class Stopping(Enum):
    """What the migration thread stops the CPUs for."""

    SWITCH = auto()
    FINISH = auto()


class StaleRead(Exception):
    """The guest or its device load read something else than was last written."""


@dataclass
class World:
    """All there is.

    Attributes:
        stream, replies, urgent: what is on its way, oldest first; an empty unit stands for the connection for urgent
            pages itself.
        broken, failed: the connection is gone; and it is the network that lost it.
        urgent_made, urgent_taken: the source has made the connection for urgent pages, and the destination has accepted
            it; nobody has closed it.
        accepted: the destination has accepted the connection, and may reply.
        awaited: the destination waits for a new connection, and none has been made.
        paused_in: the source's phase, as the model has it, when it paused last.
        source_dead: the source's host has died.
        stopping: for what the migration thread has stopped the CPUs, while its core does not know it yet.
        guest_stands: the source's CPUs stand still.
        dirty_log: pages written at the source since the log was last read, as bits.
        stale_at_source, present, stale: of the source's copies, and of the destination's, as bits.
        locked: the destination's memory is to be locked.
        sensitive: a touch of a missing page at the destination is a fault.
        devices_loaded: the destination's devices have their state.
        guest_started: the destination's guest has been started, and has not been given up.
        faults: pages whose fault has not been read yet.
        waiting: the page that each vCPU waits for; the last one is the device load's.
    """

    geometry: Geometry
    capacity: int
    source: SourceCore
    destination: DestinationCore
    records: list[Record]
    stream: tuple[Unit, ...] = ()
    replies: tuple[Reply, ...] = ()
    urgent: tuple[Unit, ...] = ()
    urgent_made: bool = False
    urgent_taken: bool = False
    broken: bool = False
    failed: bool = False
    accepted: bool = True
    awaited: bool = False
    paused_in: Phase = Phase.IDLE
    source_dead: bool = False
    stopping: Stopping | None = None
    guest_stands: bool = False
    dirty_log: int = 0
    stale_at_source: int = 0
    present: int = 0
    stale: int = 0
    locked: bool = True
    sensitive: bool = False
    devices_loaded: bool = False
    guest_started: bool = False
    faults: int = 0
    waiting: tuple[int | None, ...] = (None,) * (CPUS + 1)

    @classmethod
    def new(
        cls,
        pages: int,
        capacity: int,
        group: int = 1,
        source: type[SourceCore] = SourceCore,
        destination: type[DestinationCore] = DestinationCore,
        *,
        qemu: bool = False,
        preempt: bool = False,
        recovery: bool = False,
    ) -> World:
        """Before anything has happened.

        Args:
            qemu: each core takes the other side for a QEMU.
            preempt: each core has a connection for urgent pages.
            recovery: each core recovers the migration after a break.
        """
        geometry = Geometry([Block("ram", pages * PAGE)], PAGE, PAGE * group)
        records: list[Record] = []
        return cls(
            geometry,
            capacity,
            source(geometry, qemu=qemu, preempt=preempt, recovery=recovery, log=records.append),
            destination(geometry, qemu=qemu, preempt=preempt, recovery=recovery, log=records.append),
            records,
        )

    def copy(self) -> World:
        """The same world, to be changed on its own; no records yet."""
        records: list[Record] = []
        new = object.__new__(World)
        new.__dict__.update(self.__dict__)
        new.records = records
        new.source, new.destination = _copy(self.source, records), _copy(self.destination, records)
        return new

    def key(self) -> tuple[object, ...]:
        """Two worlds with the same key behave the same for ever."""
        rest = tuple(v for k, v in self.__dict__.items() if k not in ("geometry", "source", "destination", "records"))
        return (*_key(self.source), *_key(self.destination), *rest)

    # -- the connection -----------------------------------------------------------------------------------------------

    def source_closes(self) -> None:
        """The source has closed the connection: replies on their way are lost."""
        self.broken, self.accepted, self.urgent_made = True, True, False
        self.replies = ()

    def destination_closes(self) -> None:
        """The destination has closed the connection: what is on the stream is lost."""
        self.broken, self.awaited = True, False
        self.urgent_made = self.urgent_taken = False
        self.stream = self.urgent = ()

    # -- memory -------------------------------------------------------------------------------------------------------

    def written(self, page: int, *, at_source: bool) -> None:
        """The guest has written a page: every other copy of it is stale from now on."""
        bit = 1 << page
        if at_source:
            self.dirty_log |= bit
            self.stale |= bit & self.present
        else:
            self.stale_at_source |= bit
            self.stale &= ~bit
        where = self.geometry.locate(page)

        def aged(m: StreamMessage) -> StreamMessage:
            return Page(m.block, m.offset, STALE) if isinstance(m, Page) and (m.block, m.offset) == where else m

        self.stream = tuple(tuple(map(aged, unit)) for unit in self.stream)
        self.urgent = tuple(tuple(map(aged, unit)) for unit in self.urgent)
        if page in self.destination.assembly:
            self.destination.assembly[page] = STALE

    def _loaded(self, pages: range, data: Contents | None) -> None:
        assert data is not None
        for n, page in enumerate(pages):
            bit = 1 << page
            self.present |= bit
            self.stale = self.stale & ~bit | (bit if data[n * PAGE : (n + 1) * PAGE] == STALE else 0)

    def carry_out(self, outputs: Sequence[Output]) -> None:
        """Do what a core asks for."""
        for output in outputs:
            self._effect(output)

    def _effect(self, output: Output) -> None:
        match output:
            case LoadPages(pages, data):
                self._loaded(pages, data)
            case PlacePages(pages, data):
                self._loaded(pages, data)
                self.waiting = tuple(None if w in pages else w for w in self.waiting)
            case DropPages(pages):
                bits = sum(1 << page for page in pages)
                self.present &= ~bits
                self.stale &= ~bits
            case PrepareMemory():
                self.locked = False
            case Sensitise():
                self.sensitive = True
            case ReleaseMemory():
                self.sensitive = False
            case LoadDevice():
                self.devices_loaded = True
            case StartGuest():
                self.guest_started = True
            case GiveUpGuest():
                self.present = self.stale = self.faults = 0
                self.waiting = (None,) * (CPUS + 1)
                self.sensitive = self.devices_loaded = self.guest_started = False
                self.destination_closes()
            case Shut() | Pong() | Request() | ReceivedBitmap() | ResumeAck() | SwitchoverAck():
                self.replies += (output,)
            case _:
                assert_never(output)


# -- copies and keys of cores -----------------------------------------------------------------------------------------


Core = TypeVar("Core", SourceCore, DestinationCore)


def _copy(core: Core, records: list[Record]) -> Core:
    new = object.__new__(type(core))
    for name, value in core.__dict__.items():
        if isinstance(value, Bitmap):
            copied = Bitmap(value.size)
            copied.assign(int(value))
            new.__dict__[name] = copied
        elif isinstance(value, list | dict | OrderedDict):
            new.__dict__[name] = value.copy()
        else:
            new.__dict__[name] = value
    new.log = records.append
    return new


def _key(core: SourceCore | DestinationCore) -> Iterator[object]:
    for name, value in core.__dict__.items():
        if name in ("log", "geometry", "machine", "qemu", "preempt", "recovery"):
            continue
        if isinstance(value, Bitmap):
            yield int(value)
        elif isinstance(value, list):
            yield tuple(value)
        elif isinstance(value, dict):
            yield tuple(value.items())
        else:
            yield value
