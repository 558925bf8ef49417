"""Text that a recording holds, plain or compressed. What was cut off is read up to its last whole line."""

from __future__ import annotations

import zlib
from pathlib import Path

from postcopy.input_files import read_input

MOST = 4 << 30
"""Bytes of a file that are read at most."""
GZIP = 16 + zlib.MAX_WBITS
MAGIC = b"\x1f\x8b"


def whole_lines(path: Path) -> str:
    """The whole lines of a file.

    Raises:
        UsageError: it cannot be read.
    """
    data = unpacked(read_input(path, MOST))
    return data[: data.rfind(b"\n") + 1].decode(errors="replace")


def unpacked(data: bytes) -> bytes:
    """What compressed data hold, as far as it goes; other data as they are."""
    if data[:2] != MAGIC:
        return data
    found = []
    while data[:2] == MAGIC:
        member = zlib.decompressobj(GZIP)
        try:
            found.append(member.decompress(data))
        except zlib.error:
            break
        data = member.unused_data
    return b"".join(found)
