"""The return path, from destination to source: bytes to replies and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from postcopy.engine.arrived import U64, Parser
from postcopy.engine.messages import Fixed, ReceivedBitmap, Reply, Request
from postcopy.engine.wire import (
    BITMAP_END,
    BITMAP_UNIT,
    FIXED_REPLIES,
    MAX_PACKAGE,
    REPLY,
    REQUEST,
    ReplyCode,
    named,
)


class ReplyParser(Parser):
    """Reads the return path from destination to source."""

    where = "return path"

    def __init__(self) -> None:
        super().__init__(1 << 12)
        self._block: str | None = None

    def next_message(self) -> Reply | None:
        """The next reply, or None where more bytes are needed.

        Raises:
            WireError: what comes next is no reply; from then on always.
        """
        return self._attempt(self._reply)

    def __iter__(self) -> Iterator[Reply]:
        while (reply := self.next_message()) is not None:
            yield reply

    def _reply(self) -> Reply:
        code, length = REPLY.unpack_from(self._buffer, self._need(REPLY.size))
        if code == ReplyCode.REQ_PAGES_ID:
            return self._request_with_block(length)
        if code == ReplyCode.RECV_BITMAP:
            return self._received_bitmap(length)
        if (kind := FIXED_REPLIES.get(code)) is not None:
            self._check_length(kind.qemu, length, kind.layout.size)
            return kind.read(self._buffer, self._need(length))
        if code != ReplyCode.REQ_PAGES:
            raise self._wrong(f"unknown reply {code}")
        self._check_length("REQ_PAGES", length, REQUEST.size)
        if self._block is None:
            raise self._wrong("the first request does not say which block it asks for")
        return Request(self._block, self._u64(), self._u32())

    def _request_with_block(self, length: int) -> Request:
        offset, size = self._u64(), self._u32()
        named = self._u8()
        if length != 13 + named:
            raise self._wrong(f"REQ_PAGES_ID has {length} bytes instead of {13 + named}")
        self._block = self._text(named, "block")
        return Request(self._block, offset, size)

    def _received_bitmap(self, length: int) -> ReceivedBitmap:
        """The stated length is that of the block's name: the bitmap follows it."""
        size = self._u8()
        self._check_length("RECV_BITMAP", length, 1 + size)
        block = self._text(size, "block")
        size = self._u64()
        if size > MAX_PACKAGE:
            raise self._wrong(f"the bitmap of {block} claims {size} bytes, more than {MAX_PACKAGE}")
        if size % BITMAP_UNIT:
            raise self._wrong(f"the bitmap of {block} has {size} bytes, no multiple of {BITMAP_UNIT}")
        bitmap = self._bytes(size)
        if (end := self._u64()) != BITMAP_END:
            raise self._wrong(f"the bitmap of {block} is followed by 0x{end:016x}, not by 0x{BITMAP_END:016x}")
        return ReceivedBitmap(block, bitmap)


class ReplyWriter:
    """Turns replies into bytes; a request in the block of the one before does not name it again."""

    def __init__(self) -> None:
        self._block: str | None = None

    def encode(self, reply: Reply) -> bytes:
        """The bytes of one reply. Not safe for several threads: the order of the bytes on the wire is that of calls."""
        match reply:
            case Fixed():
                return REPLY.pack(reply.code, reply.layout.size) + reply.written()
            case Request(block, offset, length):
                return self._request(block, REQUEST.pack(offset, length))
            case ReceivedBitmap(block, bitmap):
                name = named(block)
                head = REPLY.pack(ReplyCode.RECV_BITMAP, len(name)) + name + U64.pack(len(bitmap))
                return head + bitmap + U64.pack(BITMAP_END)
            case _:
                assert_never(reply)

    def _request(self, block: str, what: bytes) -> bytes:
        if block == self._block:
            return REPLY.pack(ReplyCode.REQ_PAGES, len(what)) + what
        self._block = block
        what += named(block)
        return REPLY.pack(ReplyCode.REQ_PAGES_ID, len(what)) + what
