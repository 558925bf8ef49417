"""A whole migration in one process: both hosts with their threads, guests driven by hand, a line that can fail.

The guests do the same in every run, so that the messages of a run can be counted and a fault put between any two.
"""

from __future__ import annotations

import math
import mmap
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from postcopy.conformance.logs import Explanation, explain
from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.destination_steps import State
from postcopy.engine.errors import ConnectionLost, GuestError
from postcopy.engine.eventlog import EventLog
from postcopy.engine.guest import Guest, Setup
from postcopy.engine.log import Step
from postcopy.engine.memory import GuestOptions, GuestProcess, destination_memory, source_memory
from postcopy.engine.messages import AskBitmap, Device, Packaged, Reply, Request, Resume, Shut, StreamMessage
from postcopy.engine.page_vectors import Part, Slots, joined
from postcopy.engine.parsing import StreamParser
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.source import RAM_SECTION, SourceCore
from postcopy.engine.source_host import SourceHost, SourceOptions
from postcopy.engine.transport import Connection
from postcopy.engine.wire import Begin

PAGES = 6
WRITTEN_LAST = (1, 4)
"""Pages that the guest writes between the first pass and the switch."""
GUEST = GuestOptions(size=PAGES * 4096, memory="software", workload="idle", vcpus=2, seed=5)
GLANCE, TIMEOUT, BOUND = 0.02, 10.0, 30.0
"""Seconds: between two looks at a line, after which a host gives up, and after which a run hangs."""
ORDER = 0.5
"""Seconds after a fault for which a message is waited for that makes all runs alike: it may not come."""
RECOVER = 20.0
"""Seconds that a host waits for a new connection, as long as the other host is there."""

Place = tuple[str, int]
"""A boundary: of the ``stream`` or of the ``replies``, and after how many messages; or of the ``calls``, and after how
many connections."""


