"""One side of a migration whose other side is a QEMU. The guest is kept: nothing runs it here."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import msgspec

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost, DestinationReport
from postcopy.engine.errors import ConnectionLost, EngineError, also
from postcopy.engine.eventlog import EventLog, Line
from postcopy.engine.geometry import Geometry
from postcopy.engine.kept_guest import KeptGuest
from postcopy.engine.kept_memory import KeptMemory
from postcopy.engine.log import Step
from postcopy.engine.messages import OpenReturnPath
from postcopy.engine.old_machines import opens_urgent_early
from postcopy.engine.opening import TARGET_PAGE, Opening, read_opening
from postcopy.engine.parsing import StreamParser
from postcopy.engine.reconnecting import AcceptUrgent, called, called_for_urgent, caller, needed
from postcopy.engine.run import Look, Network, migrate
from postcopy.engine.source import SourceCore
from postcopy.engine.source_host import NEVER, SourceHost, SourceOptions, SourceReport
from postcopy.engine.stream_reader import StreamReader
from postcopy.engine.transport import Connection, Listener, Tls, connect
from postcopy.engine.uffd import SYSTEM_PAGE


class About(msgspec.Struct, frozen=True):
    """What is known of a guest that is kept.

    Attributes:
        digest: of all of its memory.
    """

    machine: str
    blocks: int
    pages: int
    devices: int
    digest: str


class FromQemu(msgspec.Struct):
    """The results of a destination.

    Attributes:
        guest: None where none has come.
        source_has_it: the guest goes on at the QEMU, because the migration failed before the package was acted on.
    """

    report: DestinationReport
    geometry: Geometry
    guest: KeptGuest | None
    source_has_it: bool
    lines: list[Line]


class ToQemu(msgspec.Struct):
    """The results of a source.

    Attributes:
        kept: the guest was not handed over: the file has it, and it may be given to another.
    """

    report: SourceReport
    kept: bool
    lines: list[Line]


def about(guest: KeptGuest) -> About:
    """What is known of a guest."""
    geometry = guest.geometry
    return About(guest.opening.machine, len(geometry.blocks), geometry.pages, len(guest.devices()), guest.digest())


def run_from_qemu(
    network: Network,
    *,
    keep_log: bool,
    announce: Callable[[str, int], None] = lambda _host, _port: None,
    make_core: Callable[..., DestinationCore] = DestinationCore,
) -> FromQemu:
    """Wait for a QEMU, and take its guest.

    Raises:
        EngineError: no QEMU connected, or it began with something that the engine cannot take.
    """
    log = EventLog(keep=keep_log)
    tls = Tls(network.tls) if network.tls else None
    listener = Listener(network.host, network.port, network.timeout, tls, insecure=network.insecure)
    announce(listener.host, listener.port)
    connection = listener.accept(network.patience, more=network.preempt, early=network.preempt)
    try:
        reader = StreamReader(connection, StreamParser(TARGET_PAGE, opaque_devices=True))
        opening = _opening(reader, network.timeout)
        guest = KeptGuest(opening)
        early = opens_urgent_early(opening.machine)
        if not early:
            listener.send_away()  # who has called before the source was answered is somebody else
        accept_urgent = _urgent(listener, connection, network, early=early) if network.preempt else None
    except EngineError:
        connection.release()
        listener.close()
        raise
    core = make_core(
        guest.geometry,
        machine=opening.machine,
        qemu=True,
        preempt=network.preempt,
        recovery=network.recover > 0,
        log=log,
    )
    host = DestinationHost(
        core,
        guest,
        KeptMemory(guest),
        connection,
        log,
        network.timeout,
        reader,
        called(listener, connection.peer, more=network.preempt, early=early and network.preempt),
        network.recover,
        accept_urgent,
    )
    report = host.run()
    came = report.outcome == "completed"
    source_has_it = not came and not (log.counts[Step.LOST_GUEST] or log.counts[Step.GAVE_UP_GUEST])
    return FromQemu(report, guest.geometry, guest if came else None, source_has_it, log.lines)


def _urgent(listener: Listener, connection: Connection, network: Network, *, early: bool) -> AcceptUrgent:
    """How the connection for urgent pages is accepted. An old QEMU makes it at once, and is not answered before: where
    it does not come, that costs the guest nothing yet."""
    if not early:
        return called_for_urgent(listener, math.inf, connection.peer)
    try:
        urgent = called_for_urgent(listener, network.timeout, connection.peer)(lambda: None)
    except ConnectionLost as error:
        raise ConnectionLost(f"no connection for urgent pages: {error}{needed('source')}") from None
    first, others = [urgent], called_for_urgent(listener, math.inf, connection.peer)
    return lambda look: first.pop() if first else others(look)


def _opening(reader: StreamReader, timeout: float) -> Opening:
    opening = read_opening(lambda: reader.next_message(timeout), SYSTEM_PAGE)
    if OpenReturnPath() not in opening.messages:
        raise EngineError(
            "the source expects no answers, and would not learn whether all has arrived: switch its capability "
            "return-path on (QMP: migrate-set-capabilities)"
        )
    reader.parser.page_size = opening.geometry.target_page
    reader.give_again(opening.messages)
    return opening


def run_to_qemu(
    guest: KeptGuest,
    options: SourceOptions,
    network: Network,
    *,
    keep_log: bool,
    look: Look = lambda _: None,
    make_core: Callable[..., SourceCore] = SourceCore,
) -> ToQemu:
    """Give a guest to a QEMU that waits. An interrupt cancels, unless it is too late for that.

    Raises:
        EngineError: it could not begin.
    """
    log = EventLog(keep=keep_log)
    tls = Tls(network.tls) if network.tls else None
    call = partial(connect, network.host, network.port, network.timeout, tls, insecure=network.insecure)
    connection = call()
    opening = guest.opening
    core = make_core(
        guest.geometry,
        capability=options.switch != NEVER,  # a QEMU without postcopy-ram refuses ADVISE
        machine=opening.machine,
        configuration=opening.configuration,
        qemu=True,
        preempt=options.preempt and options.switch != NEVER,
        early=opens_urgent_early(opening.machine),
        recovery=options.recover > 0,
        log=log,
    )
    host = SourceHost(core, guest, guest, connection, options, log, caller(call, connection.peer))
    report = migrate(host, look)
    if report.outcome == "failed" and report.guest_runs_here:
        report.why = also(report.why, _needed(opening, postcopy=core.capability))
    return ToQemu(report, report.guest_runs_here, log.lines)


def _needed(opening: Opening, *, postcopy: bool) -> str:
    """What a QEMU has to be for this guest: why it refuses one is not said on the wire."""
    capability = ", and postcopy-ram switched on unless --switch never is given" if postcopy else ""
    return (
        f"a QEMU for this guest needs -machine {opening.machine}, the same memory and devices as before{capability}; "
        "its standard error may say more"
    )
