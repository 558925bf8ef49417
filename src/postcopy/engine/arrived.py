"""What has arrived and is not yet a message: a buffer, reading numbers and names from it, and one error for good."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from postcopy.engine.errors import WireError
from postcopy.engine.messages import Message

Buffer: TypeAlias = bytes | bytearray | memoryview
M = TypeVar("M", bound=Message)
U32, U64 = struct.Struct(">I"), struct.Struct(">Q")


class Incomplete(Exception):
    """More bytes are needed."""


class Parser:
    """What both directions share: a buffer, a position, and one error for ever."""

    where = "stream"

    def __init__(self, room: int) -> None:
        self._room = room
        self._buffer = bytearray(room)
        self._at = 0
        self._end = 0
        self._begin = 0
        self._consumed = 0
        self._error: WireError | None = None

    @property
    def offset(self) -> int:
        """How many bytes have been read as messages."""
        return self._consumed + self._at

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their message."""
        return self._end - self._at

    def room(self) -> memoryview:
        """Where to put what arrives next; then call `filled`. All messages should have been fetched before.

        What has been given as a view of the buffer is lost by this.
        """
        if self._at:
            rest = self._end - self._at
            self._buffer[:rest] = self._buffer[self._at : self._end]
            self._consumed += self._at
            self._at, self._end = 0, rest
        if self._end == len(self._buffer):
            self._buffer = self._buffer + bytes(self._end)  # in place it cannot grow while there are views of it
        return memoryview(self._buffer)[self._end : self._end + self._room]

    def filled(self, size: int) -> None:
        """So many bytes have been put into the room."""
        self._end += size

    def feed(self, data: Buffer) -> None:
        """Take what has arrived: as `room` and `filled`, by copying."""
        at = 0
        while at < len(data):
            room = self.room()
            part = data[at : at + len(room)]
            room[: len(part)] = part
            self.filled(len(part))
            at += len(part)

    def close(self) -> None:
        """Nothing more will come.

        Raises:
            WireError: the end is within a message.
        """
        if self._error is None and self.buffered:
            self._begin = self._at
            self._error = self._wrong(f"ends within a message, after {self.buffered} bytes of it")
        if self._error is not None:
            raise self._error

    def _wrong(self, message: str) -> WireError:
        return WireError(message, self._consumed + self._begin, self.where)

    def _attempt(self, read: Callable[[], M]) -> M | None:
        if self._error is not None:
            raise self._error
        self._begin = begin = self._at
        try:
            return read()
        except Incomplete:
            self._at = begin
            return None
        except WireError as error:
            self._at = begin
            self._error = error
            raise

    def _check_length(self, what: str, found: int, size: int) -> None:
        if found != size:
            raise self._wrong(f"{what} has {found} bytes instead of {size}")

    def _need(self, size: int) -> int:
        """The position of the next bytes, which are consumed by this."""
        begin = self._at
        if self._end - begin < size:
            raise Incomplete
        self._at = begin + size
        return begin

    def _bytes(self, size: int) -> bytes:
        begin = self._need(size)
        return memoryview(self._buffer)[begin : begin + size].tobytes()

    def _u8(self) -> int:
        return self._buffer[self._need(1)]

    def _u32(self) -> int:
        value: int = U32.unpack_from(self._buffer, self._need(4))[0]
        return value

    def _u64(self) -> int:
        value: int = U64.unpack_from(self._buffer, self._need(8))[0]
        return value

    def _text(self, size: int, what: str) -> str:
        raw = self._bytes(size)
        if not raw or not raw.isascii() or not raw.decode("ascii").isprintable():
            raise self._wrong(f"{what} {raw[:32]!r} is no name")
        return raw.decode("ascii")
