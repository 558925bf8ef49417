"""The stream from source to destination: bytes to messages.

The parser is fed whatever arrives and gives one message at a time, or neighbouring pages together. It holds at most
one unfinished message and what was fed last, believes no length before its bytes have come, and stops at the first
error for good. What a message means, and whether it may come now, is for the cores to say; here is only what can be
read without knowing the guest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from postcopy.engine.arrived import U32, U64, Incomplete, Parser
from postcopy.engine.messages import (
    AskBitmap,
    Block,
    Capabilities,
    Configuration,
    Description,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    MultifdFlush,
    Packaged,
    Page,
    Pages,
    RamEnd,
    RamSize,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.page_vectors import Heads, Slots
from postcopy.engine.wire import (
    CAPABILITIES,
    FIXED_COMMANDS,
    FLAG_BITS,
    IGNORE_SHARED,
    MAGIC,
    MAX_BLOCKS,
    MAX_CAPABILITIES,
    MAX_PACKAGE,
    MULTIFD_MAGIC,
    RAM_NAME,
    RAM_VERSION,
    RANGE,
    SECTION,
    TARGET_PAGE_BITS,
    U16,
    UUID,
    UUID_SIZE,
    VERSION,
    Begin,
    CommandCode,
    Ram,
    Tag,
)

ROOM = 1 << 18
"""Bytes for which a parser of the stream has room at a time."""
BRACE = ord("{")
"""With what the description of the devices begins, which is JSON."""
MOST_ALIKE = 1024
"""Pages that are given as one."""
SLOTS = 256
"""Records of pages for which it has room at a time."""
_PAGE, _ZERO = Ram.PAGE | Ram.CONTINUE, Ram.ZERO | Ram.CONTINUE


@cache
def _offsets(page_size: int) -> Heads:
    """Of neighbouring pages, from 0 on."""
    return np.arange(MOST_ALIKE, dtype=np.uint64) * page_size


class StreamParser(Parser):
    """Reads the stream from source to destination.

    Args:
        page_size: bytes of a target page: a power of two, at least 1024.
        begin: with what the bytes begin.
        opaque_devices: the states of devices do not begin with their own length (QEMU's do not): the end of each is
            found by its footer, and by what follows that.
        ram_section: the number of the section of memory, where it was started on an earlier connection.
        room: so many bytes can be put into it at a time.
    """

    def __init__(
        self,
        page_size: int,
        begin: Begin = Begin.HEADER,
        *,
        opaque_devices: bool = False,
        ram_section: int | None = None,
        room: int = ROOM,
    ) -> None:
        super().__init__(room)
        if page_size <= FLAG_BITS or page_size & (page_size - 1):
            raise ValueError(f"a target page has a power of two of bytes, at least 1024: {page_size}")
        self.page_size = page_size
        self._package = begin is Begin.PACKAGE
        self._opaque = opaque_devices
        self._ram_section = ram_section
        self._in_section: int | None = None
        self._block: str | None = None
        self._in_configuration = False
        self._parts_of_configuration: set[str] = set()
        self._with_addresses = False
        self._slots: Slots | None = None
        self._pages_follow = False  # most likely: what was read last were several
        self._read: Callable[[], StreamMessage] = self._top
        if begin is Begin.HEADER:
            self._read = self._header
        elif begin is Begin.PREEMPT:
            self._read = self._ram_record
        if self._package:
            self.where = "package"

    def __getstate__(self) -> dict[str, Any]:
        """For the process that reads on: addresses of this one mean nothing there."""
        self._leave_slots()
        return self.__dict__ | {"_slots": None}

    @property
    def ram_section(self) -> int | None:
        """The number of the section of memory, once it was started: for the connection after this one."""
        return self._ram_section

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their message."""
        return super().buffered + (self._slots.pending if self._slots else 0)

    def room(self) -> memoryview:
        """See `Parser.room`."""
        self._leave_slots()
        return super().room()

    def slots(self) -> Slots | None:
        """Where to put what arrives next, instead of the `room`, if that are pages, as far as one can know.

        All messages should have been fetched before. What comes to be in the slots counts as fed.
        """
        begun = super().buffered
        if not self._pages_follow or self._read != self._ram_record or begun >= 8 + self.page_size:
            return None
        if self._slots is None:
            self._slots = Slots(SLOTS, self.page_size)
        if not self._slots.pending:
            self._slots.put(self._buffer[self._at : self._end])
            self._consumed += self._at
            self._at = self._end = 0
        return self._slots

    def _leave_slots(self) -> None:
        """What is in the slots is to be read as a stream of bytes."""
        self._pages_follow = False
        if self._slots and self._slots.pending:
            self.feed(self._slots.take_all())

    def next_message(self) -> StreamMessage | None:
        """The next message, or None where more bytes are needed.

        Raises:
            WireError: what comes next is no message; from then on always.
        """
        self._leave_slots()
        return self._attempt(self._read)

    def next_pages(self, most: int, group: int = 1) -> StreamMessage | None:
        """The same; but where pages follow that are neighbours and alike, these as one.

        Args:
            most: so many pages at most.
            group: target pages of a host page: several pages are whole host pages.
        """
        if self._slots and self._slots.pending:
            heads = self._slots.heads
            pages = self._from_slots(self._slots, heads, most, group) if len(heads) else None
            if pages is not None or not len(heads) or (not self._slots.whole and int(heads[0]) & FLAG_BITS == _PAGE):
                return pages
            self._leave_slots()
        if self._read == self._ram_record and self._error is None:
            pages = self._neighbours(most, group)
            if pages is not None:
                self._pages_follow = pages.data is not None
                return pages
        return self._attempt(self._read)

    def __iter__(self) -> Iterator[StreamMessage]:
        while (message := self.next_message()) is not None:
            yield message

    # -- the head of the stream, and what stands between sections ---------------------------------------------------

    def _header(self) -> Header:
        magic, version = self._u32(), self._u32()
        if magic == MULTIFD_MAGIC:
            raise self._wrong("this is a connection of multifd: switch the capability multifd off at the source")
        if magic != MAGIC:
            raise self._wrong(f"magic 0x{magic:08x} is not QEVM: this is no migration stream")
        if version != VERSION:
            raise self._wrong(f"file version {version} is not supported, only {VERSION}")
        self._read = self._top
        return Header()

    def _top(self) -> StreamMessage:
        tag = self._buffer[self._need(1)]
        if tag == Tag.SUBSECTION and self._in_configuration:
            return self._configuration_part()
        self._in_configuration = False
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
            self._read = self._after_the_end
            return Eof()
        if tag == Tag.CONFIGURATION:
            machine = self._text(self._limited(self._u32(), 255, "the machine's name"), "machine")
            self._in_configuration = True
            return Configuration(machine)
        raise self._wrong(f"unknown type 0x{tag:02x}")

    def _configuration_part(self) -> TargetPageBits | Capabilities | Uuid:
        name = self._name("part of the configuration")
        if (version := self._u32()) != 1:
            raise self._wrong(f"{name} of version {version}, only 1 is known")
        if name in self._parts_of_configuration:
            raise self._wrong(f"{name} comes a second time")
        part: TargetPageBits | Capabilities | Uuid
        if name == TARGET_PAGE_BITS:
            part = TargetPageBits(self._u32())
        elif name == UUID:
            part = Uuid(self._bytes(UUID_SIZE))
        elif name == CAPABILITIES:
            part = self._capabilities()
        else:
            raise self._wrong(f"unknown part {name} of the configuration")
        self._parts_of_configuration.add(name)
        return part

    def _capabilities(self) -> Capabilities:
        if (count := self._u32()) > MAX_CAPABILITIES:
            raise self._wrong(f"{count} capabilities, more than {MAX_CAPABILITIES}")
        names = tuple(self._name("capability") for _ in range(count))
        self._with_addresses = IGNORE_SHARED in names
        return Capabilities(names)

    def _after_the_end(self) -> Description:
        if self._buffer[self._need(1)] != Tag.DESCRIPTION:
            raise self._wrong("bytes after the end of the stream")
        data = self._bytes(self._limited(self._u32(), MAX_PACKAGE, "the description of devices"))
        self._read = self._over
        return Description(data)

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
        code: int = U16.unpack_from(self._buffer, self._need(2))[0]
        length: int = U16.unpack_from(self._buffer, self._need(2))[0]
        if (kind := FIXED_COMMANDS.get(code)) is not None:
            self._check_length(kind.qemu, length, kind.layout.size)
            return kind.read(self._buffer, self._need(length))
        if code == CommandCode.POSTCOPY_RAM_DISCARD:
            return self._discard(length)
        if code == CommandCode.RECV_BITMAP:
            size = self._u8()
            self._check_length("RECV_BITMAP", length, 1 + size)
            return AskBitmap(self._text(size, "block"))
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
        if rest < RANGE.size or rest % RANGE.size:
            raise self._wrong(f"DISCARD of {length} bytes does not hold whole ranges")
        block = self._text(size, "block")
        if self._u8() != 0:
            raise self._wrong("the block's name in DISCARD does not end with a zero byte")
        ranges = tuple(RANGE.iter_unpack(memoryview(self._buffer)[self._at : end]))
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
        """Nothing says how long a device's state is: it ends where its footer is followed by what may follow it."""
        footer = SECTION.pack(Tag.FOOTER, section)
        found = self._at
        while (found := self._buffer.find(footer, found, self._end)) >= 0:
            if self._begins_something(found + len(footer)):
                return self._bytes(found - self._at)
            found += 1
        raise Incomplete

    def _begins_something(self, at: int) -> bool:
        """Whether a section, a command or the end begins there."""
        if at == self._end and self._package:
            return True
        tag = self._byte(at)
        if tag in (Tag.FULL, Tag.START):
            if self._byte(at + 1) or self._byte(at + 2):
                return False  # sections are numbered from 0
            length = self._byte(at + 5)
            self._byte(at + 5 + length)
            return length > 0 and self._buffer[at + 6 : at + 6 + length].isascii()
        if tag == Tag.COMMAND:
            return self._byte(at + 1) == 0 and self._byte(at + 2) in (*FIXED_COMMANDS, *CommandCode)
        if tag in (Tag.PART, Tag.END):
            self._byte(at + 4)
            return int.from_bytes(self._buffer[at + 1 : at + 5]) == self._ram_section
        if tag != Tag.EOF or self._package:
            return False
        # A zero byte says nothing by itself: the state of QEMU's timer has eight of them behind its count of ticks,
        # whose last byte is that of a footer once in 256 times.
        return self._byte(at + 1) == Tag.DESCRIPTION and self._byte(at + 6) == BRACE

    def _byte(self, at: int) -> int:
        if at >= self._end:
            raise Incomplete
        return self._buffer[at]

    def _check_footer(self, section: int) -> None:
        tag, found = SECTION.unpack_from(self._buffer, self._need(SECTION.size))
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
            self._read = self._over if self._in_section is None else self._footer
            return RamEnd()
        if flags == Ram.MULTIFD_FLUSH and head == flags:
            return MultifdFlush()
        if flags == Ram.MEM_SIZE:
            return self._sizes(head - flags)
        raise self._wrong(f"memory record 0x{head:x} is of no kind that is supported")

    def _page(self, offset: int, flags: int) -> Page:
        named = False
        if flags & Ram.CONTINUE:
            if self._block is None:
                raise self._wrong("the first page does not say which block it is in")
            block = self._block
        else:
            block = self._name("block")
            named = block == self._block
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
        return Page(block, offset, data, named)

    def _neighbours(self, most: int, group: int) -> Pages | None:
        """Records that differ in their offsets only, page by page; None where there is at most one of them."""
        at, size = self._at, self.page_size
        if self._block is None or self._end - at < 8:
            return None
        head: int = U64.unpack_from(self._buffer, at)[0]
        flags = head & FLAG_BITS
        if flags not in (_PAGE, _ZERO):
            return None
        zero = flags == _ZERO
        length = 9 if zero else 8 + size
        heads = np.ndarray((self._end - at) // length, ">u8", self._buffer, at, length)
        count = self._count_alike(heads, most, group)
        if zero and count:
            filled = np.ndarray(count, np.uint8, self._buffer, at + 8, length).tobytes()
            count = len(filled) - len(filled.lstrip(b"\0"))
            count -= count % group
        if count < 2:
            return None
        self._begin = at
        self._at = at + count * length
        data = None if zero else np.ndarray((count, size), np.uint8, self._buffer, at + 8, (length, 1)).data
        return Pages(self._block, head - flags, count, size, data)

    def _count_alike(self, heads: Heads, most: int, group: int) -> int:
        """How many heads differ in their offsets only, page by page: those of whole host pages."""
        size = self.page_size
        head = int(heads[0]) if len(heads) else 0
        if (head & ~FLAG_BITS) % (group * size):
            return 0
        count = min(most, len(heads), MOST_ALIKE, ((1 << 64) - head) // size)
        alike = heads[:count] == _offsets(size)[:count] + head
        unlike = alike.tobytes().find(b"\0")
        count = count if unlike < 0 else unlike
        return count - count % group

    def _from_slots(self, slots: Slots, heads: Heads, most: int, group: int) -> Pages | None:
        """The same, of records that are in slots; also a single one."""
        head = int(heads[0])
        if head & FLAG_BITS != _PAGE or self._block is None:
            return None
        count = self._count_alike(heads[: slots.whole], most, group)
        if not count:
            return None
        self._consumed += count * (8 + self.page_size)
        return Pages(self._block, head & ~FLAG_BITS, count, self.page_size, slots.take(count))

    def _sizes(self, total: int) -> RamSize:
        blocks: list[Block] = []
        seen = 0
        while seen < total:
            if len(blocks) == MAX_BLOCKS:
                raise self._wrong(f"more than {MAX_BLOCKS} blocks of memory")
            block = Block(self._name("block"), self._u64(), self._u64() if self._with_addresses else None)
            if not block.length or block.length > total - seen:
                raise self._wrong(f"block {block.name} of {block.length} bytes, {total - seen} of the total are left")
            blocks.append(block)
            seen += block.length
        if not blocks:
            raise self._wrong("no block of memory")
        return RamSize(tuple(blocks))


def read_package(data: bytes, page_size: int, *, opaque_devices: bool = False) -> list[StreamMessage]:
    """All messages in a package.

    Raises:
        WireError: the package cannot be read to its end.
    """
    parser = StreamParser(page_size, Begin.PACKAGE, opaque_devices=opaque_devices)
    parser.feed(data)
    messages = list(parser)
    parser.close()
    return messages
