"""The stream from source to destination: messages to bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import assert_never

import numpy as np

from postcopy.engine.arrived import U32, U64, Buffer
from postcopy.engine.messages import (
    AskBitmap,
    Block,
    Capabilities,
    Configuration,
    Description,
    Device,
    Discard,
    Eof,
    Fixed,
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
from postcopy.engine.page_vectors import Part, Records, joined
from postcopy.engine.wire import (
    CAPABILITIES,
    COMMAND,
    MAGIC,
    RANGE,
    SECTION,
    TARGET_PAGE_BITS,
    UUID,
    VERSION,
    CommandCode,
    Ram,
    Tag,
    named,
)

_ZERO_RECORD = np.dtype([("head", ">u8"), ("fill", "u1")])


def _command_bytes(code: int, payload: bytes = b"") -> bytes:
    return COMMAND.pack(Tag.COMMAND, code, len(payload)) + payload


def _section_bytes(tag: Tag, section: int, name: str, instance: int, version: int) -> bytes:
    return SECTION.pack(tag, section) + named(name) + struct.pack(">II", instance, version)


def _part_of_configuration(name: str, *fields: bytes) -> bytes:
    return bytes([Tag.SUBSECTION]) + named(name) + U32.pack(1) + b"".join(fields)


def _block_bytes(block: Block) -> bytes:
    address = b"" if block.address is None else U64.pack(block.address)
    return named(block.name) + U64.pack(block.length) + address


class StreamWriter:
    """Turns messages into buffers for one vectored write; knows which block was named last.

    Args:
        opaque_devices: write the states of devices as they are, without their length (see `StreamParser`).
    """

    def __init__(self, *, opaque_devices: bool = False) -> None:
        self._block: str | None = None
        self._opaque = opaque_devices

    def encode(self, messages: Iterable[StreamMessage]) -> list[Buffer]:
        """The bytes of messages, in order; the contents of packages and single pages are not copied."""
        return joined(self.parts(messages))

    def parts(self, messages: Iterable[StreamMessage]) -> list[Part]:
        """The same, for a connection to write: the contents of neighbouring pages are not copied either."""
        parts: list[Part] = []
        for message in messages:
            parts += self._written(message)
        return parts

    def page(self, block: str, offset: int, data: Buffer | None, *, name_block: bool = False) -> tuple[Buffer, ...]:
        """One page's record, its contents as they are; it names its block if that is another, or always."""
        flags = Ram.ZERO if data is None else Ram.PAGE
        if block == self._block and not name_block:
            head = U64.pack(offset | flags | Ram.CONTINUE)
        else:
            head = U64.pack(offset | flags) + named(block)
            self._block = block
        return (head + b"\0",) if data is None else (head, data)

    def pages(self, pages: Pages) -> list[Part]:
        """The records of neighbouring pages; of one page, its contents as they are."""
        count, block, offset, size = pages.count, pages.block, pages.offset, pages.page_size
        if count == 1:
            data = pages.data
            flat = data if data is None or memoryview(data).ndim == 1 else memoryview(data).tobytes()
            return [*self.page(block, offset, flat)]
        rows = None if pages.data is None else np.asarray(memoryview(pages.data)).reshape(count, size)
        parts: list[Part] = []
        if block != self._block:
            parts += self.page(block, offset, None if rows is None else rows[0].tobytes())
        done = len(parts) and 1
        flags = (Ram.ZERO if rows is None else Ram.PAGE) | Ram.CONTINUE
        heads = np.arange(done, count, dtype=np.uint64) * size + (offset | flags)
        if rows is not None:
            return [*parts, Records(heads.astype(">u8"), rows[done:])]
        records = np.zeros(count - done, _ZERO_RECORD)
        records["head"] = heads
        return [*parts, records.data.cast("B")]

    def _written(self, message: StreamMessage) -> Sequence[Part]:
        match message:
            case Page(block, offset, data, names_again):
                return self.page(block, offset, data, name_block=names_again)
            case Pages():
                return self.pages(message)
            case SectionPart(section):
                return [SECTION.pack(Tag.PART, section)]
            case RamEnd():
                return [U64.pack(Ram.EOS)]
            case Footer(section):
                return [SECTION.pack(Tag.FOOTER, section)]
            case Header():
                return [struct.pack(">II", MAGIC, VERSION)]
            case Configuration(machine):
                return [bytes([Tag.CONFIGURATION]), U32.pack(len(machine)), machine.encode("ascii")]
            case TargetPageBits(bits):
                return [_part_of_configuration(TARGET_PAGE_BITS, U32.pack(bits))]
            case Capabilities(names):
                return [_part_of_configuration(CAPABILITIES, U32.pack(len(names)), *map(named, names))]
            case Uuid(value):
                return [_part_of_configuration(UUID, value)]
            case Fixed():
                return [_command_bytes(message.code, message.written())]
            case Discard(block, ranges):
                payload = b"\0" + named(block) + b"\0" + b"".join(RANGE.pack(*r) for r in ranges)
                return [_command_bytes(CommandCode.POSTCOPY_RAM_DISCARD, payload)]
            case AskBitmap(block):
                return [_command_bytes(CommandCode.RECV_BITMAP, named(block))]
            case Packaged(data):
                return [_command_bytes(CommandCode.PACKAGED, U32.pack(len(data))), data]
            case SectionStart(section, name, instance, version):
                return [_section_bytes(Tag.START, section, name, instance, version)]
            case SectionEnd(section):
                return [SECTION.pack(Tag.END, section)]
            case Device(section, name, instance, version, data):
                head = _section_bytes(Tag.FULL, section, name, instance, version)
                length = b"" if self._opaque else U32.pack(len(data))
                return [head + length, data, SECTION.pack(Tag.FOOTER, section)]
            case RamSize(blocks):
                total = sum(block.length for block in blocks)
                return [U64.pack(total | Ram.MEM_SIZE), *map(_block_bytes, blocks)]
            case MultifdFlush():
                return [U64.pack(Ram.MULTIFD_FLUSH)]
            case Eof():
                return [bytes([Tag.EOF])]
            case Description(json):
                return [SECTION.pack(Tag.DESCRIPTION, len(json)), json]
            case _:
                assert_never(message)
