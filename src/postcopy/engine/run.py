"""One side of a run: a guest, a connection and a host, and the results. Both sides on one machine are in `run_here`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import msgspec

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost, DestinationReport
from postcopy.engine.errors import EngineError, GuestError, also
from postcopy.engine.eventlog import EventLog, Line
from postcopy.engine.memory import GuestOptions, GuestProcess, destination_memory, source_memory
from postcopy.engine.placing_process import PlacingProcess
from postcopy.engine.reconnecting import called, called_for_urgent, caller
from postcopy.engine.sending_process import SendingProcess
from postcopy.engine.source import SourceCore
from postcopy.engine.source_host import SourceHost, SourceOptions, SourceReport
from postcopy.engine.starting import start_process
from postcopy.engine.transport import Listener, Tls, connect


class Network(msgspec.Struct, frozen=True):
    """The address of the other side, and how the connection is protected.

    Attributes:
        tls: a directory with ``ca.pem``, ``cert.pem`` and ``key.pem``.
        timeout: seconds that anything may stand still.
        patience: seconds that a destination waits for a source to connect.
        preempt: the source makes a second connection, for pages that are asked for.
        recover: seconds that a destination waits for its source after a break in postcopy; 0: the migration fails then.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: Path | None = None
    insecure: bool = False
    timeout: float = 30.0
    patience: float = 60.0
    recover: float = 0.0
    preempt: bool = False


class Check(msgspec.Struct):
    """The guest's own check of its memory.

    Attributes:
        where: ``source``, ``destination``, or ``lost``.
        damage: pages that it found with other content than it wrote; at most 20 for each vCPU.
    """

    where: str
    reads: int = 0
    writes: int = 0
    damage: list[str] = []


class SourceResult(msgspec.Struct):
    """The results of a source. The guest checks its memory only if it goes on there."""

    report: SourceReport
    guest: Check | None
    lines: list[Line] = []


class DestinationResult(msgspec.Struct):
    """The results of a destination. The guest checks its memory only if it runs there."""

    report: DestinationReport
    guest: Check | None
    lines: list[Line] = []


Look = Callable[[SourceHost], None]
"""Looks at a source now and then, for a display of the progress."""


def run_source(
    guest_options: GuestOptions,
    options: SourceOptions,
    network: Network,
    *,
    keep_log: bool,
    look: Look = lambda _: None,
    make_core: Callable[..., SourceCore] = SourceCore,
) -> SourceResult:
    """Start a guest, migrate it to a destination that waits, and check it if it is still here.

    An interrupt cancels the migration; if it is too late for that, the migration goes on to its end.

    Raises:
        EngineError: it could not begin.
    """
    log = EventLog(keep=keep_log)
    with ExitStack() as held:
        guest = held.enter_context(closing(GuestProcess(guest_options, incoming=False, timeout=network.timeout)))
        sending = None
        if options.preempt and network.tls is None:  # a connection under TLS is this process's alone
            sending = held.enter_context(closing(SendingProcess(guest.geometry, guest.memfd, start_process)))
        guest.work("fill", guest_options.filled)
        tls = Tls(network.tls) if network.tls else None
        call = partial(connect, network.host, network.port, network.timeout, tls, insecure=network.insecure)
        connection = call()
        guest.ask("start")
        core = make_core(guest.geometry, preempt=options.preempt, recovery=options.recover > 0, log=log)
        reconnect = caller(call, connection.peer)
        host = SourceHost(core, guest, source_memory(guest), connection, options, log, reconnect, sending)
        report = migrate(host, look)
        check = _check(guest, "source", 0.0, report)
    return SourceResult(report, check, log.lines)


def migrate(host: SourceHost, look: Look) -> SourceReport:
    """Start a migration and wait for its end. An interrupt cancels it; if it is too late for that, it goes on."""
    host.start()
    while True:
        try:
            return host.wait(lambda: look(host))
        except KeyboardInterrupt:
            with suppress(EngineError):
                host.cancel()


def run_destination(
    guest_options: GuestOptions,
    network: Network,
    *,
    keep_log: bool,
    settle: float = 0.5,
    announce: Callable[[str, int], None] = lambda _host, _port: None,
    make_core: Callable[..., DestinationCore] = DestinationCore,
) -> DestinationResult:
    """Wait for a source, take its guest, let it run for some seconds, and check it.

    Raises:
        EngineError: it could not begin, or no source connected.
    """
    log = EventLog(keep=keep_log)
    tls = Tls(network.tls) if network.tls else None
    listener = Listener(network.host, network.port, network.timeout, tls, insecure=network.insecure)
    with ExitStack() as held:
        guest = held.enter_context(closing(GuestProcess(guest_options, incoming=True, timeout=network.timeout)))
        placing = None
        if network.preempt and network.tls is None and guest.descriptors:
            placing = held.enter_context(closing(PlacingProcess(guest, start_process)))
        announce(listener.host, listener.port)
        connection = listener.accept(network.patience, more=network.preempt)
        core = make_core(guest.geometry, preempt=network.preempt, recovery=network.recover > 0, log=log)
        memory = destination_memory(guest)
        reconnect = called(listener, connection.peer, more=network.preempt)
        host = DestinationHost(
            core,
            guest,
            memory,
            connection,
            log,
            network.timeout,
            reconnect=reconnect,
            recover=network.recover,
            accept_urgent=called_for_urgent(listener, math.inf, connection.peer) if network.preempt else None,
            placing=placing,
        )
        idle = guest.processor_time
        report = host.run()
        report.guest_processor = guest.processor_time - idle
        check = _check(guest, "destination", settle, report)
    return DestinationResult(report, check, log.lines)


def _check(guest: GuestProcess, where: str, settle: float, report: SourceReport | DestinationReport) -> Check | None:
    """The guest's check of its memory, if it runs here. The report says so where it turns out that it does not."""
    if not report.guest_runs_here:
        return None
    try:
        time.sleep(settle)  # the guest goes on with its work
        guest.ask("stop")
        guest.work("check")
        return Check(where, **guest.ask("verdict"))
    except GuestError as error:
        report.guest_runs_here = False
        report.why = also(report.why, str(error))
        return Check("lost", damage=[str(error)])
