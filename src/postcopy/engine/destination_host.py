"""The destination's threads around its core: main, listen and fault thread, as in the document.

A listen thread belongs to a connection: after a break another one starts, when that of the old connection has ended and
it is closed. The fault thread goes on; it takes the lock of replies, so that it never writes to the old connection what
it has asked the core for on the new one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar, assert_never

import msgspec

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import Main, State
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
from postcopy.engine.errors import (
    ConnectionLost,
    EngineError,
    GuestError,
    LocalProtocolError,
    RemoteProtocolError,
    also,
)
from postcopy.engine.eventlog import EventLog
from postcopy.engine.guests import IncomingGuest, IncomingMemory
from postcopy.engine.log import Step, Thread
from postcopy.engine.memory import MOST_PLACED
from postcopy.engine.messages import (
    AskBitmap,
    Packaged,
    Page,
    Pages,
    Ping,
    Pong,
    ReceivedBitmap,
    Reply,
    Request,
    Resume,
    ResumeAck,
    Shut,
    StreamMessage,
    SwitchoverAck,
)
from postcopy.engine.parsing import StreamParser
from postcopy.engine.placing_process import Held, PlacingProcess
from postcopy.engine.reconnecting import AcceptUrgent, Patience, Reconnect, needed
from postcopy.engine.return_path import ReplyWriter
from postcopy.engine.stream_reader import StreamReader
from postcopy.engine.transport import GLANCE, Connection
from postcopy.engine.urgency import prefer_this_thread
from postcopy.engine.wire import Begin

HURRIED_RUN = 64
"""The most pages that are placed at once while pages are asked for, which may come after them. Each run takes the same
time in Python, most of it because the copying before it has emptied the caches: long runs are faster."""
CALM = 0.05
"""Seconds after which no other request is expected."""
ANSWERED = (Ping, AskBitmap, Resume)
"""Messages that the listen thread answers."""


class DestinationReport(msgspec.Struct):
    """What came of it, as the destination knows it; times in seconds since 1970, 0 where it did not happen.

    Attributes:
        latencies: in seconds, from the reading of each fault to the placing of its page.
        processor: seconds that the listen thread has computed.
        guest_processor: seconds that the guest process has computed until the end of the migration.
        breaks: why the connection broke, each time that the migration paused.
    """

    outcome: str = ""
    why: str = ""
    guest_runs_here: bool = False
    guest_started: float = 0.0
    ended: float = 0.0
    requests: int = 0
    duplicate_requests: int = 0
    latencies: list[float] = []
    processor: float = 0.0
    guest_processor: float = 0.0
    breaks: list[str] = []
    counts: dict[str, int] = {}


class DestinationHost:
    """One migration into a guest process.

    Args:
        core: made by `DestinationCore` with this log, or by a test's variant of it.
        memory: the guest's.
        reader: of the stream, where a part of it has been read from the connection.
        reconnect: needed by a core that recovers the migration.
        recover: seconds to wait for that (see `Patience`).
        accept_urgent: needed by a core that has a connection for urgent pages.
        placing: the process that reads the stream and places its pages in postcopy; without one the listen thread does.
            Closing it is the caller's.
    """

    def __init__(
        self,
        core: DestinationCore,
        guest: IncomingGuest,
        memory: IncomingMemory,
        connection: Connection,
        log: EventLog,
        timeout: float,
        reader: StreamReader | None = None,
        reconnect: Reconnect | None = None,
        recover: float = 0.0,
        accept_urgent: AcceptUrgent | None = None,
        placing: PlacingProcess | None = None,
    ) -> None:
        self.core, self._guest, self._connection, self._log, self._timeout = core, guest, connection, log, timeout
        self.report = DestinationReport()
        self.memory, self._reconnect = memory, reconnect
        self._accept_urgent, self._placing = accept_urgent, placing
        self._urgent: Connection | None = None
        self._urgent_lock = threading.Lock()  # taken before the core's: memory is released when all has been placed
        self._patience = Patience(recover, log.counts, Step.PLACED, Step.PLACED_URGENT)
        self._reader = reader or StreamReader(connection, StreamParser(guest.geometry.target_page))
        self._replies = ReplyWriter()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._reply_lock = threading.Lock()  # taken before the core's: replies go out in the order of their steps
        self._guest_died = False
        self._asked: dict[int, float] = {}
        self._last_request = 0.0
        self._requested: set[int] = set()
        self._caller = self._new_caller()
        self._threads: dict[Thread, threading.Thread] = {  # the main thread is the caller's
            thread: self._new_thread(thread) for thread in self.BODIES if thread is not Thread.MAIN
        }

    def _new_thread(self, thread: Thread) -> threading.Thread:
        return threading.Thread(target=self._guarded, args=(thread,), name=thread, daemon=True)

    def _new_caller(self) -> threading.Thread:
        return threading.Thread(target=self._take_urgent, name="caller", daemon=True)

    def _end_caller(self) -> None:
        """It looks now and then whether it is needed."""
        if self._accept_urgent is not None:
            self._caller.join()

    def run(self) -> DestinationReport:
        """Be the main thread, until the migration is over. Where it pauses, wait for a connection, as its operator."""
        threading.Thread(target=self._watch, name="guest watch", daemon=True).start()
        if self._accept_urgent is not None:
            self._caller.start()
        self._guarded(Thread.MAIN)
        while self._pauses():
            self._recover()
        for thread in self._threads.values():
            if thread.ident is not None:
                thread.join()
        self._end_caller()
        self._connection.finish()
        if self._urgent is not None:
            self._urgent.release()
        if self.core.qemu and self.core.state == State.END:
            self._read_to_the_end()
        self._connection.release()
        self.memory.close()
        report = self.report
        report.ended = time.time()
        report.outcome = "completed" if self.core.state == State.END else "failed"
        report.guest_runs_here = self.core.guest_runs and not self._guest.lost
        if self.core.guest_runs and self._guest.lost:
            report.why = also(report.why, self._guest.lost)
        report.counts = {step.value: count for step, count in self._log.counts.items()}
        return report

    def _take_urgent(self) -> None:
        """It is accepted here, and not by the main thread, for which the source may wait meanwhile (A25)."""
        assert self._accept_urgent is not None
        try:
            connection = self._accept_urgent(self._check_awaited)
        except EngineError as error:
            if self.core.state <= State.ADVISE:
                self._fail(str(error))  # in precopy, so that the guest goes on at the source
            if self.core.state is State.FAILED:  # not where it has come to its end meanwhile: SHUT is to go out
                self._connection.close()
            return
        with self._changed:
            self._urgent = connection
            self._changed.notify_all()

    def _check_awaited(self) -> None:
        if self.core.state > State.ADVISE and self.core.state is not State.RECOVERING:
            raise ConnectionLost("no connection for urgent pages is needed any more")

    def _pauses(self) -> bool:
        """Wait for the end of a connection's threads; whether they have left a migration that can be recovered."""
        for thread in (Thread.LISTEN, Thread.PREEMPT):  # the first starts the second
            if self._threads[thread].ident is not None:
                self._threads[thread].join()
        return self.core.state is State.PAUSED

    def _recover(self) -> None:
        """The threads of the old connection have ended; the new one has threads of its own."""
        assert self._reconnect is not None
        self._end_caller()
        with self._reply_lock:  # the fault thread may be writing a reply to the old connection
            self._connection.release()
        if self._urgent is not None:
            self._urgent.release()
            self._urgent = None
        if self._placing is not None:
            self._placing.prepare()
        self._patience.pause()
        try:
            with self._lock:
                self.core.wait_for_connection()
            connection = self._reconnect(max(0.0, self._patience.left), self._check_guest)
        except EngineError as error:
            self._fail(str(error), for_good=True)
            return
        before = self._reader.parser
        parser = StreamParser(
            before.page_size,
            Begin.RESUMED,
            opaque_devices=self.core.qemu,
            ram_section=before.ram_section,
        )
        with self._reply_lock:
            self._connection, self._replies = connection, ReplyWriter()
        self._reader = StreamReader(connection, parser)
        with self._lock:
            if self.core.state is State.WAITING:
                self.core.accept(broken=connection.broken)
            accepted = self.core.state is State.RECOVERING
        if not accepted:
            connection.close()
            return
        self._start_anew(Thread.LISTEN)
        if self._accept_urgent is not None:
            self._caller = self._new_caller()
            self._caller.start()

    def _start_anew(self, thread: Thread) -> None:
        self._threads[thread] = self._new_thread(thread)
        self._threads[thread].start()

    def _check_guest(self) -> None:
        """Without its guest this host has nothing to wait for."""
        if self._guest_died:
            raise GuestError(self._guest.lost or "the guest process is gone")

    def _read_to_the_end(self) -> None:
        """A QEMU describes its devices after the end. Closing with that unread would destroy our SHUT on its way."""
        room, end = memoryview(bytearray(1 << 16)), time.monotonic() + self._timeout
        with suppress(ConnectionLost):
            while self._connection.receive(room, max(0.0, end - time.monotonic())):
                pass

    def _guarded(self, thread: Thread) -> None:
        if self._placing is not None and thread is not Thread.MAIN:
            prefer_this_thread()
        try:
            self.BODIES[thread](self)
        except (ConnectionLost, RemoteProtocolError) as error:
            self._fail(str(error))
        except EngineError as error:
            self._fail(str(error), for_good=True)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}", for_good=True)
            raise

    def _fail(self, why: str, *, for_good: bool = False) -> None:
        """What another connection would not mend is for good."""
        with self._changed:
            before = self.core.state
            why = "the guest process is gone" if self._guest_died and before < State.END else why
            effects = (self.core.give_up if for_good or self._guest_died else self.core.lose)(why)
            paused = self.core.state is State.PAUSED
            if paused and before is not State.PAUSED:
                self.report.breaks.append(why)
            elif before < State.END and not paused:
                self.report.why = also(why, self.report.breaks[-1]) if self.report.breaks else why
            self._changed.notify_all()
        if paused:
            self._connection.close()
            if (urgent := self._urgent) is not None:
                urgent.close()
            return
        self._carry_out(effects)
        self.memory.stop_faults()

    def _watch(self) -> None:
        """A guest that dies while the source still has it is no loss, if the source hears of it in time."""
        self._guest.wait_for_death()
        with self._lock:
            self._guest_died = self.core.state < State.END
        if self._guest_died:
            self._connection.close()  # the thread that reads from it gives up

    # -- steps and what they ask for ----------------------------------------------------------------------------------

    def _step(self, step: Callable[[], Sequence[Output]]) -> None:
        """One step of the core that makes no reply, and its effects."""
        with self._changed:
            outputs = step()
            self._changed.notify_all()
        self._carry_out(outputs)

    def _step_with_reply(self, step: Callable[[], Sequence[Output]]) -> None:
        """The same for a step that may reply: replies are on the wire in the order of their steps."""
        with self._reply_lock:
            with self._changed:
                outputs = step()
                self._changed.notify_all()
            for output in outputs:
                if isinstance(output, Reply):
                    self._connection.send([self._replies.encode(output)])
        self._carry_out([output for output in outputs if not isinstance(output, Reply)])

    def _carry_out(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case PlacePages(pages, data):
                    self.memory.place(pages, data)
                    self._note_placed(pages, time.perf_counter())
                case LoadPages(pages, data):
                    self.memory.load(pages, data)
                case DropPages(pages):
                    self.memory.drop(pages)
                case Sensitise():
                    self.memory.sensitise()
                    for thread in self._threads.values():
                        thread.start()
                case LoadDevice(device):
                    self._guest.load(device)
                case StartGuest():
                    self._guest.start()
                    self.report.guest_started = time.time()
                case ReleaseMemory():
                    if self._threads[Thread.FAULT].ident is not None:
                        self.memory.release()
                        self.memory.stop_faults()
                case GiveUpGuest():
                    self._guest.kill()
                case PrepareMemory():
                    pass  # shared memory is not locked, and has no huge pages unless the system is set so
                case Shut() | Pong() | Request() | ReceivedBitmap() | ResumeAck() | SwitchoverAck():
                    raise TypeError(f"{output!r} is no effect: it is to be written in the order of its step")
                case _:
                    assert_never(output)

    def _note_placed(self, pages: range, at: float) -> None:
        asked = self._asked
        for page in [page for page in pages if page in asked] if len(pages) == 1 else [*asked]:
            if page in pages:
                self.report.latencies.append(at - asked.pop(page))

    # -- threads ------------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        while self.core.main == Main.STREAM:
            message = self._next_message()
            if isinstance(message, Packaged) and self.core.preempt:
                self._wait_for_urgent()
            step = self._step if isinstance(message, Page | Pages) else self._step_with_reply
            step(partial(self.core.receive, message))
        if self.core.state == State.END:
            self._step_with_reply(self.core.shut)
            return
        if self.core.state == State.FAILED:
            self.report.why = "this host refuses postcopy"
            return
        self._step(self.core.listen)
        while self.core.package_left:
            self._step_with_reply(self.core.next_in_package)
        with self._lock:
            self.core.devices_loaded()
        self._step(self.core.run)

    def _wait_for_urgent(self) -> None:
        """The connection for urgent pages is taken before the package is acted on, and in recovery before RESUME is."""
        over = (State.FAILED, State.PAUSED)
        with self._changed:
            self._changed.wait_for(lambda: self._urgent or self.core.state in over, self._timeout)
            if self._urgent is None or self.core.state in over:
                raise ConnectionLost(f"no connection for urgent pages within {self._timeout:g} s{needed('source')}")
            recovers = self.core.state is State.RECOVERING
            (self.core.accept_urgent_again if recovers else self.core.accept_urgent)()

    def _receive_urgent(self) -> None:
        """What comes is placed under a lock that the end of postcopy takes too: memory is released after it."""
        connection, parser = self._urgent, StreamParser(self._guest.geometry.target_page, Begin.PREEMPT)
        while connection is not None and self.core.listening:
            size = connection.receive(parser.room(), GLANCE)
            if size == 0:
                with self._lock:
                    over = self.core.all_here or not self.core.listening
                if not over:
                    raise ConnectionLost("the source closed the connection for urgent pages")
                return
            parser.filled(size or 0)
            while (message := parser.next_pages(MOST_PLACED, self._guest.geometry.group)) is not None:
                with self._urgent_lock:
                    with self._changed:
                        if not self.core.listening:
                            return  # another thread has found the connections broken
                        effects = self.core.receive_urgent(message)
                        self._changed.notify_all()
                    self._carry_out(effects)

    def _listen(self) -> None:
        try:
            self._receive_stream()
        finally:
            self.report.processor += time.thread_time()
        with self._changed:
            if not self._changed.wait_for(lambda: self.core.state != State.LISTEN, self._timeout):
                raise GuestError(f"the devices have not been loaded within {self._timeout:g} s")
            if not self._changed.wait_for(lambda: self.core.all_here or not self.core.listening, self._timeout):
                raise ConnectionLost(f"urgent pages have not come within {self._timeout:g} s")
            if self.core.state is State.PAUSED:
                return
        with self._urgent_lock:
            self._step(self.core.end)
        self._step_with_reply(self.core.shut)

    def _receive_stream(self) -> None:
        """In recovery the process is still being started: what comes before pages do is read here."""
        if self._placing is None:
            self._receive_messages(self._next_message)
            return
        if self.core.state is State.RECOVERING:
            self._receive_messages(self._next_message, State.RUNNING)
        self._placing.begin(self._connection, self._reader.parser, self._timeout, self._note_placed)
        try:
            self._receive_messages(self._placing.next_message)
        finally:
            self._placing.settle()  # what the core counts as here is placed, before anything else is done

    def _receive_messages(self, next_message: Callable[[], StreamMessage | Held], until: State | None = None) -> None:
        while not self.core.end_seen and self.core.state is not until:
            message = next_message()
            if isinstance(message, Held):
                assert self._placing is not None
                with self._lock:
                    for placed in self._read(message.message):
                        assert isinstance(placed, PlacePages)
                        self._placing.place(placed.pages)
                continue
            if isinstance(message, ANSWERED):
                if isinstance(message, Resume) and self.core.preempt:
                    self._wait_for_urgent()
                self._step_with_reply(partial(self._read, message))
                if isinstance(message, Resume):
                    self.memory.stop_faults()  # so that the fault thread looks for what it may ask for again
                    if self.core.preempt:
                        self._start_anew(Thread.PREEMPT)
                continue
            with self._lock:
                effects = self._read(message)
            # a vCPU that is woken by this, and faults again, does so after the step in the log
            self._carry_out(effects)

    def _read(self, message: StreamMessage) -> Sequence[Output]:
        """Another thread may have found the connections broken, or said so."""
        if self.core.state is State.PAUSED:
            raise ConnectionLost("the connection for urgent pages has broken")
        return self.core.receive_listening(message)

    def _next_message(self) -> StreamMessage:
        hurried = time.monotonic() < self._last_request + CALM
        self._connection.set_pace(hurried=hurried)
        most = HURRIED_RUN if hurried else MOST_PLACED
        return self._reader.next_message(self._timeout, most, self._guest.geometry.group)

    def _faults(self) -> None:
        group = self._guest.geometry.group
        while State.LISTEN <= self.core.state < State.END:
            self._request_unread()
            for page, who in self.memory.faults(self._timeout):
                first = page // group * group
                self._asked.setdefault(first, time.perf_counter())
                self._last_request = time.monotonic()
                if self._is_coming(range(first, first + group)):
                    continue
                self.report.requests += 1
                self.report.duplicate_requests += first in self._requested
                self._requested.add(first)
                try:
                    self._step_with_reply(partial(self.core.fault, page, who))
                except LocalProtocolError:
                    return  # given up meanwhile
                except ConnectionLost:
                    pass  # what is on its way may yet be all that is needed: the listen thread reads it to its end

    def _is_coming(self, host_page: range) -> bool:
        """The core has taken the page, and it is here or about to be placed, which wakes whoever waits for it.

        A page is placed a moment after the core has taken it, and the guest may begin in between, or go on with an
        urgent page that another thread has placed. For the core, and the model, the page is here: there is no fault.
        QEMU asks for no page that has arrived either.
        """
        with self._lock:
            return all(page in self.core.received for page in host_page)

    def _request_unread(self) -> None:
        """After a recovery: what the guest waits for, as far as it is known."""
        with suppress(ConnectionLost, LocalProtocolError):  # broken again, or given up
            while self.core.unread and self.core.listening:
                self._step_with_reply(self.core.request_unread)

    BODIES: ClassVar[dict[Thread, Callable[[DestinationHost], None]]] = {
        Thread.MAIN: _main,
        Thread.FAULT: _faults,
        Thread.LISTEN: _listen,
        Thread.PREEMPT: _receive_urgent,
    }
    """The threads of the host, and what each does."""
