"""The source's threads around its core: migration thread, return-path thread, and the caller as the operator.

The two threads belong to a connection: a connection after a break has threads of its own, and they start when those of
the old one have ended and it is closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

from postcopy.engine.contents import PageContents
from postcopy.engine.errors import ConnectionLost, EngineError, GuestError, RemoteProtocolError, also
from postcopy.engine.eventlog import EventLog
from postcopy.engine.guests import SourceGuest, SourceMemory
from postcopy.engine.log import Step, Thread
from postcopy.engine.messages import Footer, Pages, RamEnd, SectionPart, StreamMessage
from postcopy.engine.reconnecting import Patience, needed
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.sending_process import BATCH, SendingProcess, Sent
from postcopy.engine.source import RAM_SECTION, Phase, SourceCore
from postcopy.engine.transport import Connection
from postcopy.engine.urgency import prefer_this_thread
from postcopy.engine.writing import StreamWriter

PRECOPY_BATCH = 256
CALM_BATCH, HURRIED_BATCH = 256, 32
"""Pages of one write in postcopy, for which a request has to wait: few while the guest misses pages."""
SLOW_BATCH = 4
"""Pages of one write while a break is wanted and would come too early."""
LOADED = 0.5
"""Seconds after which the destination has loaded its devices."""
HURRIED = 16
"""Batches from a request on that are small."""
RETRY = 0.05
"""Seconds between two attempts to make a new connection."""
IDLE = 0.01
"""Seconds between two looks at the dirty log when there is nothing to send."""

SENT = (Step.SERVED, Step.SENT_BACKGROUND, Step.SENT_REST, Step.SERVED_URGENT)
"""Steps that send a page in postcopy."""

NEVER = "never"
FIRST_PASS = "first-pass"
AT_ONCE = "at-once"


class SourceOptions(msgspec.Struct, frozen=True):
    """How to migrate.

    Attributes:
        switch: when postcopy is asked for: ``at-once``, ``first-pass``, seconds as a text, or ``never``.
        finish_below: in precopy the CPUs are stopped when no more pages than this are dirty.
        passes: ... or after so many passes.
        timeout: seconds that anything may stand still.
        recover: seconds to try for a new connection after a break in postcopy; 0: the migration fails then.
        break_after: the connection is broken here after so many pages of postcopy, and again after so many more, and
            so on; what is sent at that moment is lost. The first half second, in which the destination loads its
            devices, is gone through slowly, and does not count.
        preempt: pages that are asked for go out on a connection of their own.
    """

    switch: str = FIRST_PASS
    finish_below: int = 64
    passes: int = 30
    timeout: float = 30.0
    recover: float = 0.0
    break_after: tuple[int, ...] = ()
    preempt: bool = False


class SourceReport(msgspec.Struct):
    """What came of it, as the source knows it; times in seconds since 1970, 0 where it did not happen.

    Attributes:
        processor: seconds that the migration thread has computed.
        breaks: why the connection broke, each time that the migration paused.
    """

    outcome: str = ""
    why: str = ""
    guest_runs_here: bool = True
    started: float = 0.0
    cpus_stopped: float = 0.0
    handed_over: float = 0.0
    ended: float = 0.0
    passes: int = 0
    precopy_bytes: int = 0
    postcopy_bytes: int = 0
    zero_pages: int = 0
    processor: float = 0.0
    breaks: list[str] = []
    counts: dict[str, int] = {}


class SourceHost:
    """One migration out of a guest process.

    Args:
        core: made by `SourceCore` with this log, or by a test's variant of it.
        memory: the guest's.
        reconnect: makes a new connection to the same destination, or raises an `EngineError`; needed by a core that
            recovers the migration, or has a connection for urgent pages.
        sending: the process that sends the pages of postcopy that nobody has asked for; without one the migration
            thread does. Closing it is the caller's.
    """

    def __init__(
        self,
        core: SourceCore,
        guest: SourceGuest,
        memory: SourceMemory,
        connection: Connection,
        options: SourceOptions,
        log: EventLog,
        reconnect: Callable[[], Connection] | None = None,
        sending: SendingProcess | None = None,
    ) -> None:
        self.core, self._guest, self._connection, self._options, self._log = core, guest, connection, options, log
        self.report = SourceReport()
        self._memory, self._reconnect, self._sending = memory, reconnect, sending
        self._patience = Patience(options.recover, log.counts, *SENT)
        self._urgent: Connection | None = None
        self._urgent_writer = StreamWriter()
        self._urgent_lock = threading.Lock()  # taken before the core's: its last record follows the last urgent page
        self._breaks = list(options.break_after)
        self._writer = StreamWriter(opaque_devices=core.qemu)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._guest_lock = threading.Lock()
        self._pages = PageContents(guest.map, guest.geometry)
        self._threads = self._new_threads()

    def _new_threads(self) -> list[threading.Thread]:
        return [
            threading.Thread(target=self._guarded, args=(thread,), name=thread, daemon=True) for thread in self.BODIES
        ]

    # -- the operator -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the migration."""
        self._memory.take_dirty()  # the log begins here; the migration bitmap begins with all pages
        with self._lock:
            self.core.start()
            if self._options.switch == AT_ONCE:
                self.core.start_postcopy()
        self.report.started = time.time()
        threading.Thread(target=self._watch, name="guest watch", daemon=True).start()
        for thread in self._threads:
            thread.start()

    def start_postcopy(self) -> bool:
        """Ask for postcopy; whether that means anything now."""
        with self._changed:
            meant = self.core.start_postcopy()
            self._changed.notify_all()
            return meant

    def cancel(self) -> None:
        """Cancel; the guest goes on here.

        Raises:
            LocalProtocolError: it is too late.
        """
        with self._changed:
            self.core.cancel()
            self.report.why = "by the operator"
            self._changed.notify_all()
        self._close()
        self._settle_guest()

    def wait(self, look: Callable[[], None] = lambda: None, every: float = 0.1) -> SourceReport:
        """Wait until it is over, looking now and then. Where it pauses, make a new connection, as its operator.

        Raises:
            KeyboardInterrupt: as it comes; the migration goes on.
        """
        while True:
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(every)
                    look()
            if not self.core.over and not self.core.paused:
                self._fail("interrupted before the threads of a new connection were started", Thread.MIGRATION)
            if not self.core.paused or not self._recover(look):
                break
        self._connection.release()
        if self._urgent is not None:
            self._urgent.release()
        self._settle_guest()
        report = self.report
        report.ended = report.ended or time.time()
        report.outcome = self.core.phase.name.lower()
        report.guest_runs_here = self.core.guest_may_run and not self._guest.lost
        if self.core.guest_may_run and self._guest.lost:
            report.why = also(report.why, self._guest.lost)
        report.counts = {step.value: count for step, count in self._log.counts.items()}
        return report

    def _recover(self, look: Callable[[], None]) -> bool:
        """Both threads of the old connection have ended; whether there is a new one, with threads of its own."""
        assert self._reconnect is not None
        self._connection.release()
        if self._urgent is not None:
            self._urgent.release()
            self._urgent = None
        if self._sending is not None:
            self._sending.prepare()
        self._patience.pause()
        why = "each one breaks"
        while True:
            time.sleep(RETRY)
            look()
            if self._patience.left < 0:
                self._give_up(f"no new connection that stands within {self._patience.seconds:g} s: {why}")
                return False
            try:
                connection = self._reconnect()
                break
            except EngineError as error:
                why = str(error)
        with self._lock:
            self.core.reconnect()
            self._connection = connection
        self._writer = StreamWriter(opaque_devices=self.core.qemu)
        self._urgent_writer = StreamWriter()
        self._threads = self._new_threads()
        for thread in self._threads:
            thread.start()
        return True

    def _give_up(self, why: str) -> None:
        with self._changed:
            self.report.why = also(why, self.report.breaks[-1]) if self.report.breaks else why
            self.core.give_up(why)
            self._changed.notify_all()

    # -- threads ----------------------------------------------------------------------------------------------------

    def _guarded(self, thread: Thread) -> None:
        try:
            self.BODIES[thread](self)
        except (ConnectionLost, RemoteProtocolError) as error:
            self._fail(str(error), thread)
        except EngineError as error:
            self._fail(str(error), thread, for_good=True)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}", thread, for_good=True)
            raise
        finally:
            self._settle_guest()

    def _watch(self) -> None:
        """A guest that dies while it may run here leaves nothing to migrate. Without its CPUs it is needed for nothing:
        its memory is here too."""
        self._guest.wait_for_death()
        with self._lock:
            needed = not self.core.over and self.core.guest_may_run
        if needed:
            self._connection.close()  # the thread that reads from it gives up

    def _fail(self, why: str, thread: Thread, *, for_good: bool = False) -> None:
        """What another connection would not mend is for good."""
        with self._changed:
            if not self.core.over and not self.core.paused:
                if self.core.guest_may_run:
                    why = self._guest.lost or why
                if for_good and self.core.recoverable:
                    self.core.give_up(why)
                else:
                    self.core.lose(why, thread)
                if self.core.paused:
                    self.report.breaks.append(why)
                else:
                    self.report.why = why
            self._changed.notify_all()
        self._close()

    def _close(self) -> None:
        """Each thread finds its connection closed."""
        self._connection.close()
        if self._urgent is not None:
            self._urgent.close()

    def _settle_guest(self) -> None:
        """The core says whether the guest may run here; every thread that may have changed that calls this."""
        with self._guest_lock:
            if not self.core.over:
                return
            try:
                if self.core.guest_may_run and self.report.cpus_stopped:
                    self._guest.start()
                    self.report.cpus_stopped = 0.0
            except GuestError as error:
                self.report.why = also(self.report.why, str(error))

    def _migrate(self) -> None:
        try:
            if self.core.recoverable:
                self._resume()
            else:
                self._migrate_guest()
        finally:
            self.report.processor += time.thread_time()

    def _resume(self) -> None:
        """On a new connection: ask what has arrived, and go on with the rest."""
        self._reopen_urgent()
        self._send(self._step(self.core.ask_what_arrived))
        self._wait_until(lambda: self.core.phase is not Phase.ASKED, "no word of what has arrived")
        self._reopen_urgent()
        self._send(self._step(self.core.resume))
        self._wait_until(lambda: self.core.phase is not Phase.RESUMING, "no acknowledgement of RESUME")
        self._postcopy()
        self._wait_for_the_end()

    def _migrate_guest(self) -> None:
        while (step := self.core.opening) is not None:
            self._send(self._step(step))
        if self._precopy():
            self._wait_until(lambda: self.core.may_switch, "no connection for urgent pages")
            self._switch()
            self._postcopy()
        else:
            self._finish()
        self._wait_for_the_end()

    def _step(self, step: Callable[[], Sequence[StreamMessage]]) -> Sequence[StreamMessage]:
        with self._lock:
            self._check()
            return step()

    def _check(self) -> None:
        """Another thread may have ended the migration, or found the connection broken."""
        if self.core.over or self.core.paused:
            raise ConnectionLost(self.report.why or self.core.phase.name.lower())

    def _send(self, messages: Sequence[StreamMessage]) -> None:
        self._count(self._connection.send(self._writer.parts(messages)))

    def _count(self, sent: int) -> None:
        with self._lock:  # the return-path thread counts urgent pages
            if self.core.phase >= Phase.SWITCHING:
                self.report.postcopy_bytes += sent
            else:
                self.report.precopy_bytes += sent

    def _count_sent(self, sent: Sent) -> None:
        with self._lock:
            self.report.zero_pages += sent.zeros
        self._count(sent.size)

    def _precopy(self) -> bool:
        """Send pages pass by pass; whether it is postcopy that comes next."""
        begin = last_sent = time.monotonic()
        while True:
            with self._lock:
                self._check()
                if self.core.switch_asked:
                    return bool(self.core.dirty) or not self.core.qemu  # a QEMU refuses RUN if nothing was discarded
                pages = self._take(PRECOPY_BATCH)
            now = time.monotonic()
            if pages:
                self._send_pages(pages)
                last_sent = now
                if not self._due(now - begin):
                    continue
            else:
                self.report.passes += 1
            if self._due(now - begin) or (not pages and self._options.switch == FIRST_PASS):
                self.start_postcopy()
                continue
            dirty = self._memory.take_dirty()
            with self._changed:
                self._check()
                self.core.merge_dirty(dirty)
                count = self.core.dirty.count
                if self._options.switch == NEVER and (
                    count <= self._options.finish_below or self.report.passes >= self._options.passes
                ):
                    return self.core.switch_asked
                if not count:
                    self._changed.wait(IDLE)
            if not count and now - last_sent > self._options.timeout / 3:
                self._send_pages([])  # a sign of life
                last_sent = now

    def _due(self, seconds: float) -> bool:
        switch = self._options.switch
        return switch not in (NEVER, FIRST_PASS, AT_ONCE) and not self.core.switch_asked and seconds >= float(switch)

    def _stop_cpus(self) -> list[range]:
        with self._guest_lock:
            self.report.cpus_stopped = time.time()
            self._guest.stop()
        return self._memory.take_dirty()

    def _finish(self) -> None:
        dirty = self._stop_cpus()
        with self._lock:
            self._check()
            self.core.cpus_stopped_to_finish(dirty)
        while True:
            with self._lock:
                self._check()
                pages = self._take(PRECOPY_BATCH)
            if not pages:
                break
            self._send_pages(pages)
        devices = self._guest.devices()
        messages = self._step(lambda: self.core.end_precopy(devices))
        self.report.handed_over = time.time()
        self._send(messages)

    def _switch(self) -> None:
        dirty = self._stop_cpus()
        with self._lock:
            self._check()
            self.core.cpus_stopped_to_switch(dirty)
        devices = self._guest.devices()
        self._send(self._step(self.core.send_discards))
        self._wait_until(lambda: self.core.package_may_go, "no answer to the PING before the package")
        if self._urgent is not None and self._urgent.broken:
            raise ConnectionLost(f"the other side has closed the connection for urgent pages{needed('destination')}")
        package = self._step(lambda: self.core.send_package(devices))
        self.report.handed_over = time.time()
        self._send(package)

    def _postcopy(self) -> None:
        """All pages are one section: the less there is between them, the more the destination can take together."""
        self._send([SectionPart(RAM_SECTION)])
        calm = CALM_BATCH
        if self._sending is not None:
            prefer_this_thread()
            self._sending.begin(self._connection)
            calm = BATCH
        requests = hurried = 0
        while True:
            with self._lock:
                self._check()
                while self.core.waits_for_urgent:
                    self._changed.wait(IDLE)
                    self._check()
                before, requests = requests, self._log.counts[Step.GOT_REQUEST]
                hurried = HURRIED if requests > before else max(0, hurried - 1)
                few = hurried and not self.core.preempt
                runs = self._take(SLOW_BATCH if self._is_early else HURRIED_BATCH if few else calm)
                end = [] if runs else self.core.end_postcopy()
            if end:
                if self._sending is not None:
                    self._count_sent(self._sending.settle())
                self._send([RamEnd(), Footer(RAM_SECTION), *end])
                self._end_urgent()
                return
            self._connection.set_pace(hurried=hurried > 0)
            self._send_background(runs)

    def _send_background(self, runs: Sequence[range]) -> None:
        if self._is_early:
            time.sleep(IDLE)
        self._break_if_asked(sum(map(len, runs)))
        if self._sending is not None:
            self._count_sent(self._sending.send(runs))
        else:
            self._send(self._contents(runs))

    def _break_if_asked(self, pages: int) -> None:
        """These pages count as sent, and never arrive: only a recovery can find that out. Either thread sends pages."""
        with self._lock:
            if self._is_early or not self._breaks:
                return
            self._breaks[0] -= pages
            if self._breaks[0] > 0:
                return
            del self._breaks[0]
        self._connection.close()
        raise ConnectionLost("broken after so many pages, as asked for")

    @property
    def _is_early(self) -> bool:
        """A break is wanted, and the destination may load its devices still: there it would cost the guest."""
        return bool(self._breaks) and time.time() < self.report.handed_over + LOADED

    def _take(self, most: int) -> list[range]:
        """Runs of pages, so many pages at most."""
        runs: list[range] = []
        while most and (run := self.core.next_pages(most)):
            runs.append(run)
            most -= len(run)
        return runs

    def _send_pages(self, runs: Sequence[range]) -> None:
        self._send([SectionPart(RAM_SECTION), *self._contents(runs), RamEnd(), Footer(RAM_SECTION)])

    def _contents(self, runs: Sequence[range]) -> list[Pages]:
        found = [pages for run in runs for pages in self._pages.messages(run)]
        zeros = sum(pages.count for pages in found if pages.data is None)
        with self._lock:
            self.report.zero_pages += zeros
        return found

    def _wait_for_the_end(self) -> None:
        self._wait_until(lambda: False, "no word of how it ended")

    def _wait_until(self, done: Callable[[], bool], missing: str) -> None:
        """Wait for a reply, or until the migration is over."""
        end = time.monotonic() + self._options.timeout
        with self._changed:
            while not self.core.over and not self.core.paused and not done():
                left = end - time.monotonic()
                if left <= 0:
                    raise ConnectionLost(f"{missing} within {self._options.timeout:g} s")
                self._changed.wait(left)

    def _read_replies(self) -> None:
        if self._sending is not None:
            prefer_this_thread()
        parser = ReplyParser()
        while True:
            self._open_urgent()
            with self._lock:
                if self.core.over or self.core.paused:
                    return
            size = self._connection.receive(parser.room(), 1.0 if self.core.may_switch else RETRY)
            if size is None:
                continue
            if not size:
                within = " within a message" if parser.buffered else ""
                raise ConnectionLost(f"the destination closed the connection{within}")
            parser.filled(size)
            for reply in parser:
                with self._changed:
                    if self.core.over or self.core.paused:
                        return
                    self.core.receive(reply)
                    if self.core.phase == Phase.FAILED:
                        self.report.why = "the destination says that it has failed"
                    self._changed.notify_all()
                self._serve_urgent()

    def _open_urgent(self) -> None:
        """The destination has the main connection, and does not take this one for it (A25)."""
        if not self.core.urgent_may_open:
            return
        assert self._reconnect is not None
        self._urgent = self._reconnect()
        with self._changed:
            if self.core.urgent_may_open:
                self.core.open_urgent()
            self._changed.notify_all()

    def _reopen_urgent(self) -> None:
        """The migration thread makes it, as in QEMU: the other one serves nothing before RESUME is acknowledged."""
        if not self.core.urgent_may_reopen:
            return
        assert self._reconnect is not None
        try:
            self._urgent = self._reconnect()
        except EngineError as error:
            raise ConnectionLost(str(error)) from None  # the next connection may have both
        with self._lock:
            self._check()
            self.core.reopen_urgent()

    def _serve_urgent(self) -> None:
        """Each request is served before the next reply is read, whatever the migration thread sends meanwhile."""
        while self.core.preempt:
            with self._urgent_lock:
                with self._changed:
                    if self.core.phase is not Phase.POSTCOPY or not self.core.requests:
                        return
                    pages = self.core.next_urgent()
                    self._changed.notify_all()
                if pages:
                    self._break_if_asked(len(pages))
                    self._send_urgent(self._contents([pages]))

    def _send_urgent(self, messages: Sequence[StreamMessage]) -> None:
        assert self._urgent is not None
        self._count(self._urgent.send(self._urgent_writer.parts(messages)))

    def _end_urgent(self) -> None:
        """An old QEMU comes to its end only with this record (A24: the other thread serves no request any more)."""
        if self.core.preempt and self.core.early:
            with self._urgent_lock:
                self._send_urgent([RamEnd()])

    BODIES: ClassVar[dict[Thread, Callable[[SourceHost], None]]] = {
        Thread.MIGRATION: _migrate,
        Thread.RETURN_PATH: _read_replies,
    }
    """The threads that the host starts, and what each does; the operator is a thread of the caller."""