class GuestHere(GuestProcess):
    """A guest without a process. Its CPUs do nothing by themselves.

    Attributes:
        others: the guest on the other side, which must not run while this one does.
        died: it was killed.
        died_at: when that was, in seconds since 1970, as reports have them.
    """

    def __init__(self, *, incoming: bool) -> None:
        self.options, self.geometry = GUEST, GUEST.geometry()
        self.memfd, self.table_fd = os.memfd_create("guest"), os.memfd_create("table")
        os.ftruncate(self.memfd, GUEST.size)
        os.ftruncate(self.table_fd, 2 * PAGES)
        self.map, self.table = mmap.mmap(self.memfd, GUEST.size), mmap.mmap(self.table_fd, 2 * PAGES)
        lines = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(GUEST.vcpus + 1)]
        self.fault_lines = [ours for ours, _ in lines]
        if not incoming:
            self.table[:PAGES] = b"\1" * PAGES
        setup = Setup("software", PAGES, 4096, GUEST.vcpus, "idle", 0, GUEST.seed, incoming, self.memfd, self.table_fd)
        setup.faults = [its.detach() for _, its in lines]
        self._guest = Guest(setup)
        self.running = not incoming
        self.died, self.died_at = False, math.inf
        self._moment = threading.Lock()  # a guest is killed before or after a host looks at it, and not meanwhile
        self._dead = threading.Event()
        self.others: list[GuestHere] = []
        self.ran_beside_another = False

    @property
    def lost(self) -> str:
        """As of a process."""
        with self._moment:
            return "the guest process is gone" if self.died else ""

    def load(self, device: Device) -> None:
        """As of a process."""
        self.ask("load", device.name, device.instance, device.data)

    def ask(self, what: str, *arguments: Any) -> Any:
        """As of a process."""
        if self.died:
            raise GuestError(self.lost)
        if what == "stop":
            for page in WRITTEN_LAST:
                self._vcpu(page).write(self._guest._memory, page // GUEST.vcpus)
            self.running = False
        elif what == "start":
            self.ran_beside_another |= any(other.running for other in self.others)
            with self._moment:
                self.running = not self.died
        else:
            return getattr(self._guest, what)(*arguments)
        return None

    def _vcpu(self, page: int) -> Any:
        return self._guest._vcpus[page % GUEST.vcpus]

    def kill(self) -> None:
        """No page is brought any more; a thread that waits for one returns."""
        with self._moment:
            if not self.died:
                self.died, self.died_at, self.running = True, time.time(), False
        self._dead.set()
        for line in self.fault_lines:
            line.shutdown(socket.SHUT_RDWR)

    def wait_for_death(self) -> None:
        """As of a process."""
        self._dead.wait()

    def damage(self) -> list[str]:
        """What is not as it was written."""
        self._guest.check()
        return list(self._guest.verdict()["damage"])

    def close(self) -> None:
        """Nothing is left."""
        self._dead.set()
        for line in [*self.fault_lines, *self._guest._memory._faults]:  # type: ignore[attr-defined]
            line.close()
        os.close(self.memfd)
        os.close(self.table_fd)


@dataclass
class Run:
    """What came of a run.

    Attributes:
        stream, replies, urgent: the messages that went out; urgent pages on their own connection.
        where: the hosts at which the guest runs; none where it is lost.
        handed_over: the source has sent the package (R15).
        hangs: the threads that have not come to their end.
        untrue: the hosts that report of the guest's running what is not so when they report it.
    """

    stream: list[StreamMessage] = field(default_factory=list)
    urgent: list[StreamMessage] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    handed_over: bool = False
    ran_twice: bool = False
    hangs: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    outcomes: tuple[str, str] = ("", "")
    why: tuple[str, str] = ("", "")
    conformance: Explanation | None = None


class Line(Connection):
    """One end of a connection that does something at a boundary.

    Args:
        sent: where to put the messages that go out.
        after: is told how many there were, before the first and after each.
        before: is told the number of each before it goes out.
    """

    def __init__(self, sock: socket.socket, timeout: float, parser: Any, sent: list[Any]) -> None:
        super().__init__(sock, timeout)
        self._parser, self._sent = parser, sent
        self.after: Callable[[int], None] = lambda _: None
        self.before: Callable[[int], None] = lambda _: None
        self.deaf = self.trickle = False
        self.aside: list[socket.socket] = []

    def send(self, parts: Sequence[Part]) -> int:
        """Message by message."""
        data = b"".join(joined(parts))
        if not self._sent:
            self.after(0)
        before = self._parser.offset + self._parser.buffered
        at = 0
        self._parser.feed(data)
        for message in self._parser:
            end = self._parser.offset - before
            self.before(len(self._sent) + 1)
            step = 1 if self.trickle else end - at
            for begin in range(at, end, step):
                super().send([data[begin : min(begin + step, end)]])
            at = end
            self._sent.append(message)
            self.after(len(self._sent))
        assert at == len(data), "whole messages are sent"
        return len(data)

    def _ready(self, event: int, timeout: float) -> bool:
        """As the connection; looks now and then whether it is another line by now, or this side has gone deaf."""
        begin = time.monotonic()
        while (left := begin + min(timeout, self.timeout) - time.monotonic()) > 0:
            ready = super()._ready(event, min(left, GLANCE))
            if ready and not (event == select.POLLIN and self._hears_nothing):
                return True
            if ready:
                time.sleep(min(left, GLANCE))
        return False

    def receive(self, room: memoryview | Slots, timeout: float | None = None) -> int | None:
        """As the connection."""
        if self._hears_nothing:
            self._ready(select.POLLIN, self.timeout if timeout is None else timeout)
            return None
        return super().receive(room, timeout)

    @property
    def _hears_nothing(self) -> bool:
        return self.deaf and not self._closed

    def unplug(self, *, full: bool) -> None:
        """The other side is gone without notice; messages to it vanish, or find no room."""
        ours, nobody = socket.socketpair()
        ours.setblocking(False)
        if full:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            try:
                while True:
                    ours.send(bytes(4096))
            except BlockingIOError:
                pass
        self.aside += [self._socket, nobody]
        self._socket = ours

    def finally_close(self) -> None:
        """All of it."""
        for s in [*self.aside, self._socket]:
            s.close()


class Hosts:
    """Both hosts; a fault is a function of this.

    Args:
        recovery: both recover the migration after a break.
        preempt: they have a connection for urgent pages.

    Attributes:
        lines: the two ends of the newest connection, the source's first; then those of the connection for urgent pages.
        calls: how many connections the source has made.
    """

    def __init__(
        self,
        make_source: Callable[..., SourceCore] = SourceCore,
        make_destination: Callable[..., DestinationCore] = DestinationCore,
        *,
        recovery: bool = False,
        preempt: bool = False,
    ) -> None:
        self.run_ = Run()
        self.calls = 1
        self._timeouts = [TIMEOUT, TIMEOUT]
        self._old: list[Line] = []
        self._meeting = threading.Condition()
        self._awaited, self._called = False, False
        self.plan: dict[Place, Callable[[Hosts], None]] = {}
        self._place: Place | None = None
        self._struck = math.inf  # when the fault happened
        self._urgent_before = 0  # urgent pages that were out before the newest connection was asked to go on
        self.guests = GuestHere(incoming=False), GuestHere(incoming=True)
        self.guests[0].others, self.guests[1].others = [self.guests[1]], [self.guests[0]]
        self.guests[0].ask("fill", 1.0)
        self.lines: tuple[Line, ...] = self._connection(StreamParser(4096))
        self.logs = EventLog(keep=True), EventLog(keep=True)
        geometry = GUEST.geometry()
        self.source = SourceHost(
            make_source(geometry, log=self.logs[0], recovery=recovery, preempt=preempt),
            self.guests[0],
            source_memory(self.guests[0]),
            self.lines[0],
            SourceOptions(timeout=TIMEOUT, recover=RECOVER),
            self.logs[0],
            self._call_either,
        )
        self.destination = DestinationHost(
            make_destination(geometry, log=self.logs[1], recovery=recovery, preempt=preempt),
            self.guests[1],
            destination_memory(self.guests[1]),
            self.lines[1],
            self.logs[1],
            TIMEOUT,
            reconnect=self._wait,
            recover=RECOVER,
            accept_urgent=self._accept_urgent if preempt else None,
        )

    def _call_either(self) -> Line:
        """Without a connection the source makes one, and with it the one for urgent pages."""
        return self._call() if self.source.core.paused else self._call_urgent()

    def _call_urgent(self) -> Line:
        """The source makes the connection for urgent pages."""
        a, b = socket.socketpair()
        ours = Line(a, TIMEOUT, StreamParser(4096, Begin.PREEMPT), self.run_.urgent)
        ours.after = lambda count: self._happens("urgent", count)
        ours.before = lambda count: self._happens("losing", count)
        with self._meeting:
            self.lines = (*self.lines, ours, Line(b, TIMEOUT, ReplyParser(), []))
            self._meeting.notify_all()
        return ours

    def _accept_urgent(self, look: Callable[[], None]) -> Line:
        with self._meeting:
            while len(self.lines) < 4:
                look()
                self._meeting.wait(GLANCE)
            return self.lines[3]

    def _connection(self, stream: StreamParser) -> tuple[Line, Line]:
        a, b = socket.socketpair()
        return (
            Line(a, self._timeouts[0], stream, self.run_.stream),
            Line(b, self._timeouts[1], ReplyParser(), self.run_.replies),
        )

    def _call(self) -> Line:
        """The source makes a new connection, if the destination waits."""
        with self._meeting:
            if not self.destination_thread.is_alive():
                self.source._patience.seconds = 0  # no destination will listen
            if not self._awaited:
                raise ConnectionLost("no destination listens")
            after = [line.after for line in self.lines[:2]]
            self._old += self.lines
            self.calls += 1
            self.lines = self._connection(StreamParser(4096, Begin.RESUMED, ram_section=RAM_SECTION))
            for line, seen in zip(self.lines, after, strict=True):
                line.after = seen
            self._awaited, self._called = False, True
            self.regain_patience()
            self._happens("calls", self.calls)
            self._meeting.notify_all()
            return self.lines[0]

    def _wait(self, seconds: float, look: Callable[[], None]) -> Line:
        """The destination waits for a new connection, as long as there is a source."""
        end = time.monotonic() + seconds
        with self._meeting:
            self._awaited, self._called = True, False
            try:
                while not self._called:
                    look()
                    if self.source.core.over or time.monotonic() > end:
                        raise ConnectionLost("no source calls")
                    self._meeting.wait(GLANCE)
                return self.lines[1]
            finally:
                self._awaited = False

    def lose_patience(self, host: int, timeout: float) -> None:
        """From now on the source (0) or the destination (1) waits for so many seconds only."""
        self.lines[host].timeout = self._timeouts[host] = timeout
        if host == 0:
            self.source._options = SourceOptions(timeout=timeout, recover=RECOVER)
        else:
            self.destination._timeout = timeout

    def regain_patience(self) -> None:
        """A fault is over: both hosts wait as long as before."""
        for host in (0, 1):
            self.lose_patience(host, TIMEOUT)

    @property
    def handed_over(self) -> bool:
        """The source has sent the package (R15)."""
        return Step.SENT_PACKAGE in self.logs[0].counts

    def wait_for_the_guest(self) -> bool:
        """Whether the guest runs at the destination, or was killed there, in time."""
        return _within(TIMEOUT, lambda: Step.RUNS in self.logs[1].counts or self.guests[1].died)

    def touch_missing(self) -> None:
        """A vCPU at the destination touches a page that is missing, once the guest runs there, and it is asked for."""
        guest = self.guests[1]
        if not self.wait_for_the_guest():
            return
        assert guest.table is not None
        page = guest.table.find(b"\0", 0, PAGES)
        before = self._requests(page)  # the reply to an earlier fault may be out, and not be counted yet

        def touch() -> None:
            with suppress(GuestError, OSError):  # killed
                guest._vcpu(page).check(guest._guest._memory, page // GUEST.vcpus, page % GUEST.vcpus)

        threading.Thread(target=touch, name="vCPU", daemon=True).start()
        _within(TIMEOUT, lambda: self._requests(page) > before or guest.died)

    def _requests(self, page: int) -> int:
        return sum(isinstance(reply, Request) and reply.offset == page * 4096 for reply in self.run_.replies)

    def run(self, place: Place | None, fault: Callable[[Hosts], None], **more: Callable[[Hosts], None]) -> Run:
        """Migrate; at the place, the fault happens.

        Args:
            more: what else happens: ``stream_22`` after 22 messages of the stream, ``calls_2`` once the second
                connection is made, ``losing_2`` before the second urgent page goes out.
        """
        self.plan = {(kind, int(n)): what for key, what in more.items() for kind, n in [key.split("_")]}
        if place is not None:
            self.plan[place] = fault
        self._place, self._struck = place, math.inf

        def after_message(count: int) -> None:
            self._happens("stream", count)
            if count and isinstance(self.run_.stream[count - 1], Packaged):  # a page is asked for in every run
                self._wait_for(lambda: self._has_asked or not self.destination_thread.is_alive())
                if self.source.core.preempt:  # and goes out before all others
                    self._wait_for(lambda: bool(self.run_.urgent))
            if count and isinstance(self.run_.stream[count - 1], AskBitmap):
                self._urgent_before = len(self.run_.urgent)  # behind RESUME one may be out by now
            if count and isinstance(self.run_.stream[count - 1], Resume):
                self._wait_for(lambda: self._has_asked_again)
                if self.source.core.preempt:
                    self._wait_for(lambda: len(self.run_.urgent) > self._urgent_before)

        self.lines[0].after = after_message
        self.lines[1].after = lambda count: self._happens("replies", count)
        reports: list[Any] = [None, None]

        def has_reported(host: int, report: Any) -> None:
            """Its report is of the moment that it names: the guest may be killed a moment later."""
            reports[host] = report
            guest = self.guests[host]
            killed_since = report.ended <= guest.died_at < math.inf
            if guest.running != report.guest_runs_here and not killed_since:
                self.run_.untrue.append(("source", "destination")[host])

        def destination() -> None:
            has_reported(1, self.destination.run())

        self.destination_thread = threading.Thread(target=destination, daemon=True, name="main")
        self.destination_thread.start()
        self.source.start()

        def wait() -> None:
            has_reported(0, self.source.wait())

        waiting = threading.Thread(target=wait, daemon=True, name="operator")
        waiting.start()
        run = self.run_
        self.threads = (waiting, self.destination_thread)
        for thread in self.threads:
            thread.join(BOUND)
            if thread.is_alive():
                run.hangs.append(thread.name)
        if run.hangs:
            return run
        run.outcomes = reports[0].outcome, reports[1].outcome
        run.why = reports[0].why, reports[1].why
        for name, report, guest in zip(("source", "destination"), reports, self.guests, strict=True):
            if report.guest_runs_here:
                run.where.append(name)
                run.damage += guest.damage()
            run.ran_twice |= guest.ran_beside_another
        run.handed_over = self.handed_over
        records = [line.record for log in self.logs for line in log.lines]
        run.conformance = explain(PAGES, 1, records)
        self.close()
        return run

    @property
    def _has_asked(self) -> bool:
        """The source has a request; or there will be none, because the devices are loaded, or all has arrived."""
        nothing_missing = Step.RUNS in self.logs[1].counts or any(isinstance(m, Shut) for m in self.run_.replies)
        return nothing_missing or Step.GOT_REQUEST in self.logs[0].counts

    @property
    def _has_asked_again(self) -> bool:
        """RESUME is answered, and what the guest waits for is asked for once more."""
        core = self.destination.core
        with self.destination._lock:
            return core.state is not State.RECOVERING and not core.unread

    def _wait_for(self, done: Callable[[], bool]) -> None:
        """Wait for a message that makes all runs alike, unless the fault may keep it from coming."""
        begin, core = time.monotonic(), self.source.core

        def in_vain() -> bool:
            struck = time.monotonic() > max(begin, self._struck) + ORDER
            return struck or core.over or core.paused or self.guests[1].died

        _within(TIMEOUT, lambda: done() or in_vain())

    def _happens(self, kind: str, count: int) -> None:
        what = self.plan.get((kind, count))
        if (kind, count) == self._place:
            self._struck = time.monotonic()
        if what is not None:
            what(self)

    def close(self) -> None:
        """Nothing is left."""
        for line in [*self._old, *self.lines]:
            line.finally_close()
        for guest in self.guests:
            guest.close()


def _within(seconds: float, done: Callable[[], bool]) -> bool:
    """Whether something is so within so many seconds."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def run_here(place: Place | None = None, fault: Callable[[Hosts], None] = lambda _: None, **how: Any) -> Run:
    """A migration with a fault at a place, or none."""
    return Hosts(**how).run(place, fault)
