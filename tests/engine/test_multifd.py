"""The connections of multifd: round trips however the bytes are cut, and errors that say what and where."""

from __future__ import annotations

import struct

import pytest

from postcopy.engine.errors import WireError
from postcopy.engine.multifd import MultifdHello, MultifdPacket, MultifdParser, multifd_bytes

PAGE = 4096
ROOM = 128
HELLO = MultifdHello(bytes(range(16)), 3)
OFFSETS = struct.pack(f">{ROOM}Q", *(n * PAGE for n in range(ROOM)))
PACKET = MultifdPacket(1, ROOM, 2 * PAGE, 7, 1, "pc.ram", OFFSETS, b"x" * PAGE + b"y" * PAGE)
SYNC = MultifdPacket(1, 0, 0, 8, 0, "", bytes(8 * ROOM), b"")


def written(*messages: MultifdHello | MultifdPacket) -> bytes:
    return b"".join(b"".join(multifd_bytes(message, PAGE)) for message in messages)


def read(data: bytes) -> list[MultifdHello | MultifdPacket]:
    parser = MultifdParser(PAGE)
    parser.feed(data)
    messages = list(parser)
    parser.close()
    return messages


@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
def test_it_is_read_as_it_was_written_however_it_is_cut(step: int) -> None:
    messages: list[MultifdHello | MultifdPacket] = [HELLO, SYNC, PACKET, SYNC]
    data = written(*messages)
    parser = MultifdParser(PAGE)
    found: list[MultifdHello | MultifdPacket] = []
    for begin in range(0, len(data), step):
        parser.feed(data[begin : begin + step])
        found += parser
    parser.close()
    assert found == messages


def test_pages_with_contents_come_before_those_of_zeros() -> None:
    assert PACKET.pages(PAGE) == ([0, PAGE], [2 * PAGE])
    assert SYNC.pages(PAGE) == ([], [])


def changed(at: int, value: bytes) -> bytes:
    """A packet with other bytes there, after the hello."""
    data = bytearray(written(HELLO, PACKET))
    data[64 + at : 64 + at + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (bytes(64), 0, "magic 0x00000000 is not that of multifd, 0x11223344"),
        (struct.pack(">II56x", 0x11223344, 2), 0, "version 2 of multifd is not supported, only 1"),
        (written(HELLO)[:-1] + b"\x01", 0, "bytes that no version uses are not zero"),
        (changed(0, b"\0"), 64, "magic 0x00223344 is not that of multifd"),
        (changed(8, b"\0\0\0\x04"), 64, "flags 0x4: compressed pages and states of devices are not supported"),
        (changed(12, b"\0\0\0\x81"), 64, "2 and 1 pages in a packet that has room for 129"),
        (changed(16, b"\0\0\0\x80"), 64, "128 and 1 pages in a packet that has room for 128"),
        (changed(20, b"\0\0\0\x80"), 64, "2 pages in 128 bytes, a page has 4096"),
        (changed(40, b"\x01"), 64, "bytes that no version uses are not zero"),
        (changed(64, bytes(6)), 64, r"block b'\x00"),
        (changed(64, b"a\0b"), 64, "is no name"),
        (changed(320, b"\0\0\0\0\0\0\0\x01"), 64, "offset 0x1 of a page is no multiple of 4096"),
        (written(HELLO, PACKET)[:-1], 64, "ends within a message"),
    ],
)
def test_what_is_wrong_and_where(data: bytes, offset: int, what: str) -> None:
    with pytest.raises(WireError) as error:
        read(data)
    assert error.value.offset == offset
    assert what in str(error.value)
    assert str(error.value).startswith("multifd connection offset")
