"""The connections of multifd, which carry pages of precopy beside the stream: bytes to messages and back.

The source says once which connection it is; then come packets. All have the same length before the pages themselves:
there is room for so many offsets of pages as `MULTIFD_BYTES` hold, whether they are used or not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias, assert_never

from postcopy.engine.arrived import Buffer, Parser
from postcopy.engine.messages import Message
from postcopy.engine.wire import MULTIFD_BYTES, MULTIFD_MAGIC, MULTIFD_VERSION

SYNC = 0x1
"""The flag of a packet with which the source waits until all connections are as far."""

_HELLO = struct.Struct(">II16sB39s")
_PACKET = struct.Struct(">IIIIIIQI28s256s")


class MultifdHello(Message, frozen=True):
    """Which connection this is.

    Attributes:
        uuid: the guest's own number, 16 bytes; zeros where it has none.
        channel: the number of the connection, from 0.
    """

    uuid: bytes
    channel: int


class MultifdPacket(Message, frozen=True):
    """Pages of one block; none where the packet only synchronises.

    Attributes:
        flags: `SYNC` or 0.
        allocated: for how many pages there is room, as QEMU 7.2 says it; 11.1 says 0 where there are none.
        size: how many bytes of contents follow; without pages it is what it was in an earlier packet.
        number: of the packet, over all connections.
        zeros: how many pages are of zeros (since QEMU 9; before, those are in the stream).
        block: the pages' block; may be empty where there are none.
        offsets: 8 bytes for each page for which there is room: first pages with contents, then those of zeros, then
            what an earlier packet has left there.
        data: the contents, one page after the other.
    """

    flags: int
    allocated: int
    size: int
    number: int
    zeros: int
    block: str
    offsets: bytes
    data: bytes

    def pages(self, page_size: int) -> tuple[list[int], list[int]]:
        """The offsets of the pages with contents, and of those of zeros, in bytes."""
        normal = len(self.data) // page_size
        found = [int.from_bytes(self.offsets[8 * n : 8 * n + 8]) for n in range(normal + self.zeros)]
        return found[:normal], found[normal:]


MultifdMessage: TypeAlias = MultifdHello | MultifdPacket


class MultifdParser(Parser):
    """Reads one of the connections of multifd.

    Args:
        page_size: bytes of a target page.
    """

    where = "multifd connection"

    def __init__(self, page_size: int) -> None:
        super().__init__(1 << 18)
        self.page_size = page_size
        self._room_for = MULTIFD_BYTES // page_size
        self._read = self._hello

    def next_message(self) -> MultifdMessage | None:
        """The next message, or None where more bytes are needed.

        Raises:
            WireError: what comes next is no message; from then on always.
        """
        return self._attempt(self._read)

    def __iter__(self) -> Iterator[MultifdMessage]:
        while (message := self.next_message()) is not None:
            yield message

    def _hello(self) -> MultifdMessage:
        magic, version, uuid, channel, unused = _HELLO.unpack_from(self._buffer, self._need(_HELLO.size))
        self._check_head(magic, version)
        if any(unused):
            raise self._wrong("bytes that no version uses are not zero")
        self._read = self._packet
        return MultifdHello(uuid, channel)

    def _packet(self) -> MultifdMessage:
        fields = _PACKET.unpack_from(self._buffer, self._need(_PACKET.size))
        magic, version, flags, allocated, normal, size, number, zeros, unused, block = fields
        self._check_head(magic, version)
        if flags & ~SYNC:
            raise self._wrong(f"flags 0x{flags:x}: compressed pages and states of devices are not supported")
        if any(unused):
            raise self._wrong("bytes that no version uses are not zero")
        if normal + zeros > self._room_for or allocated > self._room_for:
            raise self._wrong(f"{normal} and {zeros} pages in a packet that has room for {allocated or self._room_for}")
        if normal and size != normal * self.page_size:
            raise self._wrong(f"{normal} pages in {size} bytes, a page has {self.page_size}")
        name = self._block_of(block, needed=bool(normal + zeros))
        offsets = self._bytes(8 * self._room_for)
        data = self._bytes(normal * self.page_size)
        packet = MultifdPacket(flags, allocated, size, number, zeros, name, offsets, data)
        for offset in (offset for part in packet.pages(self.page_size) for offset in part):
            if offset % self.page_size:
                raise self._wrong(f"offset 0x{offset:x} of a page is no multiple of {self.page_size}")
        return packet

    def _block_of(self, field: bytes, *, needed: bool) -> str:
        name, _, rest = field.partition(b"\0")
        if any(rest) or not name.isascii() or not name.decode("ascii").isprintable() or (needed and not name):
            raise self._wrong(f"block {field[:32]!r} is no name")
        return name.decode("ascii")

    def _check_head(self, magic: int, version: int) -> None:
        if magic != MULTIFD_MAGIC:
            raise self._wrong(f"magic 0x{magic:08x} is not that of multifd, 0x{MULTIFD_MAGIC:08x}")
        if version != MULTIFD_VERSION:
            raise self._wrong(f"version {version} of multifd is not supported, only {MULTIFD_VERSION}")


def multifd_bytes(message: MultifdMessage, page_size: int) -> list[Buffer]:
    """The bytes of a message."""
    match message:
        case MultifdHello(uuid, channel):
            return [_HELLO.pack(MULTIFD_MAGIC, MULTIFD_VERSION, uuid, channel, b"")]
        case MultifdPacket(flags, allocated, size, number, zeros, block, offsets, data):
            normal = len(data) // page_size
            head = (MULTIFD_MAGIC, MULTIFD_VERSION, flags, allocated, normal, size, number, zeros)
            return [_PACKET.pack(*head, b"", block.encode("ascii")) + offsets, data]
        case _:
            assert_never(message)
