"""QEMU's migration stream, file version 3, its return path, and the connections of multifd: numbers and lengths.

Each was compared with bytes that QEMU 7.2.22, 10.0.13 and 11.1.3 wrote (tests/engine/recorded). Numbers are big-endian,
except in bitmaps. `parsing` and `writing` have the stream, `return_path` the way back, `multifd` the connections of
multifd.
"""

from __future__ import annotations

import struct
from enum import Enum, IntEnum, auto
from typing import get_args

from postcopy.bitmaps import RANGES_IN_A_COMMAND
from postcopy.engine.messages import FixedCommand, FixedReply

MAGIC = 0x5145564D
VERSION = 3
MAX_PACKAGE = 64 << 20
"""The largest package, device state or reply that is read, in bytes: a limit of ours, QEMU has none since 2.5."""
MAX_BLOCKS = 256
MAX_CAPABILITIES = 64
MAX_DISCARDS = RANGES_IN_A_COMMAND


class Begin(Enum):
    """With what a connection or a package begins."""

    HEADER = auto()
    """The first connection: the file header, then everything."""
    PACKAGE = auto()
    """The inside of a package: commands and devices."""
    RESUMED = auto()
    """The connection after a broken one: no header, but commands; sections go on as they were."""
    PREEMPT = auto()
    """The connection for pages that are asked for: records of memory alone."""


class Tag(IntEnum):
    """The first byte of what stands between sections (``QEMU_VM_...``)."""

    EOF = 0x00
    START = 0x01
    PART = 0x02
    END = 0x03
    FULL = 0x04
    SUBSECTION = 0x05
    DESCRIPTION = 0x06
    CONFIGURATION = 0x07
    COMMAND = 0x08
    FOOTER = 0x7E


FIXED_COMMANDS: dict[int, type[FixedCommand]] = {kind.code: kind for kind in get_args(FixedCommand)}
FIXED_REPLIES: dict[int, type[FixedReply]] = {kind.code: kind for kind in get_args(FixedReply)}


class CommandCode(IntEnum):
    """``MIG_CMD_...``, of the commands of any length."""

    POSTCOPY_RAM_DISCARD = 6
    PACKAGED = 7
    RECV_BITMAP = 10


class Ram:
    """``RAM_SAVE_FLAG_...``, the low bits of a page's offset; plain numbers, because every page asks for them."""

    ZERO = 0x02
    MEM_SIZE = 0x04
    PAGE = 0x08
    EOS = 0x10
    CONTINUE = 0x20
    MULTIFD_FLUSH = 0x200


class ReplyCode(IntEnum):
    """``MIG_RP_MSG_...``, of the replies of any length: requests with and without a block's name, and a bitmap."""

    REQ_PAGES_ID = 3
    REQ_PAGES = 4
    RECV_BITMAP = 5


RAM_NAME, RAM_VERSION = "ram", 4
FLAG_BITS = 0x3FF
"""What may stand below a page's offset: target pages have at least 1024 bytes."""

TARGET_PAGE_BITS = "configuration/target-page-bits"
CAPABILITIES = "configuration/capabilities"
UUID = "configuration/uuid"
"""The parts of the configuration that stand in sections of their own; each has version 1."""
IGNORE_SHARED = "x-ignore-shared"
"""The capability with which each block of memory has an address."""
UUID_SIZE = 16

BITMAP_END = 0x0123456789ABCDEF
"""What follows a bitmap on the return path."""
BITMAP_UNIT = 8
"""Bytes to whose multiple a bitmap is filled up."""

MULTIFD_MAGIC = 0x11223344
MULTIFD_VERSION = 1
MULTIFD_BYTES = 512 << 10
"""What a packet of multifd can hold, in bytes of guest memory."""

U16 = struct.Struct(">H")
COMMAND = struct.Struct(">BHH")
SECTION = struct.Struct(">BI")
REPLY = struct.Struct(">HH")
RANGE = struct.Struct(">QQ")
REQUEST = struct.Struct(">QI")


def named(name: str) -> bytes:
    """A name as it stands on the wire, its length before it."""
    raw = name.encode("ascii")
    if not 0 < len(raw) < 256 or not name.isprintable():
        raise ValueError(f"a name on the wire has 1 to 255 printable characters: {name!r}")
    return bytes([len(raw)]) + raw
