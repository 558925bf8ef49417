"""The destination's threads around its core: main, listen and fault thread, as in the document."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, assert_never

import msgspec

from postcopy.engine.destination import (
    DestinationCore,
    DropPages,
    GiveUpGuest,
    LoadDevice,
    LoadPages,
    Main,
    Output,
    PlacePages,
    PrepareMemory,
    ReleaseMemory,
    Sensitise,
    StartGuest,
    State,
)
from postcopy.engine.errors import ConnectionLost, EngineError, GuestError, LocalProtocolError, also
from postcopy.engine.eventlog import EventLog
from postcopy.engine.log import Thread
from postcopy.engine.memory import MOST_PLACED, GuestProcess, destination_memory
from postcopy.engine.messages import Page, Pages, Pong, Reply, Request, Shut, StreamMessage
from postcopy.engine.parsing import StreamParser
from postcopy.engine.return_path import ReplyWriter
from postcopy.engine.transport import Connection


class DestinationReport(msgspec.Struct):
    """What came of it, as the destination knows it; times in seconds since 1970, 0 where it did not happen.

    Attributes:
        latencies: in seconds, from the reading of each fault to the placing of its page.
        processor: seconds that the listen thread has computed.
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
    counts: dict[str, int] = {}


class DestinationHost:
    """One migration into a guest process.

    Args:
        core: made by `DestinationCore` with this log, or by a test's variant of it.
    """

    def __init__(
        self, core: DestinationCore, guest: GuestProcess, connection: Connection, log: EventLog, timeout: float
    ) -> None:
        self.core, self._guest, self._connection, self._log, self._timeout = core, guest, connection, log, timeout
        self.report = DestinationReport()
        self.memory = destination_memory(guest)
        self._parser = StreamParser(guest.geometry.target_page)
        self._replies = ReplyWriter()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._reply_lock = threading.Lock()  # taken before the core's: replies go out in the order of their steps
        self._guest_died = False
        self._asked: dict[int, float] = {}
        self._requested: set[int] = set()
        self._threads = {  # the main thread is the caller's
            thread: threading.Thread(target=self._guarded, args=(thread,), name=thread, daemon=True)
            for thread in self.BODIES
            if thread is not Thread.MAIN
        }

    def run(self) -> DestinationReport:
        """Be the main thread, until the migration is over."""
        threading.Thread(target=self._watch, name="guest watch", daemon=True).start()
        self._guarded(Thread.MAIN)
        for thread in self._threads.values():
            if thread.ident is not None:
                thread.join()
        self._connection.finish()
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

    def _guarded(self, thread: Thread) -> None:
        try:
            self.BODIES[thread](self)
        except EngineError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            raise

    def _fail(self, why: str) -> None:
        with self._changed:
            if self.core.state < State.END:
                self.report.why = why = "the guest process is gone" if self._guest_died else why
            effects = self.core.lose(why)
            self._changed.notify_all()
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
                    now = time.perf_counter()
                    for page in [page for page in list(self._asked) if page in pages]:
                        self.report.latencies.append(now - self._asked.pop(page))
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
                    self._guest.ask("start")
                    self.report.guest_started = time.time()
                case ReleaseMemory():
                    if self._threads[Thread.FAULT].ident is not None:
                        self.memory.release()
                        self.memory.stop_faults()
                case GiveUpGuest():
                    self._guest.kill()
                case PrepareMemory():
                    pass  # shared memory is not locked, and has no huge pages unless the system is set so
                case Shut() | Pong() | Request():
                    raise TypeError(f"{output!r} is no effect: it is to be written in the order of its step")
                case _:
                    assert_never(output)

    # -- threads ------------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        while self.core.main == Main.STREAM:
            message = self._next_message()
            step = self._step if isinstance(message, Page | Pages) else self._step_with_reply
            step(partial(self.core.receive, message))
        if self.core.state == State.END:
            self._step_with_reply(self.core.shut)
            return
        if self.core.state == State.FAILED:
            self.report.why = "this host refuses postcopy"
            return
        self._step(self.core.listen)
        while True:
            with self._lock:
                effects = self.core.next_device()
            if not effects:
                break
            self._carry_out(effects)
        with self._lock:
            self.core.devices_loaded()
        self._step(self.core.run)

    def _listen(self) -> None:
        while not self.core.end_seen:
            message = self._next_message()
            with self._lock:
                effects = self.core.receive_listening(message)
            self._carry_out(
                effects
            )  # a vCPU that is woken by this, and faults again, does so after the step in the log
        self.report.processor = time.thread_time()
        with self._changed:
            if not self._changed.wait_for(lambda: self.core.state != State.LISTEN, self._timeout):
                raise GuestError(f"the devices have not been loaded within {self._timeout:g} s")
        self._step(self.core.end)
        self._step_with_reply(self.core.shut)

    def _next_message(self) -> StreamMessage:
        parser, end = self._parser, time.monotonic() + self._timeout
        while True:
            message = parser.next_pages(MOST_PLACED, self._guest.geometry.group)
            if message is not None:
                return message
            size = self._connection.receive(parser.room(), max(0.0, end - time.monotonic()))
            if size is None:
                sent = "only a part of a message" if parser.buffered else "nothing"
                raise ConnectionLost(f"the source has sent {sent} for {self._timeout:g} s")
            if not size:
                within = " within a message" if parser.buffered else ""
                raise ConnectionLost(f"the source closed the connection{within}")
            parser.filled(size)

    def _faults(self) -> None:
        group = self._guest.geometry.group
        while self.core.listening:
            for page, who in self.memory.faults(self._timeout):
                first = page // group * group
                self._asked.setdefault(first, time.perf_counter())
                self.report.requests += 1
                self.report.duplicate_requests += first in self._requested
                self._requested.add(first)
                try:
                    self._step_with_reply(partial(self.core.fault, page, who))
                except LocalProtocolError:
                    return  # given up meanwhile
                except ConnectionLost:
                    pass  # what is on its way may yet be all that is needed: the listen thread reads it to its end

    BODIES: ClassVar[dict[Thread, Callable[[DestinationHost], None]]] = {
        Thread.MAIN: _main,
        Thread.FAULT: _faults,
        Thread.LISTEN: _listen,
    }
    """The threads of the host, and what each does."""
