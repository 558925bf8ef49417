"""Stands between source and destination, passes on what they send, and keeps it. It can hold bytes back, and cut."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from postcopy.recording.threads import Threads
from postcopy.recording.wire_files import Side, WireWriter

CHUNK = 1 << 16
"""The most bytes that are passed on at once."""
SLOW_CHUNK = 1 << 13
"""The same where a rate is kept."""


@dataclass
class _Direction:
    connection: int
    to: Side
    receive: socket.socket
    send: socket.socket
    open: threading.Event = field(default_factory=threading.Event)
    cut: bool = False


class Proxy:
    """Listens for the source at one address and connects to the destination at another.

    Args:
        address: where the source connects: a path for a unix socket.
        target: where the destination listens.
        writer: keeps what passes.
        rate: so many bytes per second at most go to the destination.
    """

    def __init__(self, address: Path, target: Path, writer: WireWriter, rate: int | None = None) -> None:
        self.address, self.target = address, target
        self._writer, self._rate = writer, rate
        self._directions: list[_Direction] = []
        self._sockets: list[socket.socket] = []
        self._threads = Threads()
        self._connections = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen(16)
        self._threads.start(self._accept)

    def _accept(self) -> None:
        while True:
            try:
                source, _ = self._listener.accept()
            except OSError:
                return
            destination = socket.socket(socket.AF_UNIX)
            if self._rate is not None:
                source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_CHUNK)
                destination.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SLOW_CHUNK)
            try:
                # before the next connection is accepted: QEMU 7.2 tells connections apart by their order
                destination.connect(str(self.target))
            except OSError:
                source.close()
                destination.close()
                continue
            number = self._connections
            self._connections += 1
            self._writer.opened(number)
            self._sockets += [source, destination]
            there = _Direction(number, "destination", source, destination)
            back = _Direction(number, "source", destination, source)
            for direction in (there, back):
                direction.open.set()
                self._directions.append(direction)
                self._threads.start(self._pass_on, direction)

    def _pass_on(self, direction: _Direction) -> None:
        size = CHUNK if self._rate is None or direction.to == "source" else SLOW_CHUNK
        lost = 0
        try:
            while data := direction.receive.recv(size):
                self._writer.passed(direction.connection, direction.to, data)
                direction.open.wait()
                if direction.cut or lost:
                    lost += len(data)  # what was under way at a cut: kept here, but not passed on
                    continue
                try:
                    self._send(direction, data)
                except OSError:  # that side is gone: the other one learns it as it would without a proxy
                    lost += len(data)
                    shut_down(direction.receive, socket.SHUT_RDWR)
                if size == SLOW_CHUNK and self._rate:
                    time.sleep(len(data) / self._rate)
        except OSError:
            pass
        self._writer.closed(direction.connection, direction.to, lost)
        shut_down(direction.send, socket.SHUT_WR)

    def _send(self, direction: _Direction, data: bytes) -> None:
        direction.send.sendall(data)

    def hold(self, to: Side) -> None:
        """From now on pass nothing more on to this side, after what is under way."""
        for direction in self._directions:
            if direction.to == to:
                direction.open.clear()

    def cut(self) -> None:
        """Break all connections; what is held is lost. The source can connect again."""
        directions, self._directions = self._directions, []
        for direction in directions:
            direction.cut = True
            for end in (direction.receive, direction.send):
                shut_down(end, socket.SHUT_RDWR)
            direction.open.set()

    def close(self) -> None:
        """Break all connections and accept none any more."""
        shut_down(self._listener, socket.SHUT_RDWR)
        self.cut()
        self._threads.join()
        for each in (self._listener, *self._sockets):
            each.close()
        self._writer.close()


def shut_down(end: socket.socket, how: int) -> None:
    """End one or both directions of a connection, if it is still there."""
    with suppress(OSError):
        end.shutdown(how)
