"""QEMU's migration stream, file version 3, and its return path: bytes to messages and back.

Both parsers are fed whatever arrives and give one message at a time, or neighbouring pages together. They hold at most
one unfinished message and what was fed last, believe no length before its bytes have come, and stop at the first error
for good. What a message means, and whether it may come now, is for the cores to say; here is only what can be read
without knowing the guest.

Numbers are big-endian. Facts from QEMU: savevm.c, ram.c, migration.c, and recordings (tests/engine/test_recorded.py).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from functools import cache
from typing import Any, assert_never, get_args

import numpy as np

from postcopy.bitmaps import RANGES_IN_A_COMMAND
from postcopy.engine.messages import (
    Block,
    Configuration,
    Device,
    Discard,
    Eof,
    Fixed,
    FixedCommand,
    FixedReply,
    Footer,
    Header,
    Packaged,
    Page,
    Pages,
    RamEnd,
    RamSize,
    Reply,
    Request,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
)
from postcopy.engine.parsing import U32, U64, Buffer, Incomplete, Parser

MAGIC = 0x5145564D
VERSION = 3
MAX_PACKAGE = 64 << 20
"""The largest package, device state or reply that is read, in bytes: a limit of ours, QEMU has none since 2.5."""
MAX_BLOCKS = 256
MAX_DISCARDS = RANGES_IN_A_COMMAND
ROOM = 1 << 18
"""Bytes for which a parser of the stream has room at a time."""


class Tag(IntEnum):
    """The first byte of what stands between sections (``QEMU_VM_...``)."""

    EOF = 0x00
    START = 0x01
    PART = 0x02
    END = 0x03
    FULL = 0x04
    CONFIGURATION = 0x07
    COMMAND = 0x08
    FOOTER = 0x7E


FIXED_COMMANDS: dict[int, type[FixedCommand]] = {kind.code: kind for kind in get_args(FixedCommand)}
FIXED_REPLIES: dict[int, type[FixedReply]] = {kind.code: kind for kind in get_args(FixedReply)}


class CommandCode(IntEnum):
    """``MIG_CMD_...``, of the commands of any length."""

    POSTCOPY_RAM_DISCARD = 6
    PACKAGED = 8


class Ram:
    """``RAM_SAVE_FLAG_...``, the low bits of a page's offset; plain numbers, because every page asks for them."""

    ZERO = 0x02
    MEM_SIZE = 0x04
    PAGE = 0x08
    EOS = 0x10
    CONTINUE = 0x20


class ReplyCode(IntEnum):
    """``MIG_RP_MSG_...``, of the requests for pages: with and without the name of the block."""

    REQ_PAGES_ID = 3
    REQ_PAGES = 4


RAM_NAME, RAM_VERSION = "ram", 4
FLAG_BITS = 0x3FF
"""What may stand below a page's offset: target pages have at least 1024 bytes."""

_U16 = struct.Struct(">H")
_COMMAND = struct.Struct(">BHH")
_SECTION = struct.Struct(">BI")
_REPLY = struct.Struct(">HH")
_RANGE = struct.Struct(">QQ")
_REQUEST = struct.Struct(">QI")
_ZERO_RECORD = np.dtype([("head", ">u8"), ("fill", "u1")])


@cache
def _page_record(page_size: int) -> np.dtype[Any]:
    return np.dtype([("head", ">u8"), ("data", "u1", (page_size,))])


