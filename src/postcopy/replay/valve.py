"""Stands between source and destination: passes on each message when it is let through, and shows each end when asked.

A connection has two ways. What a host sends is read at once, whatever the other one is allowed to see, and cut into
messages. So a host is never slower than without the valve, and what is sent is known before it arrives.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from postcopy.engine.errors import WireError
from postcopy.engine.messages import Message, Packaged
from postcopy.engine.parsing import StreamParser
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.wire import Begin
from postcopy.recording.proxy import CHUNK, shut_down
from postcopy.recording.threads import Threads
from postcopy.recording.wire_files import Side
from postcopy.replay.messages import OLD_LOADED, Kind, kind_of, loaded_in

T = TypeVar("T")
Role: TypeAlias = Literal["main", "preempt"]
"""Which of a migration's connections it is."""

PAGE_SIZE = 4096


class Way:
    """One direction of a connection: what has been sent, and how much of it may pass.

    Attributes:
        to: the side that reads.
        seen: the kinds of messages that were sent, None for those that the models leave out, each with the position
            of its end in bytes. Those that the models leave out pass with what stands before them.
        looked_at: how many of them a story has had as sent.
        unread: why the bytes can be cut into messages no further; empty where they can.
    """

    def __init__(self, to: Side, parser: StreamParser | ReplyParser) -> None:
        self.to = to
        self.seen: list[tuple[Kind | None, int]] = []
        self.looked_at = 0
        self.unread = ""
        self.parser = parser
        self.data = bytearray()
        self.limit = 0
        self.passed = 0
        self.shift = 0
        self.free: Kind | None = None
        self.lost = False
        self.all = False
        self.rest = False
        self.ended = False
        self.receiver: socket.socket | None = None

    def may_pass(self) -> int:
        """How many bytes of it may have passed by now."""
        return len(self.data) if self.all or self.rest else self.limit

    def take(self, data: bytes, loaded: Callable[[int | None], int]) -> None:
        """More has been sent.

        Args:
            loaded: stores and gives what the PONG behind the devices carries.
        """
        if self.lost:
            return
        self.data += data
        if self.unread:
            return
        try:
            self.parser.feed(data)
            while (message := self.parser.next_message()) is not None:
                self._note(message, loaded)
        except WireError as error:
            self.unread = str(error)

    def _note(self, message: Message, loaded: Callable[[int | None], int]) -> None:
        value = loaded(loaded_in(message) if isinstance(message, Packaged) else None)
        kind = kind_of(message, value)
        before = self.seen[-1][1] if self.seen else 0
        end = self.parser.offset + self.shift
        self.seen.append((kind, end))
        if before <= self.limit and (kind is None or kind is self.free):
            self.limit = end
        elif kind is not None:
            self.free = None


class Connection:
    """A connection that the source has opened.

    Attributes:
        role: which of the migration's it is.
        to_destination: what the source sends.
        to_source: what the destination sends.
        broken: it has failed, or a host has left it; a host that has not been shown that may not know.
    """

    def __init__(self, role: Role, source: socket.socket, ram_section: int | None) -> None:
        begin = Begin.PREEMPT if role == "preempt" else Begin.HEADER if ram_section is None else Begin.RESUMED
        self.role: Role = role
        self.stream = StreamParser(PAGE_SIZE, begin, opaque_devices=True, ram_section=ram_section)
        self.to_destination = Way("destination", self.stream)
        self.to_source = Way("source", ReplyParser())
        self.source: socket.socket = source
        self.to_source.receiver = source
        self.destination: socket.socket | None = None
        self.broken = False

    def way(self, to: Side) -> Way:
        """The direction to this side."""
        return self.to_destination if to == "destination" else self.to_source

    def end_at(self, side: Side) -> socket.socket | None:
        """The socket of this side."""
        return self.source if side == "source" else self.destination


