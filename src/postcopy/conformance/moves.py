"""What can happen next in a world of two cores: a move for each step that a thread, the guest or the network may take.

The threads' programs are those of the engine's hosts, cut where another thread may come between. A move is made in this
file only, as a record; it becomes text for people only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from postcopy.conformance.steps import (
    ACTIONS,
    BESIDE,
    BREAKS,
    CPU_TOUCHES,
    CPU_WRITES,
    DESTINATION_DIES,
    DEVICE_TOUCH,
    GUEST_WRITES,
    IN_PARTS,
    LOSES_REPLY,
    LOSES_STREAM,
    LOSES_URGENT,
    SOURCE_DIES,
    command_of,
    reply_of,
)
from postcopy.conformance.world import CPU, CPUS, FRESH, PAGE, STALE, StaleRead, Stopping, Unit, World
from postcopy.engine.bitmap import Bitmap
from postcopy.engine.destination_steps import BROKEN_OFF, Main, State
from postcopy.engine.errors import ConnectionLost, LocalProtocolError
from postcopy.engine.log import Record, Step, Thread
from postcopy.engine.messages import (
    Advise,
    AskBitmap,
    Description,
    Packaged,
    Page,
    Pages,
    Ping,
    RamEnd,
    Resume,
    SectionPart,
    StreamMessage,
)
from postcopy.engine.source import RAM_SECTION, Phase


class Outside(StrEnum):
    """The actors that are no threads of a host: each may act, and none has to."""

    NETWORK = "network"
    SOURCE_GUEST = "source guest"
    DEVICE_LOAD = "device load"
    CPU_0 = "vCPU 0"
    CPU_1 = "vCPU 1"
    SOURCE_HOST = "source host"
    DESTINATION_HOST = "destination host"
    DESTINATION_OPERATOR = "destination operator"


TOUCHERS = (Outside.CPU_0, Outside.CPU_1, Outside.DEVICE_LOAD)
"""What may touch a page at the destination, in the order of `World.waiting`."""


class Kind(StrEnum):
    """What a move is, in words."""

    STARTS = "starts the migration"
    ASKS = "asks for postcopy"
    CANCELS = "cancels"
    OPENS = "takes the next step of the opening"
    READS_LOG = "reads the dirty log"
    SENDS_PAGE = "sends a page"
    SENDS_PAGES = "sends pages at once"
    STOPS_TO_FINISH = "stops the CPUs to finish"
    STOPS_TO_SWITCH = "stops the CPUs to switch"
    HAS_STOPPED = "has stopped the CPUs"
    ENDS_PRECOPY = "ends precopy"
    DISCARDS = "sends the discards, if there are any"
    SENDS_PACKAGE = "sends the package"
    SENDS_PAGE_OR_ENDS = "sends a page or ends"
    SENDS_PAGES_OR_ENDS = "sends pages at once or ends"
    RECEIVES = "receives"
    RECEIVES_PAGES = "receives pages at once"
    NOTICES_LOSS = "notices the loss"
    LISTEN = "LISTEN"
    LOADS_DEVICES = "has loaded the devices"
    RUN = "RUN"
    ENDS = "ends"
    SHUTS = "sends SHUT"
    READS_FAULT = "reads the fault on"
    TOUCHES = "touches"
    WRITES = "writes"
    DIES = "dies"
    BREAKS = "loses the connection"
    LOSES_STREAM = "loses the newest on the stream"
    LOSES_REPLY = "loses the newest on the return path"
    RECONNECTS = "makes a new connection"
    ASKS_WHAT_ARRIVED = "asks what has arrived"
    RESUMES = "sends RESUME"
    STOPS_WAITING = "stops waiting for a new connection"
    WAITS = "waits for a new connection"
    ACCEPTS = "accepts the new connection"
    LOSES_URGENT = "loses the newest on the connection for urgent pages"
    OPENS_URGENT = "opens the connection for urgent pages"
    SERVES_URGENT = "serves or drops a request"
    ACCEPTS_URGENT = "accepts the connection for urgent pages"
    OPENS_URGENT_AGAIN = "opens the connection for urgent pages again"
    ACCEPTS_URGENT_AGAIN = "accepts the connection for urgent pages again"
    RECEIVES_URGENT = "receives an urgent page"
    REQUESTS_UNREAD = "requests after the recovery"


ModelStep: TypeAlias = tuple[str, int | None]
"""An action of the model, and its page."""


@dataclass(frozen=True)
class Move:
    """A step of the world.

    Attributes:
        who: the thread that takes it, or what acts from outside.
        kind: what it is.
        do: changes a world; for a copy of the world that the move was made for.
        page: the target page that it is about.
        action: the model action that the move is by itself, beside the steps that the cores put into the log.
    """

    who: Thread | Outside
    kind: Kind
    do: Callable[[World], object]
    page: int | None = None
    action: str = ""

    def __str__(self) -> str:
        page = "" if self.page is None else f" {self.page}"
        return f"{self.who}: {self.kind}{page}"

    @property
    def environment(self) -> bool:
        """The move may be made and never has to be."""
        return isinstance(self.who, Outside) or self.who is Thread.OPERATOR

    def actions(self, before: World, records: Iterable[Record]) -> Iterator[ModelStep]:
        """The model actions that the move is.

        Args:
            before: the world before it.
            records: what the cores put into the log.
        """
        if self.action:
            yield self.action, self.page
        for record in (step for made in records for step in made.steps):
            if record.step in BESIDE or record.step in IN_PARTS:
                continue
            if record.step is not Step.DIRTIED:  # the write was a move
                yield ACTIONS[record.step], record.page
            if record.step is Step.SENT_PRECOPY and before.dirty_log >> (record.page or 0) & 1:
                yield ACTIONS[Step.DIRTIED], record.page  # written before it was sent, and logged: as if written again


def moves(world: World) -> Iterator[Move]:
    """Everything that can happen next."""
    yield from _operator(world)
    yield from _source(world)
    yield from _destination(world)
    yield from _guest(world)
    yield from _outside(world)


def _outside(world: World) -> Iterator[Move]:
    if Phase.IDLE < world.source.phase < Phase.COMPLETED:
        yield Move(Outside.SOURCE_HOST, Kind.DIES, _source_dies, action=SOURCE_DIES)
    if world.destination.state < State.END:
        yield Move(Outside.DESTINATION_HOST, Kind.DIES, _destination_dies, action=DESTINATION_DIES)
    if not world.broken and world.source.phase > Phase.IDLE:
        yield Move(Outside.NETWORK, Kind.BREAKS, _break, action=BREAKS)
    if world.failed and world.broken:
        if world.stream:
            action = LOSES_STREAM if _counts(world.stream[-1]) else ""
            yield Move(Outside.NETWORK, Kind.LOSES_STREAM, _lose_stream, action=action)
        if world.urgent:
            yield Move(Outside.NETWORK, Kind.LOSES_URGENT, _lose_urgent, action=LOSES_URGENT)
        if world.replies:
            action = LOSES_REPLY if reply_of(world.replies[-1]) else ""
            yield Move(Outside.NETWORK, Kind.LOSES_REPLY, _lose_reply, action=action)


def _operator(world: World) -> Iterator[Move]:
    core = world.source
    if core.phase == Phase.IDLE:
        if not world.broken:
            yield Move(Thread.OPERATOR, Kind.STARTS, lambda w: w.source.start())
        return
    if not core.switch_asked:
        yield Move(Thread.OPERATOR, Kind.ASKS, lambda w: w.source.start_postcopy())
    if not core.over:
        yield Move(Thread.OPERATOR, Kind.CANCELS, _cancel)
    if core.phase is Phase.PAUSED:
        yield Move(Thread.OPERATOR, Kind.STOPS_WAITING, _source_stops_waiting)
        if world.awaited:
            yield Move(Thread.OPERATOR, Kind.RECONNECTS, _reconnect)


# -- the source's threads ---------------------------------------------------------------------------------------------


def _source(world: World) -> Iterator[Move]:
    core = world.source
    if core.guest_may_run and not world.guest_stands:
        for page in range(world.geometry.pages):
            yield Move(Outside.SOURCE_GUEST, Kind.WRITES, _writes(page, at_source=True), page, GUEST_WRITES)
    if Phase.IDLE < core.phase < Phase.COMPLETED and core.phase is not Phase.PAUSED:
        if world.broken:
            yield Move(Thread.MIGRATION, Kind.NOTICES_LOSS, _source_loses)
        else:
            yield from _migration(world)
            room = world.capacity - sum(map(_counts, world.stream))
            if room > 0:
                yield from _sending(world, room)
            yield from _urgent(world)
        if world.replies:
            yield Move(Thread.RETURN_PATH, Kind.RECEIVES, _receive_reply)


def _migration(world: World) -> Iterator[Move]:
    """What needs no room on the stream."""
    core = world.source
    if core.phase == Phase.ADVISING and not core.capability:
        yield Move(Thread.MIGRATION, Kind.OPENS, _opens)
    if core.phase == Phase.SWITCHING and not core.discards:
        yield Move(Thread.MIGRATION, Kind.DISCARDS, _sends(lambda w: w.source.send_discards()))
    if core.phase != Phase.PRECOPY:
        return
    if world.stopping:
        yield Move(Thread.MIGRATION, Kind.HAS_STOPPED, _stopped)
        return
    if world.dirty_log:
        yield Move(Thread.MIGRATION, Kind.READS_LOG, _sync)
    yield Move(Thread.MIGRATION, Kind.STOPS_TO_FINISH, _stop(Stopping.FINISH))
    if core.switch_asked and core.may_switch:
        yield Move(Thread.MIGRATION, Kind.STOPS_TO_SWITCH, _stop(Stopping.SWITCH))


def _urgent(world: World) -> Iterator[Move]:
    """What is done about the connection for urgent pages."""
    core = world.source
    room = len(world.urgent) < world.capacity
    if core.urgent_may_reopen:
        yield Move(Thread.MIGRATION, Kind.OPENS_URGENT_AGAIN, _reopen_urgent)
    if core.urgent_may_open and room:
        yield Move(Thread.RETURN_PATH, Kind.OPENS_URGENT, _open_urgent)
    if core.preempt and core.phase is Phase.POSTCOPY and core.requests:
        first = core.requests[0]
        if room or first not in core.dirty or core.rest_of_host_page:
            yield Move(Thread.RETURN_PATH, Kind.SERVES_URGENT, _serve_urgent, first)


def _sending(world: World, room: int) -> Iterator[Move]:
    """What needs room on the stream, for which there is room for so many messages."""
    core = world.source
    if core.opening and (core.capability or core.phase != Phase.ADVISING):
        yield Move(Thread.MIGRATION, Kind.OPENS, _opens)
    if core.phase in (Phase.PRECOPY, Phase.FINISHING) and core.dirty and not world.stopping:
        yield Move(Thread.MIGRATION, Kind.SENDS_PAGE, _send_pages(1))
        if room > 1:
            yield Move(Thread.MIGRATION, Kind.SENDS_PAGES, _send_pages(room))
    if core.phase == Phase.FINISHING and not core.dirty:
        yield Move(Thread.MIGRATION, Kind.ENDS_PRECOPY, _sends(lambda w: w.source.end_precopy([CPU])))
    if core.phase == Phase.SWITCHING and core.discards:
        yield Move(Thread.MIGRATION, Kind.DISCARDS, _sends(lambda w: w.source.send_discards()))
    if core.phase == Phase.PACKAGING and core.package_may_go:
        yield Move(Thread.MIGRATION, Kind.SENDS_PACKAGE, _sends(lambda w: w.source.send_package([CPU])))
    if core.phase == Phase.RECONNECTED:
        yield Move(Thread.MIGRATION, Kind.ASKS_WHAT_ARRIVED, _sends(lambda w: w.source.ask_what_arrived()))
    if core.phase == Phase.RELOADED and (core.urgent_stands or not core.preempt):
        yield Move(Thread.MIGRATION, Kind.RESUMES, _sends(lambda w: w.source.resume()))
    if core.phase == Phase.POSTCOPY and not core.waits_for_urgent:
        yield Move(Thread.MIGRATION, Kind.SENDS_PAGE_OR_ENDS, _send_pages(1))
        if room > 1:
            yield Move(Thread.MIGRATION, Kind.SENDS_PAGES_OR_ENDS, _send_pages(room))


# -- the destination's threads, and its guest -------------------------------------------------------------------------


def _destination(world: World) -> Iterator[Move]:
    core = world.destination
    room = sum(reply_of(reply) is not None for reply in world.replies) < world.capacity
    yield from _reading(world, room=room)
    if core.main == Main.PACKAGE:
        yield Move(Thread.MAIN, Kind.LISTEN, lambda w: w.carry_out(w.destination.listen()))
    if core.main == Main.DEVICES and world.waiting[CPUS] is None:
        for page in range(world.geometry.pages):
            yield _touch(world, CPUS, page)
        yield Move(Thread.MAIN, Kind.LOADS_DEVICES, _load_devices)
    if core.main == Main.RUN:
        yield Move(Thread.MAIN, Kind.RUN, lambda w: w.carry_out(w.destination.run()))
    if core.end_seen and core.state == State.RUNNING and core.all_here:
        yield Move(Thread.LISTEN, Kind.ENDS, _ends)
    if core.owes_shut and (room or world.broken):
        yield Move(Thread.LISTEN, Kind.SHUTS, _shuts)
    if world.faults and ((core.listening and room and not world.broken) or core.place in BROKEN_OFF):
        for page in range(world.geometry.pages):
            if world.faults >> page & 1:
                yield Move(Thread.FAULT, Kind.READS_FAULT, _fault(page), page)
    if core.listening and core.unread and room and not world.broken:
        yield Move(Thread.FAULT, Kind.REQUESTS_UNREAD, _request_unread, next(iter(core.unread)))
    yield from _recovering(world)
    yield from _receiving_urgent(world)


def _recovering(world: World) -> Iterator[Move]:
    """What the operator and the main thread do without a connection."""
    core = world.destination
    if core.state is State.PAUSED:
        yield Move(Outside.DESTINATION_OPERATOR, Kind.WAITS, _wait)
    if core.state in (State.PAUSED, State.WAITING):
        yield Move(Outside.DESTINATION_OPERATOR, Kind.STOPS_WAITING, _destination_stops_waiting)
    if core.state is State.WAITING and not world.awaited:
        yield Move(Thread.MAIN, Kind.ACCEPTS, _accept)


def _receiving_urgent(world: World) -> Iterator[Move]:
    """What comes on the connection for urgent pages, first the connection itself."""
    core = world.destination
    if world.broken and core.listening and core.end_seen and not core.all_here:
        yield Move(Thread.LISTEN, Kind.NOTICES_LOSS, _destination_loses)
    if core.state is State.RECOVERING and world.urgent_made and not world.broken and not core.urgent_stands:
        yield Move(Thread.LISTEN, Kind.ACCEPTS_URGENT_AGAIN, _accept_urgent_again)
    if not world.urgent:
        return
    if not world.urgent[0] and core.main == Main.STREAM and core.state < State.END:
        yield Move(Thread.MAIN, Kind.ACCEPTS_URGENT, _accept_urgent)
    if world.urgent[0] and core.listening:
        yield Move(Thread.PREEMPT, Kind.RECEIVES_URGENT, _receive_urgent)


def _reading(world: World, *, room: bool) -> Iterator[Move]:
    """The thread that reads the stream, if one does."""
    core = world.destination
    main_reads = core.main == Main.STREAM and core.state < State.END
    listens = (core.listening and not core.end_seen) or core.state is State.RECOVERING
    if not main_reads and not listens:
        return
    reader = Thread.MAIN if main_reads else Thread.LISTEN
    answers = bool(world.stream) and any(
        isinstance(m, Ping | Advise | AskBitmap | Resume) and command_of(m) for m in world.stream[0]
    )
    if neighbours := _neighbours(world):
        yield Move(reader, Kind.RECEIVES_PAGES, _receive_neighbours(neighbours))
    waits = core.preempt and not core.urgent_stands
    if waits and world.stream and any(isinstance(m, Packaged | Resume) for m in world.stream[0]):
        pass  # the connection for urgent pages comes first
    elif world.stream and (not answers or (room and not world.broken)):  # an answer needs room on the return path
        yield Move(reader, Kind.RECEIVES, _receive)
    if world.broken:
        yield Move(reader, Kind.NOTICES_LOSS, _destination_loses)


def _guest(world: World) -> Iterator[Move]:
    if not world.guest_started:
        return
    for cpu in range(CPUS):
        if world.waiting[cpu] is None:
            for page in range(world.geometry.pages):
                yield _touch(world, cpu, page)
                if world.present >> page & 1 and cpu == 0:
                    yield Move(TOUCHERS[cpu], Kind.WRITES, _writes(page, at_source=False), page, CPU_WRITES)


def _touch(world: World, slot: int, page: int) -> Move:
    """A touch of a page that is there changes nothing, and counts as no step."""
    here = world.present >> page & 1
    action = "" if here else (*CPU_TOUCHES, DEVICE_TOUCH)[slot]
    return Move(TOUCHERS[slot], Kind.TOUCHES, _touches(slot, page), page, action)


# -- what a move does -------------------------------------------------------------------------------------------------


def _counts(unit: Unit) -> bool:
    """The sizes of memory on their own are no message of the model."""
    return any(command_of(message) is not None for message in unit)


def _break(world: World) -> None:
    world.broken = world.failed = True


def _lose_stream(world: World) -> None:
    world.stream = world.stream[:-1]


def _lose_urgent(world: World) -> None:
    world.urgent = world.urgent[:-1]


def _open_urgent(world: World) -> None:
    world.source.open_urgent()
    world.urgent += ((),)
    world.urgent_made = True


def _reopen_urgent(world: World) -> None:
    world.source.reopen_urgent()
    world.urgent_made = True


def _serve_urgent(world: World) -> None:
    units = [_page(world, page) for page in world.source.next_urgent()]
    if units:
        if not world.urgent_made:
            raise ConnectionLost("there is no connection for urgent pages")
        world.urgent += (tuple(message for unit in units for message in unit if isinstance(message, Page)),)


def _accept_urgent(world: World) -> None:
    world.urgent = world.urgent[1:]
    world.destination.accept_urgent()
    world.urgent_taken = True


def _accept_urgent_again(world: World) -> None:
    world.destination.accept_urgent_again()
    world.urgent_taken = True


def _receive_urgent(world: World) -> None:
    if not world.urgent_taken:
        raise ConnectionLost("the connection for urgent pages was not accepted")
    unit, *rest = world.urgent
    world.urgent = tuple(rest)
    for message in unit:
        world.carry_out(world.destination.receive_urgent(message))


def _lose_reply(world: World) -> None:
    world.replies = world.replies[:-1]


def _settle(world: World) -> None:
    """As the source host does: its core says whether the guest may run."""
    if world.source.over:
        world.guest_stands = not world.source.guest_may_run
        world.stopping = None
        world.dirty_log = 0
        if world.source.phase != Phase.COMPLETED:
            world.source_closes()
    elif world.source.phase is Phase.PAUSED:
        world.source_closes()


def _cancel(world: World) -> None:
    try:
        world.source.cancel()
    except LocalProtocolError:
        return  # the operator sees that it is too late
    _settle(world)


def _source_loses(world: World) -> None:
    phase = world.source.phase
    world.source.lose("the connection is gone")
    if world.source.phase is Phase.PAUSED and phase not in (Phase.RECONNECTED, Phase.ASKED):
        world.paused_in = Phase.ENDING if phase is Phase.ENDING else Phase.POSTCOPY
    _settle(world)


def _source_stops_waiting(world: World) -> None:
    world.source.give_up("no new connection")
    world.source_dead = True  # the host's end of it is as a death to the model
    _settle(world)


def _reconnect(world: World) -> None:
    world.source.reconnect()
    world.broken = world.awaited = world.accepted = False
    world.stream = world.replies = world.urgent = ()


def _source_dies(world: World) -> None:
    world.source.give_up("died")
    world.source.guest_may_run = False
    world.source_dead = True
    world.records.clear()  # a host that died notices nothing
    _settle(world)


def _destination_loses(world: World) -> None:
    world.carry_out(world.destination.lose("the connection is gone"))
    if world.destination.state is State.PAUSED:
        world.destination_closes()


def _destination_dies(world: World) -> None:
    world.carry_out(world.destination.give_up("died"))
    world.records.clear()


def _destination_stops_waiting(world: World) -> None:
    world.carry_out(world.destination.give_up("no new connection"))


def _wait(world: World) -> None:
    world.destination.wait_for_connection()
    world.destination_closes()
    world.awaited = True


def _accept(world: World) -> None:
    """The host looks whether it is there still."""
    world.destination.accept(broken=world.broken)
    if not world.broken:
        world.accepted, world.replies = True, ()


def _request_unread(world: World) -> None:
    """A fault on the same page that the kernel still has asks for the same: two are as one (docs/model.md)."""
    page = next(iter(world.destination.unread))
    world.faults &= ~(1 << page)
    world.carry_out(world.destination.request_unread())


def _writes(page: int, *, at_source: bool) -> Callable[[World], None]:
    return lambda world: world.written(page, at_source=at_source)


def _sends(step: Callable[[World], list[StreamMessage]]) -> Callable[[World], None]:
    def move(world: World) -> None:
        world.stream += tuple(_units(step(world)))

    return move


def _units(messages: Iterable[StreamMessage]) -> Iterator[Unit]:
    """What is sent in one step; what follows the package is read by another thread."""
    unit: Unit = ()
    for message in messages:
        unit += (message,)
        if isinstance(message, Packaged):
            yield unit
            unit = ()
    if unit:
        yield unit


def _opens(world: World) -> None:
    step = world.source.opening
    assert step is not None
    _sends(lambda _: step())(world)


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


def _stop(what_for: Stopping) -> Callable[[World], None]:
    def move(world: World) -> None:
        world.guest_stands = True
        world.stopping = what_for

    return move


def _stopped(world: World) -> None:
    log = _runs_of(world.dirty_log, world.geometry.pages)
    if world.stopping is Stopping.SWITCH:
        world.source.cpus_stopped_to_switch(log)
    else:
        world.source.cpus_stopped_to_finish(log)
    world.dirty_log, world.stopping = 0, None


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
        if core.state is State.FAILED or (core.state is State.END and isinstance(message, Description)):
            return  # no thread reads on
        on_listen_thread = core.listening or core.state is State.RECOVERING
        world.carry_out(core.receive_listening(message) if on_listen_thread else core.receive(message))


def _load_devices(world: World) -> None:
    while outputs := world.destination.next_in_package():
        world.carry_out(outputs)
    world.destination.devices_loaded()


def _ends(world: World) -> None:
    world.carry_out(world.destination.end())
    world.faults = 0


def _shuts(world: World) -> None:
    outputs = world.destination.shut()
    if not world.broken:
        world.carry_out(outputs)


def _fault(page: int) -> Callable[[World], None]:
    def move(world: World) -> None:
        world.faults &= ~(1 << page)
        world.carry_out(world.destination.fault(page))

    return move


def _touches(slot: int, page: int) -> Callable[[World], None]:
    def move(world: World) -> None:
        if world.present >> page & 1:
            if world.stale >> page & 1:
                raise StaleRead(f"{TOUCHERS[slot]} reads page {page}: stale")
            return
        if not world.sensitive:
            raise StaleRead(f"page {page} is missing, and touching it is no fault")
        world.waiting = tuple(page if n == slot else w for n, w in enumerate(world.waiting))
        world.faults |= 1 << page

    return move
