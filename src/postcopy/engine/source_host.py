"""The source's threads around its core: migration thread, return-path thread, and the caller as the operator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import msgspec
import numpy as np

from postcopy.engine.errors import ConnectionLost, EngineError, GuestError, also
from postcopy.engine.eventlog import EventLog
from postcopy.engine.log import Step, Thread
from postcopy.engine.memory import GuestProcess, source_memory
from postcopy.engine.messages import Footer, Pages, RamEnd, SectionPart, StreamMessage
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.source import RAM_SECTION, Phase, SourceCore
from postcopy.engine.transport import Connection
from postcopy.engine.writing import StreamWriter

PRECOPY_BATCH = 256
CALM_BATCH, HURRIED_BATCH = 128, 32
"""Pages of one write in postcopy, for which a request has to wait: few while the guest misses pages."""
HURRIED = 16
"""Batches from a request on that are small."""
IDLE = 0.01
"""Seconds between two looks at the dirty log when there is nothing to send."""

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
    """

    switch: str = FIRST_PASS
    finish_below: int = 64
    passes: int = 30
    timeout: float = 30.0


class SourceReport(msgspec.Struct):
    """What came of it, as the source knows it; times in seconds since 1970, 0 where it did not happen.

    Attributes:
        processor: seconds that the migration thread has computed.
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
    counts: dict[str, int] = {}


class SourceHost:
    """One migration out of a guest process.

    Args:
        core: made by `SourceCore` with this log, or by a test's variant of it.
    """

    def __init__(
        self, core: SourceCore, guest: GuestProcess, connection: Connection, options: SourceOptions, log: EventLog
    ) -> None:
        self.core, self._guest, self._connection, self._options, self._log = core, guest, connection, options, log
        self.report = SourceReport()
        self._memory = source_memory(guest)
        self._writer = StreamWriter()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._guest_lock = threading.Lock()
        pages, size = guest.geometry.pages, guest.geometry.target_page
        self._bytes = np.frombuffer(guest.map, np.uint8).reshape(pages, size)
        self._words = self._bytes.view(np.uint64)
        self._threads = [
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
        self._connection.close()
        self._settle_guest()

    def wait(self, look: Callable[[], None] = lambda: None, every: float = 0.1) -> SourceReport:
        """Wait until it is over, looking now and then.

        Raises:
            KeyboardInterrupt: as it comes; the migration goes on.
        """
        for thread in self._threads:
            while thread.is_alive():
                thread.join(every)
                look()
        self._connection.release()
        self._settle_guest()
        report = self.report
        report.ended = report.ended or time.time()
        report.outcome = self.core.phase.name.lower()
        report.guest_runs_here = self.core.guest_may_run and not self._guest.lost
        if self.core.guest_may_run and self._guest.lost:
            report.why = also(report.why, self._guest.lost)
        report.counts = {step.value: count for step, count in self._log.counts.items()}
        return report

    # -- threads ----------------------------------------------------------------------------------------------------

    def _guarded(self, thread: Thread) -> None:
        try:
            self.BODIES[thread](self)
        except EngineError as error:
            self._fail(str(error), thread)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}", thread)
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

    def _fail(self, why: str, thread: Thread) -> None:
        with self._changed:
            if not self.core.over:
                if self.core.guest_may_run:
                    why = self._guest.lost or why
                self.report.why = why
                self.core.lose(why, thread)
            self._changed.notify_all()
        self._connection.close()

    def _settle_guest(self) -> None:
        """The core says whether the guest may run here; every thread that may have changed that calls this."""
        with self._guest_lock:
            if not self.core.over:
                return
            try:
                if self.core.guest_may_run and self.report.cpus_stopped:
                    self._guest.ask("start")
                    self.report.cpus_stopped = 0.0
            except GuestError as error:
                self.report.why = also(self.report.why, str(error))

    def _migrate(self) -> None:
        try:
            self._migrate_guest()
        finally:
            self.report.processor = time.thread_time()

    def _migrate_guest(self) -> None:
        while (step := self.core.opening) is not None:
            self._send(self._step(step))
        if self._precopy():
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
        """Another thread may have ended the migration."""
        if self.core.over:
            raise ConnectionLost(self.report.why or self.core.phase.name.lower())

    def _send(self, messages: Sequence[StreamMessage]) -> None:
        self._count(self._connection.send(self._writer.encode(messages)))

    def _count(self, sent: int) -> None:
        if self.core.phase >= Phase.SWITCHING:
            self.report.postcopy_bytes += sent
        else:
            self.report.precopy_bytes += sent

    def _precopy(self) -> bool:
        """Send pages pass by pass; whether it is postcopy that comes next."""
        begin = last_sent = time.monotonic()
        while True:
            with self._lock:
                self._check()
                if self.core.switch_asked:
                    return True
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
            self._guest.ask("stop")
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
        package = self._step(lambda: self.core.send_package(devices))
        self.report.handed_over = time.time()
        self._send(package)

    def _postcopy(self) -> None:
        """All pages are one section: the less there is between them, the more the destination can take together."""
        self._send([SectionPart(RAM_SECTION)])
        requests = hurried = 0
        while True:
            with self._lock:
                self._check()
                before, requests = requests, self._log.counts[Step.GOT_REQUEST]
                hurried = HURRIED if requests > before else max(0, hurried - 1)
                runs = self._take(HURRIED_BATCH if hurried else CALM_BATCH)
                end = [] if runs else self.core.end_postcopy()
            if end:
                self._send([RamEnd(), Footer(RAM_SECTION), *end])
                return
            self._send(self._contents(runs))

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
        return [pages for run in runs for pages in self._alike(run)]

    def _alike(self, run: range) -> Iterator[Pages]:
        """Neighbouring pages as they are now, those of zeros apart."""
        geometry = self._guest.geometry
        zero = self._words[run.start : run.stop, 0] == 0  # one word suffices for most pages
        ends = [len(run)]
        if zero.any():
            likely = np.flatnonzero(zero)
            zero[likely] = ~self._words[run.start + likely].any(axis=1)
            ends = [*(np.flatnonzero(zero[1:] != zero[:-1]) + 1).tolist(), len(run)]
        for begin, end in zip([0, *ends], ends, strict=False):
            for block, offset, length in geometry.parts(run.start + begin, end - begin):
                first, count = geometry.page(block, offset), length // geometry.target_page
                data = None if zero[begin] else self._bytes[first : first + count].data
                self.report.zero_pages += count if data is None else 0
                yield Pages(block, offset, count, geometry.target_page, data)

    def _wait_for_the_end(self) -> None:
        end = time.monotonic() + self._options.timeout
        with self._changed:
            while not self.core.over:
                left = end - time.monotonic()
                if left <= 0:
                    raise ConnectionLost(f"no word of how it ended within {self._options.timeout:g} s")
                self._changed.wait(left)

    def _read_replies(self) -> None:
        parser = ReplyParser()
        while True:
            with self._lock:
                if self.core.over:
                    return
            size = self._connection.receive(parser.room(), 1.0)
            if size is None:
                continue
            if not size:
                within = " within a message" if parser.buffered else ""
                raise ConnectionLost(f"the destination closed the connection{within}")
            parser.filled(size)
            for reply in parser:
                with self._changed:
                    if self.core.over:
                        return
                    self.core.receive(reply)
                    if self.core.phase == Phase.FAILED:
                        self.report.why = "the destination says that it has failed"
                    self._changed.notify_all()

    BODIES: ClassVar[dict[Thread, Callable[[SourceHost], None]]] = {
        Thread.MIGRATION: _migrate,
        Thread.RETURN_PATH: _read_replies,
    }
    """The threads that the host starts, and what each does; the operator is a thread of the caller."""
