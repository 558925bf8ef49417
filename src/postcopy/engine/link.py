"""The engine's line to its guest process: a request, an answer, and descriptors where needed. MessagePack in frames."""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

import msgspec

from postcopy.engine.errors import GuestError

_HEAD = struct.Struct("=I")


class Link:
    """One end of the line."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, what: object, descriptors: list[int] | None = None) -> None:
        """Send anything that MessagePack knows, and descriptors with it."""
        data = msgspec.msgpack.encode(what)
        try:
            if descriptors:
                socket.send_fds(self._socket, [_HEAD.pack(len(data))], descriptors)
            else:
                self._socket.sendall(_HEAD.pack(len(data)))
            self._socket.sendall(data)
        except OSError as error:
            raise GuestError(f"the guest process is gone: {error.strerror}") from None

    def wait(self, timeout: float | None) -> bool:
        """Wait for the next thing; whether it has come, or the other end is gone, within the timeout in seconds."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(None if timeout is None else 1000 * timeout))

    def receive(self) -> tuple[Any, list[int]]:
        """The next thing, and what descriptors came with it.

        Raises:
            GuestError: the other end is gone, or silent for too long.
        """
        try:
            head, descriptors, _, _ = socket.recv_fds(self._socket, _HEAD.size, 8)
            head += self._exactly(_HEAD.size - len(head)) if head else b""
            if not head:
                raise GuestError("the guest process is gone")
            return msgspec.msgpack.decode(self._exactly(_HEAD.unpack(head)[0])), list(descriptors)
        except TimeoutError:
            raise GuestError("the guest process does not answer") from None
        except OSError as error:
            raise GuestError(f"the guest process is gone: {error.strerror}") from None

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self._socket.recv(size - len(data))
            if not chunk:
                raise GuestError("the guest process is gone")
            data += chunk
        return bytes(data)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
