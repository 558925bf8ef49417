"""What travels between the two hosts, as values. How it looks in bytes is in `wire`; what it means, in the cores.

Names and fields are those of QEMU's migration stream, file version 3. Offsets and lengths are bytes within a block of
guest memory.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Contents: TypeAlias = bytes | memoryview
"""Of one page or several."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """Base of all messages."""


class Header(Message, frozen=True):
    """The file header; the version is always 3."""


class Configuration(Message, frozen=True):
    """What kind of machine the guest is; both sides have to agree."""

    machine: str


class OpenReturnPath(Message, frozen=True):
    """The destination may write to the return path from here on."""


class Ping(Message, frozen=True):
    """Is answered by a `Pong` with the same value."""

    value: int


class Advise(Message, frozen=True):
    """Postcopy may come; the page sizes of the source, in bytes."""

    host_page: int
    target_page: int


class Listen(Message, frozen=True):
    """First in the package: the listen thread takes over the stream."""


class Run(Message, frozen=True):
    """Last in the package: the CPUs start."""


class Discard(Message, frozen=True):
    """These parts of a block (start and length) are out of date at the destination."""

    block: str
    ranges: tuple[tuple[int, int], ...]


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
    """A block of guest memory; the length is in bytes."""

    name: str
    length: int


class RamSize(Message, frozen=True):
    """All blocks of guest memory."""

    blocks: tuple[Block, ...]


class Page(Message, frozen=True):
    """One target page; None stands for a page of zeros."""

    block: str
    offset: int
    data: bytes | None


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


class RamEnd(Message, frozen=True):
    """No more memory in this section."""


class Eof(Message, frozen=True):
    """The end of the stream."""


StreamMessage: TypeAlias = (
    Header
    | Configuration
    | OpenReturnPath
    | Ping
    | Advise
    | Listen
    | Run
    | Discard
    | Packaged
    | SectionStart
    | SectionPart
    | SectionEnd
    | Footer
    | Device
    | RamSize
    | Page
    | Pages
    | RamEnd
    | Eof
)
"""From the source to the destination."""


class Shut(Message, frozen=True):
    """The destination has come to its end; 0 stands for success."""

    status: int


class Pong(Message, frozen=True):
    """The answer to a `Ping`."""

    value: int


class Request(Message, frozen=True):
    """Somebody at the destination waits for this part of a block."""

    block: str
    offset: int
    length: int


Reply: TypeAlias = Shut | Pong | Request
"""From the destination to the source, on the return path."""
