"""Addresses as QEMU writes them: ``tcp:HOST:PORT``, ``unix:PATH``; and without a word before it, ``HOST:PORT``."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from postcopy.errors import UsageError

SECONDS = 10.0
"""So long a connection may take to be made."""
WAITING = 64


class Address(NamedTuple):
    """Where to listen, or to connect.

    Attributes:
        host: the host; empty for a unix socket.
        port: the port; 0 for any that is free, and for a unix socket.
        path: the path of a unix socket; empty for TCP.
    """

    host: str
    port: int
    path: str

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"tcp:[{self.host}]:{self.port}" if ":" in self.host else f"tcp:{self.host}:{self.port}"

    def listen(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            UsageError: that is not possible.
        """
        try:
            if self.path:
                return _unix(lambda made: made.bind(self.path), lambda made: made.listen(WAITING))
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            return socket.create_server((self.host, self.port), family=family, backlog=WAITING)
        except OSError as error:
            raise UsageError(f"cannot listen at {self}: {error.strerror or error}") from None

    def connect(self) -> socket.socket:
        """A connection to there, which blocks.

        Raises:
            OSError: there is none.
        """
        if not self.path:
            made = socket.create_connection((self.host, self.port), SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        return _unix(lambda made: made.settimeout(SECONDS), lambda made: made.connect(self.path))

    def listening_at(self, listener: socket.socket) -> Address:
        """The same, with the port that was found."""
        return self if self.path else self._replace(port=listener.getsockname()[1])

    def forget(self) -> None:
        """Take away the file of a unix socket that was listened at."""
        if self.path:
            with suppress(OSError):
                Path(self.path).unlink()


def _unix(*steps: Callable[[socket.socket], None]) -> socket.socket:
    """A unix socket after some steps; closed where one of them fails."""
    made = socket.socket(socket.AF_UNIX)
    try:
        for step in steps:
            step(made)
    except OSError:
        made.close()
        raise
    return made


def address(text: str) -> Address:
    """The address that a text means.

    Raises:
        UsageError: it means none.
    """
    if text.startswith("unix:") or text.startswith(("/", "./")):
        return Address("", 0, text.removeprefix("unix:"))
    host, colon, port = text.removeprefix("tcp:").rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise UsageError(f"{text} is no address: write tcp:HOST:PORT or unix:PATH")
    return Address(host.strip("[]") or "0.0.0.0", int(port), "")
