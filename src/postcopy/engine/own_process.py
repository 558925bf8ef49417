"""A process of a host's own, for work that would keep the host's threads from the interpreter: how the
two talk, and how it ends.

It decides nothing, and it ends with its host, however that ends. `starting` starts it.
"""

from __future__ import annotations

import pickle
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from postcopy.engine.errors import ConnectionLost

GRACE = 5.0
"""Seconds that an answer may take longer than what the process itself waits for."""
MOST_BYTES = 1 << 16
"""Of one frame."""
MOST_DESCRIPTORS = 8


class Gone(Exception):
    """The other end of the line is gone."""


class Line:
    """One end of the line between a host and its process: objects in frames, and descriptors with them. Both ends are
    the same program, and nobody else has the line: so objects are pickled."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.descriptor = sock.fileno()

    def send(self, what: object, descriptors: Sequence[int] = ()) -> None:
        """Send an object.

        Raises:
            Gone: the other end is gone.
            ValueError: it is too large.
        """
        data = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        if len(data) > MOST_BYTES:
            raise ValueError(f"a frame of {len(data)} bytes, more than {MOST_BYTES}")
        try:
            if descriptors:
                socket.send_fds(self._socket, [data], list(descriptors))
            else:
                self._socket.send(data)
        except OSError:
            raise Gone from None

    def receive(self, timeout: float | None) -> tuple[Any, list[int]] | None:
        """The next object, and descriptors; None after the timeout, in seconds.

        Raises:
            Gone: the other end is gone.
        """
        if not self.ready(timeout):
            return None
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, MOST_BYTES, MOST_DESCRIPTORS)
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        return pickle.loads(data), list(descriptors)

    def ready(self, timeout: float | None, *more: int) -> list[int]:
        """The descriptors that can be read, of this line and of others, as soon as there is one."""
        poll = select.poll()
        for fd in (self.descriptor, *more):
            poll.register(fd, select.POLLIN)
        return [fd for fd, _ in poll.poll(None if timeout is None else 1000 * timeout)]

    def drain(self) -> None:
        """Return when the other end has hung up. Closing with something unread would destroy what it has not read."""
        with suppress(Gone):
            while True:
                self.receive(None)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class OwnProcess:
    """The host's end.

    Args:
        what: it does, for messages: ``sends pages``.
        sock: the host's end of the line.
    """

    def __init__(self, what: str, sock: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._what, self._line, self._process = what, Line(sock), process

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def send(self, what: object, descriptors: Sequence[int] = ()) -> None:
        """Send an object.

        Raises:
            ConnectionLost: the process is gone.
        """
        try:
            self._line.send(what, descriptors)
        except Gone:
            raise self.gone() from None

    def receive(self, timeout: float) -> Any:
        """The next object.

        Args:
            timeout: seconds that the process itself may wait.

        Raises:
            ConnectionLost: the process is gone, or has not answered for longer.
        """
        try:
            found = self._line.receive(timeout + GRACE)
        except Gone:
            raise self.gone() from None
        if found is None:
            raise ConnectionLost(f"the process that {self._what} has not answered for {timeout + GRACE:g} s")
        return found[0]

    def gone(self) -> ConnectionLost:
        """The error that says so."""
        return ConnectionLost(f"the process that {self._what} is gone")

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._line.close()


Start: TypeAlias = Callable[[str], OwnProcess]
"""Starts the process that does this."""


class OnePerConnection:
    """What works on a connection and has a process of its own for each, started early: that takes a moment. One thread
    at a time.

    Args:
        what: the processes do, for messages.
    """

    def __init__(self, what: str, start: Start) -> None:
        self._what, self._start = what, start
        self._process: OwnProcess | None = start(what)
        self._begun = False

    def prepare(self) -> None:
        """Start the process for the next connection."""
        self.close()
        self._process, self._begun = self._start(self._what), False

    def _begin(self) -> OwnProcess:
        """The process for a connection that begins now."""
        if self._begun or self._process is None:
            self.prepare()
        assert self._process is not None
        self._begun = True
        return self._process

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
        self._process = None
