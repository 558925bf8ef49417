"""What travels between the two hosts, as values. What a message means is for the cores to say.

Names and fields are those of QEMU's migration stream, file version 3. Offsets and lengths are bytes within a block of
guest memory.

A message of a fixed length says here how it looks in bytes, and is read and written by that: all that the parsers and
writers need for a new one is a class here and its name in the union at the end. How others look is in `wire`. What the
connections of multifd carry is in `multifd`.
"""

from __future__ import annotations

import struct
from typing import ClassVar, Self, TypeAlias

import msgspec

Contents: TypeAlias = bytes | memoryview
"""Of one page or several."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """Base of all messages."""


class Fixed(Message, frozen=True):
    """Base of the messages of a fixed length.

    Attributes:
        code: the number of the command or reply.
        qemu: its name, after ``MIG_CMD_`` or ``MIG_RP_MSG_``.
        layout: its fields in bytes, in order, big-endian.
    """

    code: ClassVar[int]
    qemu: ClassVar[str]
    layout: ClassVar[struct.Struct]

    @classmethod
    def read(cls, buffer: bytes | bytearray, at: int) -> Self:
        """The message whose fields begin there."""
        return cls(*cls.layout.unpack_from(buffer, at))

    def written(self) -> bytes:
        """The fields in bytes."""
        return self.layout.pack(*msgspec.structs.astuple(self))


def _fields(form: str) -> struct.Struct:
    return struct.Struct(f">{form}")


class Header(Message, frozen=True):
    """The file header; the version is always 3."""


class Configuration(Message, frozen=True):
    """What kind of machine the guest is; both sides have to agree."""

    machine: str


class TargetPageBits(Message, frozen=True):
    """Part of the configuration where a machine may have target pages of several sizes: it has ``1 << bits`` bytes."""

    bits: int


class Capabilities(Message, frozen=True):
    """Part of the configuration: capabilities of migration that change the stream, by QEMU's names."""

    names: tuple[str, ...]


class Uuid(Message, frozen=True):
    """Part of the configuration: the guest's own number, 16 bytes, which both sides have to agree on."""

    value: bytes


class OpenReturnPath(Fixed, frozen=True):
    """The destination may write to the return path from here on."""

    code = 1
    qemu = "OPEN_RETURN_PATH"
    layout = _fields("")


class Ping(Fixed, frozen=True):
    """Is answered by a `Pong` with the same value."""

    code = 2
    qemu = "PING"
    layout = _fields("I")

    value: int


class Advise(Fixed, frozen=True):
    """Postcopy may come; the page sizes of the source, in bytes."""

    code = 3
    qemu = "POSTCOPY_ADVISE"
    layout = _fields("QQ")

    host_page: int
    target_page: int


class Listen(Fixed, frozen=True):
    """First in the package: the listen thread takes over the stream."""

    code = 4
    qemu = "POSTCOPY_LISTEN"
    layout = _fields("")


class Run(Fixed, frozen=True):
    """Last in the package: the CPUs start."""

    code = 5
    qemu = "POSTCOPY_RUN"
    layout = _fields("")


class Resume(Fixed, frozen=True):
    """The source has all bitmaps and resumes postcopy; is answered by a `ResumeAck`."""

    code = 9
    qemu = "POSTCOPY_RESUME"
    layout = _fields("")


class SwitchoverStart(Fixed, frozen=True):
    """The source's CPUs have stopped (since QEMU 10)."""

    code = 11
    qemu = "SWITCHOVER_START"
    layout = _fields("")


class Discard(Message, frozen=True):
    """These parts of a block (start and length) are out of date at the destination."""

    block: str
    ranges: tuple[tuple[int, int], ...]


class AskBitmap(Message, frozen=True):
    """Which pages of this block have come? Is answered by a `ReceivedBitmap`. QEMU's name is ``RECV_BITMAP``."""

    block: str


class Packaged(Message, frozen=True):
    """The package: a stream of its own, whole."""

    data: bytes


class SectionStart(Message, frozen=True):
    """The first section of something that comes in parts; here always guest memory."""

    section: int
    name: str
    instance: int
    version: int


