"""Both hosts of a real migration in one process, with a meddler between them where a test wants one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from postcopy.engine.destination import DestinationCore
from postcopy.engine.eventlog import Line
from postcopy.engine.memory import GuestOptions, GuestProcess
from postcopy.engine.messages import Message, Page
from postcopy.engine.parsing import StreamParser
from postcopy.engine.run import DestinationResult, Network, SourceResult, run_destination, run_source
from postcopy.engine.source import SourceCore
from postcopy.engine.source_host import SourceHost, SourceOptions

PONG_BYTES = 8
BUFFER = 1 << 16
PATIENCE = 20.0
"""Seconds in which both hosts have started their guests, whatever else the machine does."""

SMALL = GuestOptions(size=1 << 20, rate=5000)
SOFTWARE = GuestOptions(size=1 << 20, rate=5000, memory="software")


class Meddler:
    """Stands between the hosts and forwards what passes, until `end` says of a message of the stream: so far.

    Args:
        end: is shown each message and how many there were; True cuts after it.
        how: ``cut`` closes both sides, ``stall`` forwards nothing any more, ``hold`` waits until a page is asked for.
        chunk: forward at most so many bytes at once.
    """

    def __init__(self, end: Callable[[Message, int], bool], how: str = "cut", chunk: int = 1 << 16) -> None:
        self._end, self._how, self._chunk = end, how, chunk
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # nobody shall get far ahead
        self.port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self.cut_after: Message | None = None
        self._stalled = threading.Event()
        self._replied = 0
        self._threads: list[threading.Thread] = []
        self.requested = threading.Event()

    def stand_before(self, port: int) -> None:
        """Forward to this port from now on."""
        self._begin(self._stream, port)

    def _begin(self, body: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=body, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _stream(self, port: int) -> None:
        source, _ = self._server.accept()
        destination = socket.create_connection(("127.0.0.1", port))
        destination.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._sockets = [source, destination]
        self._begin(self._replies, source, destination)
        parser, count, done = StreamParser(4096), 0, 0
        try:
            while data := source.recv(self._chunk):
                parser.feed(data)
                for message in parser:
                    count += 1
                    if self._end(message, count):
                        self.cut_after = message
                        destination.sendall(data[: parser.offset - done])
                        if self._how != "hold":
                            self._stop()
                            return
                        assert self.requested.wait(20)
                        data, done = data[parser.offset - done :], parser.offset
                done += len(data)
                destination.sendall(data)
        except OSError:
            pass
        self.close()

    def _replies(self, source: socket.socket, destination: socket.socket) -> None:
        try:
            while (data := destination.recv(1 << 16)) and not self._stalled.is_set():
                self._replied += len(data)
                if self._replied > PONG_BYTES:
                    self.requested.set()
                source.sendall(data)
        except OSError:
            pass
        if not self._stalled.is_set():
            self.close()

    def _stop(self) -> None:
        if self._how == "stall":
            self._stalled.set()
        else:
            self.close()

    def close(self) -> None:
        """Close both sides."""
        for s in self._sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def leave(self) -> None:
        """Close both sides and be gone."""
        self.close()
        for thread in self._threads:
            thread.join(10)
        for s in [*self._sockets, self._server]:
            s.close()


def migrate(
    guest: GuestOptions = SMALL,
    *,
    switch: str = "first-pass",
    timeout: float = 10.0,
    meddler: Meddler | None = None,
    make_source: Callable[..., SourceCore] = SourceCore,
    make_destination: Callable[..., DestinationCore] = DestinationCore,
    look: Callable[[SourceHost], None] = lambda _: None,
    tls: tuple[Path | None, Path | None] = (None, None),
    settle: float = 0.1,
    recover: float = 0.0,
    break_after: tuple[int, ...] = (),
    preempt: bool = False,
) -> tuple[SourceResult, DestinationResult]:
    """A whole migration; tls holds the directories of source and destination."""
    ready = threading.Event()
    at: list[int] = []
    results: list[DestinationResult] = []

    def announce(_: str, port: int) -> None:
        at.append(port)
        ready.set()

    def destination() -> None:
        network = Network(timeout=timeout, patience=PATIENCE, tls=tls[1], recover=recover, preempt=preempt)
        try:
            results.append(
                run_destination(
                    guest, network, keep_log=True, settle=settle, announce=announce, make_core=make_destination
                )
            )
        finally:
            ready.set()

    thread = threading.Thread(target=destination, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    port = at[0]
    if meddler:
        meddler.stand_before(port)
        port = meddler.port
    network = Network(port=port, timeout=timeout, tls=tls[0])
    options = SourceOptions(switch=switch, timeout=timeout, recover=recover, break_after=break_after, preempt=preempt)
    source = run_source(guest, options, network, keep_log=True, make_core=make_source, look=look)
    thread.join(30)
    if meddler:
        meddler.leave()
    assert results, "the destination did not come to its end"
    return source, results[0]


def lines(source: SourceResult, destination: DestinationResult) -> list[Line]:
    """The log of both, by time."""
    return sorted([*source.lines, *destination.lines], key=lambda line: line.t)


def process_of(host: SourceHost) -> GuestProcess:
    """The guest of a source."""
    guest = host._guest
    assert isinstance(guest, GuestProcess)
    return guest


def nowhere_else(source: SourceResult, destination: DestinationResult) -> list[str]:
    """Where the guest runs: at most one place, ever."""
    return [
        name
        for name, runs in (
            ("source", source.report.guest_runs_here),
            ("destination", destination.report.guest_runs_here),
        )
        if runs
    ]


def first(kind: type[Message]) -> Callable[[Message, int], bool]:
    return lambda message, _: isinstance(message, kind)


def pages_after(kind: type[Message], count: int) -> Callable[[Message, int], bool]:
    seen = {"kind": False, "pages": 0}

    def end(message: Message, _: int) -> bool:
        seen["kind"] = bool(seen["kind"] or isinstance(message, kind))
        seen["pages"] += seen["kind"] and isinstance(message, Page)
        return bool(seen["pages"] >= count)

    return end