class Valve:
    """Listens for the source, and connects to the destination when it is asked to.

    Args:
        address: where the source connects: a path for a unix socket.
        target: where the destination listens.

    Attributes:
        target: the same; may be changed.
        connections: all so far, in order.
    """

    def __init__(self, address: Path, target: Path) -> None:
        self.address, self.target = address, target
        self.connections: list[Connection] = []
        self._changed = threading.Condition()
        self._threads = Threads()
        self._sockets: list[socket.socket] = []
        self._loaded = OLD_LOADED
        self._section: int | None = None
        self._first = 0
        self._closed = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen(16)
        self._threads.start(self._accept)

    # -- what a story asks for ---------------------------------------------------------------------------------------

    def begin_anew(self) -> None:
        """The next connection is a main one: the migration is resumed."""
        with self._changed:
            self._first = len(self.connections)

    def connection(self, role: Role, side: Side, within: float) -> Connection | None:
        """The connection of this role that a side has at present, once it has one.

        The destination keeps an old one until it is given one that the source has opened anew.
        """
        return self._await(lambda: self._of(side, role), within)

    def waiting(self, role: Role, within: float) -> Connection | None:
        """The oldest connection of this role that the destination has not been given, once there is one."""

        def look() -> Connection | None:
            alike = [each for each in self.connections if each.role == role]
            given = max((n for n, each in enumerate(alike) if each.destination is not None), default=-1)
            return next(iter(alike[given + 1 :]), None)

        return self._await(look, within)

    def connect(self, connection: Connection) -> str:
        """Let the destination have this connection; why it cannot, empty where it can."""
        end = socket.socket(socket.AF_UNIX)
        try:
            end.connect(str(self.target))
        except OSError as error:
            end.close()
            return error.strerror or str(error)
        with self._changed:
            self._sockets.append(end)
            connection.destination = connection.to_destination.receiver = end
            self._threads.start(self._read, connection, end, connection.to_source)
            self._threads.start(self._write, connection.to_destination)
            self._changed.notify_all()
        return ""

    def sent(self, way: Way, kind: Kind, within: float) -> bool:
        """Whether a message of this kind is sent, after those that were asked for before."""

        def look() -> bool:
            for number in range(way.looked_at, len(way.seen)):
                if way.seen[number][0] is kind:
                    way.looked_at = number + 1
                    return True
            return False

        return bool(self._await(look, within))

    def let_through(self, way: Way, kind: Kind, within: float) -> bool:
        """Let all pass up to the next message of this kind, and those of the same kind behind it, also later ones."""

        def look() -> bool:
            ends = [end for end in way.seen if end[1] > way.limit]
            first = next((n for n, (found, _) in enumerate(ends) if found is kind), None)
            if first is None:
                return way.free is kind  # the one that is meant has been sent, and passed as it came
            way.free = kind
            way.rest = kind is Kind.END  # a description of the devices may follow, which is read as well
            for found, end in ends[first:]:
                if found not in (kind, None):
                    way.free = None
                    break
                way.limit = end
            self._changed.notify_all()
            return True

        return bool(self._await(look, within))

    def arrived(self, way: Way, within: float) -> bool:
        """Whether all that may pass has been taken by the side that reads it."""
        return bool(self._await(lambda: way.passed >= min(way.may_pass(), len(way.data)), within))

    def break_connections(self, *roles: Role) -> None:
        """From now on nothing that is sent counts as sent; no side is shown that."""
        with self._changed:
            for connection in self.connections[self._first :]:
                if connection.role in roles:
                    connection.broken = True
                    connection.to_destination.lost = connection.to_source.lost = True

    def lose(self, way: Way) -> None:
        """What is sent in this direction from now on is lost."""
        with self._changed:
            way.lost = True

    def lose_newest(self, way: Way) -> Kind | None:
        """Drop the last messages of one kind that have not passed, and all behind them; which kind it was."""
        with self._changed:
            newest = next((kind for kind, end in reversed(way.seen) if kind is not None and end > way.limit), None)
            while newest and way.seen and way.seen[-1][0] in (newest, None) and way.seen[-1][1] > way.limit:
                way.seen.pop()
            del way.data[max(way.limit, way.seen[-1][1] if way.seen else 0) :]
            return newest

    def send_instead(self, way: Way, kind: Kind, data: bytes) -> None:
        """Put a message on the way that no host has sent, behind those that may pass.

        Raises:
            ValueError: others wait there.
        """
        with self._changed:
            if any(end > way.limit for _, end in way.seen):
                raise ValueError("messages wait on the way")
            way.data[way.limit : way.limit] = data
            way.seen.append((kind, way.limit + len(data)))
            way.looked_at = len(way.seen)
            way.shift += len(data)

    def show_end(self, connection: Connection, side: Side, how: int = socket.SHUT_RDWR) -> None:
        """Let this side see that the connection is at its end, behind what may pass."""
        self.arrived(connection.way(side), 5)
        if (end := connection.end_at(side)) is not None:
            shut_down(end, how)

    def open(self) -> None:
        """Let everything pass from now on, ends included."""
        with self._changed:
            for connection in self.connections:
                if not connection.broken:
                    connection.to_destination.all = connection.to_source.all = True
            self._changed.notify_all()
        for connection in self.connections:
            if connection.broken:
                for side in ("source", "destination"):
                    self.show_end(connection, side)

    def close(self) -> None:
        """Break all connections and accept none any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        shut_down(self._listener, socket.SHUT_RDWR)
        for end in self._sockets:
            shut_down(end, socket.SHUT_RDWR)
        self._threads.join()
        for end in (self._listener, *self._sockets):
            end.close()

    # -- threads -----------------------------------------------------------------------------------------------------

    def _await(self, look: Callable[[], T | None], within: float) -> T | None:
        deadline = time.monotonic() + within
        with self._changed:
            while not (found := look()):
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    return None
                self._changed.wait(left)
            return found

    def _present(self, role: Role) -> Connection | None:
        return next((each for each in self.connections[self._first :] if each.role == role), None)

    def _of(self, side: Side, role: Role) -> Connection | None:
        if side == "destination":
            given = [each for each in self.connections if each.role == role and each.destination is not None]
            if given:
                return given[-1]
        return self._present(role)

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                role: Role = "main" if self._present("main") is None else "preempt"
                connection = Connection(role, end, self._section)
                self._sockets.append(end)
                self.connections.append(connection)
                self._threads.start(self._read, connection, end, connection.to_destination)
                self._threads.start(self._write, connection.to_source)
                self._changed.notify_all()

    def _read(self, connection: Connection, end: socket.socket, way: Way) -> None:
        with suppress(OSError):
            while data := end.recv(CHUNK):
                with self._changed:
                    way.take(data, self._loaded_is)
                    if way.to == "destination" and connection.role == "main":
                        self._section = connection.stream.ram_section
                    self._changed.notify_all()
        with self._changed:
            way.ended = connection.broken = True
            self._changed.notify_all()

    def _write(self, way: Way) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or way.passed < min(way.may_pass(), len(way.data)) or (way.all and way.ended)
                )
                receiver = way.receiver
                part = bytes(way.data[way.passed : way.may_pass()])
                over = self._closed or not part
            if receiver is None:
                return
            if over:
                shut_down(receiver, socket.SHUT_WR)
                return
            try:
                receiver.sendall(part)
            except OSError:
                return
            with self._changed:
                way.passed += len(part)
                self._changed.notify_all()

    def _loaded_is(self, value: int | None) -> int:
        if value is not None:
            self._loaded = value
        return self._loaded
