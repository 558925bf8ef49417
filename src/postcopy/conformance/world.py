"""The two cores in a world that is fully controlled: threads, channels, guest, network, operator move step by step.

The threads' programs are those of the engine's hosts, cut where another thread may come between. Guest memory is what
the properties need of it: whether a copy of a page is the guest's last write.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from postcopy.engine.bitmap import Bitmap
from postcopy.engine.destination import (
    DestinationCore,
    DropPages,
    GiveUpGuest,
    LoadDevice,
    LoadPages,
    Main,
    Output,
    PlacePages,
    State,
)
from postcopy.engine.errors import LocalProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Record
from postcopy.engine.messages import (
    Advise,
    Block,
    Contents,
    Device,
    Message,
    Page,
    Pages,
    Ping,
    RamEnd,
    Reply,
    SectionPart,
    SectionStart,
    StreamMessage,
)
from postcopy.engine.source import RAM_SECTION, Phase, SourceCore

PAGE = 1024
FRESH, STALE = b"F" * PAGE, b"S" * PAGE
CPU = Device(3, "cpu", 0, 1, b"")
CPUS = 2

Unit = tuple[StreamMessage, ...]
"""What one step of the migration thread puts on the stream."""


class StaleRead(Exception):
    """The guest or its device load read something else than was last written."""


@dataclass
class World:
    """All there is.

    Attributes:
        stream, replies: what is on its way, oldest first.
        broken, failed: the connection is gone; and it is the network that lost it.
        source_dead: the source's host has died.
        stopping: the migration thread has stopped the CPUs, for the switch or to finish, and has not yet told its core.
        guest_stands: the source's CPUs stand still.
        dirty_log: pages written at the source since the log was last read, as bits.
        stale_at_source, present, stale: of the source's copies, and of the destination's, as bits.
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
    broken: bool = False
    failed: bool = False
    source_dead: bool = False
    stopping: str = ""
    guest_stands: bool = False
    dirty_log: int = 0
    stale_at_source: int = 0
    present: int = 0
    stale: int = 0
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
    ) -> World:
        """Before anything has happened."""
        geometry = Geometry([Block("ram", pages * PAGE)], PAGE, PAGE * group)
        records: list[Record] = []
        return cls(
            geometry,
            capacity,
            source(geometry, log=records.append),
            destination(geometry, log=records.append),
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

    # -- memory -------------------------------------------------------------------------------------------------------

    def _written(self, page: int, *, at_source: bool) -> None:
        """Every other copy of a page that the guest writes is stale from now on."""
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
        if page in self.destination.assembly:
            self.destination.assembly[page] = STALE

    def _loaded(self, pages: range, data: Contents | None) -> None:
        assert data is not None
        for n, page in enumerate(pages):
            bit = 1 << page
            self.present |= bit
            self.stale = self.stale & ~bit | (bit if data[n * PAGE : (n + 1) * PAGE] == STALE else 0)

    def _carry_out(self, outputs: Any) -> None:
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
            case GiveUpGuest():
                self.present = self.stale = self.faults = 0
                self.waiting = (None,) * (CPUS + 1)
                self.broken = True
                self.stream = ()
            case Message():
                self.replies += (output,)
            case _:
                pass  # the core knows that the guest runs, and whether memory is sensitive

    # -- moves --------------------------------------------------------------------------------------------------------

    def moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        """Everything that can happen next: who does what, and a function that does it to a copy."""
        yield from self._operator()
        yield from self._source_moves()
        yield from self._destination_moves()
        yield from self._guest_moves()
        if Phase.IDLE < self.source.phase < Phase.COMPLETED:
            yield "source host: dies", _source_dies
        if self.destination.state < State.END:
            yield "destination host: dies", _destination_loses
        if not self.broken and self.source.phase > Phase.IDLE:
            yield "network: loses the connection", _break
        if self.failed:
            if self.stream:
                yield "network: loses the newest on the stream", _lose_stream
            if self.replies:
                yield "network: loses the newest on the return path", _lose_reply

    def _operator(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        core = self.source
        if core.phase == Phase.IDLE:
            if not self.broken:
                yield "operator: starts", lambda w: w.source.start()
            return
        if not core.switch_asked:
            yield "operator: asks for postcopy", lambda w: _ignore(w.source.start_postcopy())
        if not core.over:
            yield "operator: cancels", _cancel

    def _source_moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        core = self.source
        if core.guest_may_run and not self.guest_stands:
            for page in range(self.geometry.pages):
                yield f"source guest: writes {page}", _writes_at_source(page)
        if Phase.IDLE < core.phase < Phase.COMPLETED:
            if self.broken:
                yield "migration thread: notices the loss", _source_loses
            else:
                yield from self._migration()
                room = self.capacity - sum(map(_counts, self.stream))
                if room > 0:
                    yield from self._sending(room)
            if self.replies:
                yield "return-path thread: receives", _receive_reply

    def _migration(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        """What needs no room on the stream."""
        core = self.source
        if core.phase == Phase.ADVISING and not core.capability:
            yield "migration thread: advises", _sends(lambda w: w.source.advise())
        if core.phase == Phase.SWITCHING and not core.discards:
            yield "migration thread: has nothing to discard", _sends(lambda w: w.source.send_discards())
        if core.phase != Phase.PRECOPY:
            return
        if self.stopping:
            yield "migration thread: has stopped the CPUs", _stopped
            return
        if self.dirty_log:
            yield "migration thread: reads the dirty log", _sync
        yield "migration thread: stops the CPUs to finish", _stop("finish")
        if core.switch_asked:
            yield "migration thread: stops the CPUs to switch", _stop("switch")

    def _sending(self, room: int) -> Iterator[tuple[str, Callable[[World], None]]]:
        """What needs room on the stream, for which there is room for so many messages."""
        core = self.source
        match core.phase:
            case Phase.OPENING:
                yield "migration thread: opens", _sends(lambda w: w.source.open())
            case Phase.PINGING:
                yield "migration thread: pings", _sends(lambda w: w.source.ping())
            case Phase.ADVISING if core.capability:
                yield "migration thread: advises", _sends(lambda w: w.source.advise())
            case Phase.PRECOPY | Phase.FINISHING if core.dirty and not self.stopping:
                yield "migration thread: sends a page", _send_pages(1)
                if room > 1:
                    yield "migration thread: sends pages at once", _send_pages(room)
            case Phase.FINISHING if not core.dirty:
                yield "migration thread: ends precopy", _sends(lambda w: w.source.end_precopy([CPU]))
            case Phase.SWITCHING if core.discards:
                yield "migration thread: sends the discards", _sends(lambda w: w.source.send_discards())
            case Phase.PACKAGING:
                yield "migration thread: sends the package", _sends(lambda w: w.source.send_package([CPU]))
            case Phase.POSTCOPY:
                yield "migration thread: sends a page or ends", _send_pages(1)
                if room > 1:
                    yield "migration thread: sends pages at once or ends", _send_pages(room)
            case _:
                pass

    def _destination_moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        core = self.destination
        room = len(self.replies) < self.capacity
        reads_stream = core.main == Main.STREAM and core.state < State.END
        if reads_stream or (core.listening and not core.end_seen):
            reader = "main thread" if reads_stream else "listen thread"
            answers = self.stream and any(isinstance(m, Ping | Advise) for m in self.stream[0])
            if neighbours := _neighbours(self):
                yield f"{reader}: receives pages at once", _receive_neighbours(neighbours)
            if self.stream and (not answers or (room and not self.broken)):  # an answer needs somebody to write to
                yield f"{reader}: receives", _receive
            if self.broken:
                yield f"{reader}: notices the loss", _destination_loses
        if core.main == Main.PACKAGE:
            yield "main thread: LISTEN", lambda w: w._carry_out(w.destination.listen())
        if core.main == Main.DEVICES and self.waiting[CPUS] is None:
            for page in range(self.geometry.pages):
                yield f"device load: touches {page}", _touches(CPUS, page)
            yield "main thread: has loaded the devices", _load_devices
        if core.main == Main.RUN:
            yield "main thread: RUN", lambda w: w._carry_out(w.destination.run())
        if core.end_seen and core.state == State.RUNNING:
            yield "listen thread: ends", _ends
        if core.owes_shut and (room or self.broken):
            yield "listen thread: says that all has come", _shuts
        if core.listening and self.faults and room and not self.broken:
            for page in range(self.geometry.pages):
                if self.faults >> page & 1:
                    yield f"fault thread: reads the fault on {page}", _fault(page)

    def _guest_moves(self) -> Iterator[tuple[str, Callable[[World], None]]]:
        if not self.destination.guest_runs:
            return
        for cpu in range(CPUS):
            if self.waiting[cpu] is None:
                for page in range(self.geometry.pages):
                    yield f"vCPU {cpu}: touches {page}", _touches(cpu, page)
                    if self.present >> page & 1 and cpu == 0:
                        yield f"vCPU {cpu}: writes {page}", _writes_at_destination(page)


# -- what a move does -------------------------------------------------------------------------------------------------


def _counts(unit: Unit) -> bool:
    """The sizes of memory on their own are no message of the model."""
    return not isinstance(unit[0], SectionStart)


def _ignore(_: object) -> None:
    pass


def _break(world: World) -> None:
    world.broken = world.failed = True


def _lose_stream(world: World) -> None:
    world.stream = world.stream[:-1]


def _lose_reply(world: World) -> None:
    world.replies = world.replies[:-1]


def _settle(world: World) -> None:
    """As the source host does: its core says whether the guest may run."""
    if world.source.over:
        world.guest_stands = not world.source.guest_may_run
        world.stopping = ""
        world.dirty_log = 0
        if world.source.phase != Phase.COMPLETED:
            world.broken = True
            world.replies = ()


def _cancel(world: World) -> None:
    try:
        world.source.cancel()
    except LocalProtocolError:
        return  # the operator is told that it is too late
    _settle(world)


def _source_loses(world: World) -> None:
    world.source.lose("the connection is gone")
    _settle(world)


def _source_dies(world: World) -> None:
    world.source.lose("died")
    world.source.guest_may_run = False
    world.source_dead = True
    _settle(world)


def _destination_loses(world: World) -> None:
    world._carry_out(world.destination.lose("the connection is gone"))


def _writes_at_source(page: int) -> Callable[[World], None]:
    return lambda world: world._written(page, at_source=True)


def _writes_at_destination(page: int) -> Callable[[World], None]:
    return lambda world: world._written(page, at_source=False)


def _sends(step: Callable[[World], list[StreamMessage]]) -> Callable[[World], None]:
    def move(world: World) -> None:
        unit = tuple(step(world))
        if unit:
            world.stream += (unit,)

    return move


def _page(world: World, page: int) -> Unit:
    """A page with the log's word against it will be sent again: it counts as stale, which is the worse case."""
    data = STALE if (world.stale_at_source | world.dirty_log) >> page & 1 else FRESH
    return (SectionPart(RAM_SECTION), Page(*world.geometry.locate(page), data), RamEnd())


def _send_pages(most: int) -> Callable[[World], None]:
    def move(world: World) -> None:
        pages = world.source.next_pages(most)
        world.stream += tuple(_page(world, page) for page in pages) or (tuple(world.source.end_postcopy()),)

    return move


def _runs_of(bits: int, pages: int) -> list[range]:
    found = Bitmap(pages)
    found.assign(bits)
    return list(found.runs())


def _sync(world: World) -> None:
    world.source.merge_dirty(_runs_of(world.dirty_log, world.geometry.pages))
    world.dirty_log = 0


def _stop(why: str) -> Callable[[World], None]:
    def move(world: World) -> None:
        world.guest_stands = True
        world.stopping = why

    return move


def _stopped(world: World) -> None:
    log = _runs_of(world.dirty_log, world.geometry.pages)
    if world.stopping == "switch":
        world.source.cpus_stopped_to_switch(log)
    else:
        world.source.cpus_stopped_to_finish(log)
    world.dirty_log, world.stopping = 0, ""


def _receive_reply(world: World) -> None:
    reply, *rest = world.replies
    world.replies = tuple(rest)
    world.source.receive(reply)
    _settle(world)


def _neighbours(world: World) -> Unit:
    """The oldest messages on the stream as one, where they are whole host pages next to each other: see the parser."""
    pages: list[Page] = []
    for unit in world.stream:
        page = next((m for m in unit if isinstance(m, Page)), None)
        if page is None or page.offset != (pages[0].offset + len(pages) * PAGE if pages else page.offset):
            break
        pages.append(page)
    group = world.geometry.group
    count = len(pages) - len(pages) % group
    if count < 2 or pages[0].offset % (group * PAGE):
        return ()
    data = b"".join(page.data or b"" for page in pages[:count])
    return (SectionPart(RAM_SECTION), Pages(pages[0].block, pages[0].offset, count, PAGE, data), RamEnd())


def _receive_neighbours(unit: Unit) -> Callable[[World], None]:
    def move(world: World) -> None:
        count = sum(m.count for m in unit if isinstance(m, Pages))
        world.stream = (unit, *world.stream[count:])
        _receive(world)

    return move


def _receive(world: World) -> None:
    unit, *rest = world.stream
    world.stream = tuple(rest)
    core = world.destination
    for message in unit:
        if core.state is State.FAILED:
            return  # nobody reads on
        world._carry_out(core.receive_listening(message) if core.listening else core.receive(message))


def _load_devices(world: World) -> None:
    while outputs := world.destination.next_device():
        assert isinstance(outputs[0], LoadDevice)
    world.destination.devices_loaded()


def _ends(world: World) -> None:
    world._carry_out(world.destination.end())
    world.faults = 0


def _shuts(world: World) -> None:
    outputs = world.destination.shut()
    if not world.broken:
        world._carry_out(outputs)


def _fault(page: int) -> Callable[[World], None]:
    def move(world: World) -> None:
        world.faults &= ~(1 << page)
        world._carry_out(world.destination.fault(page))

    return move


def _touches(who: int, page: int) -> Callable[[World], None]:
    def move(world: World) -> None:
        if world.present >> page & 1:
            if world.stale >> page & 1:
                raise StaleRead(f"{'the device load' if who == CPUS else f'vCPU {who}'} reads page {page}: stale")
            return
        if not world.destination.listening:
            raise StaleRead(f"page {page} is missing, and touching it is no fault")
        world.waiting = tuple(page if n == who else w for n, w in enumerate(world.waiting))
        world.faults |= 1 << page

    return move


# -- copies and keys of cores -----------------------------------------------------------------------------------------


def _copy(core: Any, records: list[Record]) -> Any:
    new = object.__new__(type(core))
    for name, value in core.__dict__.items():
        if isinstance(value, Bitmap):
            twin = Bitmap(value.size)
            twin.assign(int(value))
            new.__dict__[name] = twin
        elif isinstance(value, list | dict | OrderedDict):
            new.__dict__[name] = value.copy()
        else:
            new.__dict__[name] = value
    new._log = records.append
    return new


def _key(core: Any) -> Iterator[object]:
    for name, value in core.__dict__.items():
        if name in ("_log", "geometry", "machine"):
            continue
        if isinstance(value, Bitmap):
            yield int(value)
        elif isinstance(value, list):
            yield tuple(value)
        elif isinstance(value, dict):
            yield tuple(value.items())
        else:
            yield value
