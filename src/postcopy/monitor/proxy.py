"""Passes on what two hosts send each other, and has it judged as it passes: one thread, and no copy of a page.

What is received is passed on and then judged, before anything else is received: so no answer to a message is judged
before it, and who receives it need not wait for the judge. Where an alarm is to cut the connections, it is held back
until it has been judged.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from postcopy.monitor.addresses import Address

LITTLE = 1 << 15
"""Less room than this is not filled: what is in it is judged first."""
TICK = 0.25
"""So many seconds pass at most between two calls of `Proxy.tick`."""


class Receiver(Protocol):
    """Takes the bytes of one direction of a connection."""

    def room(self) -> memoryview:
        """Where to put what arrives next."""

    def filled(self, size: int) -> None:
        """So many bytes have been put there."""


class Unread:
    """Bytes that nobody looks at: a bare pass-through."""

    def __init__(self, size: int = 1 << 18) -> None:
        self._room = memoryview(bytearray(size))

    def room(self) -> memoryview:
        """Where to put what arrives next."""
        return self._room

    def filled(self, size: int) -> None:
        """Nothing is done with them."""


@dataclass(eq=False)
class _Flow:
    """One direction of a connection.

    Attributes:
        left: what has been received and is not passed on yet.
        ended: nothing more is received.
        closed: nothing more is passed on.
    """

    receive: socket.socket
    send: socket.socket
    receiver: Receiver
    back: _Flow | None = None
    left: memoryview = field(default_factory=lambda: memoryview(b""))
    ended: bool = False
    closed: bool = False


class Proxy:
    """Listens at one address and connects to another for each connection that comes.

    Args:
        listen: where the source connects.
        target: where the destination listens.
        receivers: makes what looks at a new connection: for the way to the destination, and for the way back.
        judged: is called after what was received has been judged; whether to break all connections.
        hold: pass on only what has been judged, so that what makes `judged` break all connections does not pass.
        tick: is called several times a second.

    Attributes:
        passed: how many bytes have been passed on.
        connections: how many connections have been made.

    Raises:
        UsageError: it cannot listen there.
    """

    def __init__(
        self,
        listen: Address,
        target: Address,
        receivers: Callable[[int], tuple[Receiver, Receiver]],
        judged: Callable[[], bool] = lambda: False,
        tick: Callable[[], None] = lambda: None,
        *,
        hold: bool = False,
    ) -> None:
        self.target, self._receivers, self._judged, self._tick = target, receivers, judged, tick
        self._hold = hold
        self._listener = listen.listen()
        self._listener.setblocking(False)
        self.address = listen.listening_at(self._listener)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._flows: list[_Flow] = []
        self._watched: set[socket.socket] = set()
        self.passed = 0
        self.connections = 0
        self.cannot_connect = ""

    @property
    def open(self) -> int:
        """How many directions of connections are open."""
        return len(self._flows)

    def serve(self, over: Callable[[], bool]) -> None:
        """Pass on until it is over, which is asked several times a second, and when a connection has ended."""
        next_tick = time.monotonic() + TICK
        while True:
            open_before = len(self._flows)
            for key, _ in self._selector.select(max(0.0, next_tick - time.monotonic())):
                if key.data is None:
                    self._accept()
                else:
                    for flow in key.data:
                        self._move(flow)
            ticks = time.monotonic() >= next_tick
            if ticks:
                self._tick()
                next_tick = time.monotonic() + TICK
            if (ticks or len(self._flows) < open_before) and over():
                return

    def close(self) -> None:
        """Break all connections and listen no more."""
        self.break_all()
        self._selector.close()
        self._listener.close()
        self.address.forget()

    def break_all(self) -> None:
        """Break all connections. What was received and not passed on is lost."""
        for flow in list(self._flows):
            self._drop(flow)

    # -- connections ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            source, _ = self._listener.accept()
        except OSError:
            return
        try:
            # before the next connection is accepted: QEMU 7.2 tells connections apart by their order
            destination = self.target.connect()
        except OSError as error:
            self.cannot_connect = f"{self.target}: {error.strerror or error}"
            source.close()
            return
        there, back = self._receivers(self.connections)
        self.connections += 1
        for end in (source, destination):
            end.setblocking(False)
        if not self.target.path and source.family != socket.AF_UNIX:
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one, other = _Flow(source, destination, there), _Flow(destination, source, back)
        one.back, other.back = other, one
        self._flows += [one, other]
        self._watch(one)
        self._watch(other)

    def _watch(self, flow: _Flow) -> None:
        """Wait for what can be done next with the two sockets of a connection."""
        back = flow.back
        for end in (flow.receive, flow.send):
            wanted = 0
            its: list[_Flow] = []
            for each in (flow, back):
                if each is None or each.closed:
                    continue
                if each.receive is end and not each.ended and not each.left:
                    wanted |= selectors.EVENT_READ
                    its.append(each)
                if each.send is end and each.left:
                    wanted |= selectors.EVENT_WRITE
                    its.append(each)
            if wanted and end in self._watched:
                self._selector.modify(end, wanted, its)
            elif wanted:
                self._selector.register(end, wanted, its)
                self._watched.add(end)
            else:
                self._ignore(end)

    def _ignore(self, end: socket.socket) -> None:
        if end in self._watched:
            self._watched.remove(end)
            self._selector.unregister(end)

    def _move(self, flow: _Flow) -> None:
        if flow.closed:
            return
        waited = bool(flow.left)
        if not flow.left and not flow.ended:
            self._receive(flow)
        elif flow.left:
            self._send(flow)
        if flow.closed:
            return
        if flow.ended and not flow.left:
            self._end(flow)
        elif waited != bool(flow.left):
            self._watch(flow)

    def _receive(self, flow: _Flow) -> None:
        """Pass on what has arrived, and have all of it judged at once."""
        room, there = flow.receiver.room(), 0
        while not flow.left and not flow.closed and (not there or len(room) - there > LITTLE):
            size = self._arrived(flow, room[there:])
            if not size:
                break
            flow.left = room[there : there + size]
            there += size
            if self._hold:
                break
            self._send(flow)
        if not there:
            return
        flow.receiver.filled(there)
        if self._judged():
            self.break_all()
        elif self._hold:
            self._send(flow)

    def _arrived(self, flow: _Flow, room: memoryview) -> int:
        """How many bytes that have arrived have been put there: 0 where there are none now, or where it has ended."""
        try:
            size = flow.receive.recv_into(room)
        except BlockingIOError:
            return 0
        except OSError:
            size = 0
        flow.ended = not size
        return size

    def _send(self, flow: _Flow) -> None:
        """Pass on what can be passed on now."""
        try:
            size = flow.send.send(flow.left)
        except BlockingIOError:
            return
        except OSError:  # that side is gone: the other one learns it as it would without a proxy
            self._drop(flow)
            return
        self.passed += size
        flow.left = flow.left[size:]

    def _end(self, flow: _Flow) -> None:
        """One direction is over, and the other one may go on."""
        flow.closed = True
        with suppress(OSError):
            flow.send.shutdown(socket.SHUT_WR)
        if flow.back is not None and flow.back.closed:
            self._drop(flow)
        else:
            self._watch(flow)

    def _drop(self, flow: _Flow) -> None:
        """A connection is over, in both directions."""
        for each in (flow, flow.back):
            if each is not None and each in self._flows:
                each.closed = True
                self._flows.remove(each)
        for end in (flow.receive, flow.send):
            self._ignore(end)
            end.close()