class StreamParser(Parser):
    """Reads the stream from source to destination.

    Args:
        page_size: bytes of a target page: a power of two, at least 1024.
        package: the bytes are the inside of a package, not a stream with a header.
        opaque_devices: the states of devices do not begin with their own length (QEMU's do not): the end of each is
            found by its footer, which works in a package only.
    """

    def __init__(self, page_size: int, *, package: bool = False, opaque_devices: bool = False) -> None:
        super().__init__(ROOM)
        if page_size <= FLAG_BITS or page_size & (page_size - 1):
            raise ValueError(f"a target page has a power of two of bytes, at least 1024: {page_size}")
        self.page_size = page_size
        self._package = package
        self._opaque = opaque_devices
        self._ram_section: int | None = None
        self._in_section: int | None = None
        self._block: str | None = None
        self._read: Callable[[], StreamMessage] = self._top if package else self._header
        if package:
            self.where = "package"

    def next_message(self) -> StreamMessage | None:
        """The next message, or None where more bytes are needed.

        Raises:
            WireError: what comes next is no message; from then on always.
        """
        return self._attempt(self._read)

    def next_pages(self, most: int, group: int = 1) -> StreamMessage | None:
        """The same; but where pages follow that are neighbours and alike, these as one.

        Args:
            most: so many pages at most.
            group: target pages of a host page: several pages are whole host pages.
        """
        if self._read == self._ram_record and self._error is None:
            pages = self._neighbours(most, group)
            if pages is not None:
                return pages
        return self.next_message()

    def __iter__(self) -> Iterator[StreamMessage]:
        while (message := self.next_message()) is not None:
            yield message

    # -- the head of the stream, and what stands between sections ---------------------------------------------------

    def _header(self) -> Header:
        magic, version = self._u32(), self._u32()
        if magic != MAGIC:
            raise self._wrong(f"magic 0x{magic:08x} is not QEVM: this is no migration stream")
        if version != VERSION:
            raise self._wrong(f"file version {version} is not supported, only {VERSION}")
        self._read = self._top
        return Header()

    def _top(self) -> StreamMessage:
        tag = self._buffer[self._need(1)]
        if tag == Tag.COMMAND:
            return self._command()
        if tag == Tag.FULL:
            return self._device()
        if self._package:
            raise self._wrong(f"type 0x{tag:02x} does not belong into a package")
        if tag in (Tag.PART, Tag.END):
            section = self._u32()
            if section != self._ram_section:
                raise self._wrong(f"section {section} was never started")
            self._enter(section)
            return SectionPart(section) if tag == Tag.PART else SectionEnd(section)
        if tag == Tag.START:
            return self._start()
        if tag == Tag.EOF:
            self._read = self._over
            return Eof()
        if tag == Tag.CONFIGURATION:
            return Configuration(self._text(self._limited(self._u32(), 255, "the machine's name"), "machine"))
        raise self._wrong(f"unknown type 0x{tag:02x}")

    def _over(self) -> StreamMessage:
        self._need(1)
        raise self._wrong("bytes after the end of the stream")

    def _limited(self, value: int, most: int, what: str) -> int:
        if value > most:
            raise self._wrong(f"{what} claims {value} bytes, more than {most}")
        return value

    def _name(self, what: str) -> str:
        return self._text(self._u8(), what)

    # -- commands -------------------------------------------------------------------------------------------------

    def _command(self) -> StreamMessage:
        code: int = _U16.unpack_from(self._buffer, self._need(2))[0]
        length: int = _U16.unpack_from(self._buffer, self._need(2))[0]
        if (kind := FIXED_COMMANDS.get(code)) is not None:
            self._check_length(kind.qemu, length, kind.layout.size)
            return kind.read(self._buffer, self._need(length))
        if code == CommandCode.POSTCOPY_RAM_DISCARD:
            return self._discard(length)
        if code == CommandCode.PACKAGED:
            self._check_length("PACKAGED", length, U32.size)
            return self._packaged()
        raise self._wrong(f"unknown command {code}")

    def _packaged(self) -> Packaged:
        if self._package:
            raise self._wrong("a package in a package")
        return Packaged(self._bytes(self._limited(self._u32(), MAX_PACKAGE, "the package")))

    def _discard(self, length: int) -> Discard:
        end = self._at + length
        if end > self._end:
            raise Incomplete
        if length < 3:
            raise self._wrong(f"DISCARD of {length} bytes has no block")
        version = self._u8()
        if version != 0:
            raise self._wrong(f"DISCARD of version {version}, only 0 is known")
        size = self._u8()
        rest = length - 3 - size
        if rest < _RANGE.size or rest % _RANGE.size:
            raise self._wrong(f"DISCARD of {length} bytes does not hold whole ranges")
        block = self._text(size, "block")
        if self._u8() != 0:
            raise self._wrong("the block's name in DISCARD does not end with a zero byte")
        ranges = tuple(_RANGE.iter_unpack(memoryview(self._buffer)[self._at : end]))
        self._at = end
        return Discard(block, ranges)

    # -- sections -------------------------------------------------------------------------------------------------

    def _start(self) -> SectionStart:
        section, name, instance, version = self._section_head()
        if name != RAM_NAME:
            raise self._wrong(f"section {name} in parts: only {RAM_NAME} comes in parts")
        if version != RAM_VERSION:
            raise self._wrong(f"{RAM_NAME} of version {version}, only {RAM_VERSION} is known")
        if self._ram_section is not None:
            raise self._wrong(f"{RAM_NAME} is started a second time")
        self._ram_section = section
        self._enter(section)
        return SectionStart(section, name, instance, version)

    def _section_head(self) -> tuple[int, str, int, int]:
        return self._u32(), self._name("section"), self._u32(), self._u32()

    def _enter(self, section: int) -> None:
        self._in_section = section
        self._read = self._ram_record

    def _device(self) -> Device:
        section, name, instance, version = self._section_head()
        if self._opaque:
            data = self._until_footer(section)
        else:
            data = self._bytes(self._limited(self._u32(), MAX_PACKAGE, f"device {name}"))
        self._check_footer(section)
        return Device(section, name, instance, version, data)

    def _until_footer(self, section: int) -> bytes:
        """Nothing says how long a device's state is: it ends where a footer is followed by what may follow it."""
        if not self._package:
            raise self._wrong("the state of a device outside of a package does not tell where it ends")
        footer = _SECTION.pack(Tag.FOOTER, section)
        found = self._at
        while (found := self._buffer.find(footer, found, self._end)) >= 0:
            following = self._buffer[found + len(footer) : min(found + len(footer) + 1, self._end)]
            if not following or following[0] in (Tag.FULL, Tag.COMMAND):
                return self._bytes(found - self._at)
            found += 1
        raise Incomplete

    def _check_footer(self, section: int) -> None:
        tag, found = _SECTION.unpack_from(self._buffer, self._need(_SECTION.size))
        if tag != Tag.FOOTER:
            raise self._wrong(f"section {section} ends without its footer")
        if found != section:
            raise self._wrong(f"the footer of section {found} ends section {section}")

    def _footer(self) -> Footer:
        assert self._in_section is not None
        section = self._in_section
        self._check_footer(section)
        self._in_section = None
        self._read = self._top
        return Footer(section)

    # -- guest memory ---------------------------------------------------------------------------------------------

    def _ram_record(self) -> StreamMessage:
        head: int = U64.unpack_from(self._buffer, self._need(8))[0]
        flags = head & FLAG_BITS
        kind = flags & ~Ram.CONTINUE
        if kind == Ram.PAGE or kind == Ram.ZERO:  # noqa: PLR1714  (no tuple to be looked through for every page)
            return self._page(head - flags, flags)
        if flags == Ram.EOS and head == flags:
            self._read = self._footer
            return RamEnd()
        if flags == Ram.MEM_SIZE:
            return self._sizes(head - flags)
        raise self._wrong(f"memory record 0x{head:x} is of no kind that is supported")

    def _page(self, offset: int, flags: int) -> Page:
        if flags & Ram.CONTINUE:
            if self._block is None:
                raise self._wrong("the first page does not say which block it is in")
            block = self._block
        else:
            block = self._name("block")
        if offset & (self.page_size - 1):
            raise self._wrong(f"offset 0x{offset:x} of a page is no multiple of {self.page_size}")
        if flags & Ram.PAGE:
            data: bytes | None = self._bytes(self.page_size)
        else:
            fill = self._u8()
            if fill:
                raise self._wrong(f"a zero page is filled with 0x{fill:02x}")
            data = None
        self._block = block
        return Page(block, offset, data)

    def _neighbours(self, most: int, group: int) -> Pages | None:
        """Records that differ in their offsets only, page by page; None where there is at most one of them."""
        at, size = self._at, self.page_size
        if self._block is None or self._end - at < 8:
            return None
        head: int = U64.unpack_from(self._buffer, at)[0]
        flags = head & FLAG_BITS
        if flags not in (Ram.PAGE | Ram.CONTINUE, Ram.ZERO | Ram.CONTINUE) or (head - flags) % (group * size):
            return None
        zero = flags == Ram.ZERO | Ram.CONTINUE
        length = 9 if zero else 8 + size
        count = min(most, (self._end - at) // length, ((1 << 64) - head) // size)
        if count < 2:
            return None
        heads = np.ndarray(count, ">u8", self._buffer, at, length)
        alike = heads == np.arange(count, dtype=np.uint64) * size + head
        if zero:
            alike &= np.ndarray(count, np.uint8, self._buffer, at + 8, length) == 0
        unlike = alike.tobytes().find(b"\0")
        count = count if unlike < 0 else unlike
        count -= count % group
        if count < 2:
            return None
        self._begin = at
        self._at = at + count * length
        data = None if zero else np.ndarray((count, size), np.uint8, self._buffer, at + 8, (length, 1)).data
        return Pages(self._block, head - flags, count, size, data)

    def _sizes(self, total: int) -> RamSize:
        blocks: list[Block] = []
        seen = 0
        while seen < total:
            if len(blocks) == MAX_BLOCKS:
                raise self._wrong(f"more than {MAX_BLOCKS} blocks of memory")
            block = Block(self._name("block"), self._u64())
            if not block.length or block.length > total - seen:
                raise self._wrong(f"block {block.name} of {block.length} bytes, {total - seen} of the total are left")
            blocks.append(block)
            seen += block.length
        if not blocks:
            raise self._wrong("no block of memory")
        return RamSize(tuple(blocks))


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
        code, length = _REPLY.unpack_from(self._buffer, self._need(_REPLY.size))
        if code == ReplyCode.REQ_PAGES_ID:
            return self._request_with_block(length)
        if (kind := FIXED_REPLIES.get(code)) is not None:
            self._check_length(kind.qemu, length, kind.layout.size)
            return kind.read(self._buffer, self._need(length))
        if code != ReplyCode.REQ_PAGES:
            raise self._wrong(f"unknown reply {code}")
        self._check_length("REQ_PAGES", length, _REQUEST.size)
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


# -- messages to bytes ----------------------------------------------------------------------------------------------


def _named(name: str) -> bytes:
    raw = name.encode("ascii")
    if not 0 < len(raw) < 256 or not name.isprintable():
        raise ValueError(f"a name on the wire has 1 to 255 printable characters: {name!r}")
    return bytes([len(raw)]) + raw


def _command_bytes(code: int, payload: bytes = b"") -> bytes:
    return _COMMAND.pack(Tag.COMMAND, code, len(payload)) + payload


def _section_bytes(tag: Tag, section: int, name: str, instance: int, version: int) -> bytes:
    return _SECTION.pack(tag, section) + _named(name) + struct.pack(">II", instance, version)


class StreamWriter:
    """Turns messages into buffers for one vectored write; knows which block was named last.

    Args:
        opaque_devices: write the states of devices as they are, without their length (see `StreamParser`).
    """

    def __init__(self, *, opaque_devices: bool = False) -> None:
        self._block: str | None = None
        self._opaque = opaque_devices

    def encode(self, messages: Iterable[StreamMessage]) -> list[Buffer]:
        """The bytes of messages, in order; the contents of pages and packages are not copied."""
        buffers: list[Buffer] = []
        for message in messages:
            buffers += self._written(message)
        return buffers

    def page(self, block: str, offset: int, data: Buffer | None) -> tuple[Buffer, ...]:
        """One page's record, its contents as they are."""
        flags = Ram.ZERO if data is None else Ram.PAGE
        if block == self._block:
            head = U64.pack(offset | flags | Ram.CONTINUE)
        else:
            head = U64.pack(offset | flags) + _named(block)
            self._block = block
        return (head + b"\0",) if data is None else (head, data)

    def pages(self, pages: Pages) -> list[Buffer]:
        """The records of neighbouring pages, their contents copied into one buffer."""
        count, block, offset, size = pages.count, pages.block, pages.offset, pages.page_size
        rows = None if pages.data is None else np.asarray(memoryview(pages.data)).reshape(count, size)
        first: tuple[Buffer, ...] = ()
        if block != self._block:
            first = self.page(block, offset, None if rows is None else rows[0].tobytes())
        done = 1 if first else 0
        flags = (Ram.ZERO if rows is None else Ram.PAGE) | Ram.CONTINUE
        records = np.zeros(count - done, _ZERO_RECORD) if rows is None else np.empty(count - done, _page_record(size))
        records["head"] = np.arange(count - done, dtype=np.uint64) * size + (offset + done * size | flags)
        if rows is not None:
            records["data"] = rows[done:]
        return [*first, records.data.cast("B")]

    def _written(self, message: StreamMessage) -> Sequence[Buffer]:
        match message:
            case Page(block, offset, data):
                return self.page(block, offset, data)
            case Pages():
                return self.pages(message)
            case SectionPart(section):
                return [_SECTION.pack(Tag.PART, section)]
            case RamEnd():
                return [U64.pack(Ram.EOS)]
            case Footer(section):
                return [_SECTION.pack(Tag.FOOTER, section)]
            case Header():
                return [struct.pack(">II", MAGIC, VERSION)]
            case Configuration(machine):
                return [bytes([Tag.CONFIGURATION]), U32.pack(len(machine)), machine.encode("ascii")]
            case Fixed():
                return [_command_bytes(message.code, message.written())]
            case Discard(block, ranges):
                payload = b"\0" + _named(block) + b"\0" + b"".join(_RANGE.pack(*r) for r in ranges)
                return [_command_bytes(CommandCode.POSTCOPY_RAM_DISCARD, payload)]
            case Packaged(data):
                return [_command_bytes(CommandCode.PACKAGED, U32.pack(len(data))), data]
            case SectionStart(section, name, instance, version):
                return [_section_bytes(Tag.START, section, name, instance, version)]
            case SectionEnd(section):
                return [_SECTION.pack(Tag.END, section)]
            case Device(section, name, instance, version, data):
                head = _section_bytes(Tag.FULL, section, name, instance, version)
                length = b"" if self._opaque else U32.pack(len(data))
                return [head + length, data, _SECTION.pack(Tag.FOOTER, section)]
            case RamSize(blocks):
                total = sum(block.length for block in blocks)
                return [U64.pack(total | Ram.MEM_SIZE)] + [_named(b.name) + U64.pack(b.length) for b in blocks]
            case Eof():
                return [bytes([Tag.EOF])]
            case _:
                assert_never(message)


class ReplyWriter:
    """Turns replies into bytes; a request in the block of the one before does not name it again."""

    def __init__(self) -> None:
        self._block: str | None = None

    def encode(self, reply: Reply) -> bytes:
        """The bytes of one reply. Not safe for several threads: the order of the bytes on the wire is that of calls."""
        match reply:
            case Fixed():
                return _REPLY.pack(reply.code, reply.layout.size) + reply.written()
            case Request(block, offset, length):
                return self._request(block, _REQUEST.pack(offset, length))
            case _:
                assert_never(reply)

    def _request(self, block: str, what: bytes) -> bytes:
        if block == self._block:
            return _REPLY.pack(ReplyCode.REQ_PAGES, len(what)) + what
        self._block = block
        what += _named(block)
        return _REPLY.pack(ReplyCode.REQ_PAGES_ID, len(what)) + what


def read_package(data: bytes, page_size: int, *, opaque_devices: bool = False) -> list[StreamMessage]:
    """All messages in a package.

    Raises:
        WireError: the package cannot be read to its end.
    """
    parser = StreamParser(page_size, package=True, opaque_devices=opaque_devices)
    parser.feed(data)
    messages = list(parser)
    parser.close()
    return messages