class SectionPart(Message, frozen=True):
    """Another part of it."""

    section: int


class SectionEnd(Message, frozen=True):
    """The last part of it."""

    section: int


class Footer(Message, frozen=True):
    """Ends every section."""

    section: int


class Device(Message, frozen=True):
    """A device's state, whole in one section; what the bytes mean is the device's own matter."""

    section: int
    name: str
    instance: int
    version: int
    data: bytes


class Block(msgspec.Struct, frozen=True, gc=False):
    """A block of guest memory; the length is in bytes.

    Attributes:
        address: where it is in the guest; only where the capability ``x-ignore-shared`` is switched on.
    """

    name: str
    length: int
    address: int | None = None


class RamSize(Message, frozen=True):
    """All blocks of guest memory."""

    blocks: tuple[Block, ...]


class Page(Message, frozen=True):
    """One target page; None stands for a page of zeros.

    Attributes:
        named: it names its block although the page before it is in the same block.
    """

    block: str
    offset: int
    data: bytes | None
    named: bool = False


class Pages(Message, frozen=True):
    """Neighbouring pages of one block, as many records as pages on the wire.

    Attributes:
        count: how many there are, at least one.
        page_size: bytes of each.
        data: their contents one after the other, as bytes or as two dimensions, page and byte; None for pages of zeros.
            What a parser gives is a view of its buffer, and holds until the parser is given more.
    """

    block: str
    offset: int
    count: int
    page_size: int
    data: Contents | None


class MultifdFlush(Message, frozen=True):
    """All pages that were sent through other connections have to be there before what follows (since QEMU 8)."""


class RamEnd(Message, frozen=True):
    """No more memory in this section, or on the connection for pages that are asked for."""


class Eof(Message, frozen=True):
    """The end of the stream."""


class Description(Message, frozen=True):
    """What is in the states of devices, as JSON: follows the end of a stream that ends in precopy."""

    json: bytes


FixedCommand: TypeAlias = OpenReturnPath | Ping | Advise | Listen | Run | Resume | SwitchoverStart
"""The commands of a fixed length."""

StreamMessage: TypeAlias = (
    Header
    | Configuration
    | TargetPageBits
    | Capabilities
    | Uuid
    | FixedCommand
    | Discard
    | AskBitmap
    | Packaged
    | SectionStart
    | SectionPart
    | SectionEnd
    | Footer
    | Device
    | RamSize
    | Page
    | Pages
    | MultifdFlush
    | RamEnd
    | Eof
    | Description
)
"""From the source to the destination."""


class Shut(Fixed, frozen=True):
    """The destination has come to its end; 0 stands for success."""

    code = 1
    qemu = "SHUT"
    layout = _fields("I")

    status: int


class Pong(Fixed, frozen=True):
    """The answer to a `Ping`."""

    code = 2
    qemu = "PONG"
    layout = _fields("I")

    value: int


class Request(Message, frozen=True):
    """The guest at the destination waits for this part of a block."""

    block: str
    offset: int
    length: int


class ReceivedBitmap(Message, frozen=True):
    """The answer to an `AskBitmap`.

    Attributes:
        bitmap: one bit for each target page that has come, the first page's is the lowest of the first byte; filled up
            to a multiple of eight bytes. QEMU's name is ``RECV_BITMAP``.
    """

    block: str
    bitmap: bytes


class ResumeAck(Fixed, frozen=True):
    """The answer to a `Resume`: always 1."""

    code = 6
    qemu = "RESUME_ACK"
    layout = _fields("I")

    value: int


class SwitchoverAck(Fixed, frozen=True):
    """The destination is ready for the switchover (since QEMU 8.1, where both sides have ``switchover-ack``)."""

    code = 7
    qemu = "SWITCHOVER_ACK"
    layout = _fields("")


FixedReply: TypeAlias = Shut | Pong | ResumeAck | SwitchoverAck

Reply: TypeAlias = FixedReply | Request | ReceivedBitmap
"""From the destination to the source, on the return path."""
