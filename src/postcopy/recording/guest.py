"""The guest that is recorded: the firmware of a PC that counts and checks its own memory (`guest.S`)."""

from __future__ import annotations

import struct
from importlib.resources import files
from typing import NamedTuple

MEMORY = 0x100000
"""Where the guest's pages begin, in bytes."""
CONSOLE = "0xe9"
"""The port of the guest's console."""
COUNTERS = range(0x600, 0x640)
"""Where in memory the guest counts errors and passes."""
LARGEST = 8
"""The most vCPUs for which there are counters."""

_PAGE = 4096
_PARAMETERS = struct.Struct("<4I")
_PARAMETERS_AT = 0xFC0
_FIRMWARE = 1 << 16
_STRIDE = 101
_COUNTERS = struct.Struct("<16x1I12x8I")


class Counters(NamedTuple):
    """What the guest has counted.

    Attributes:
        errors: pages that did not have what the guest had written there.
        passes: of each vCPU, how often it has been through all of its pages.
    """

    errors: int
    passes: tuple[int, ...]


def firmware(pages: int, vcpus: int = 1, delay: int = 0) -> bytes:
    """The firmware for a guest that writes so many pages: a power of two; they begin at `MEMORY`.

    Args:
        delay: for how many `pause` instructions each vCPU waits after each page.
    """
    if pages & (pages - 1) or not 1 <= vcpus <= LARGEST:
        raise ValueError(f"{pages} pages, which is no power of two, or {vcpus} vCPUs, not 1 to {LARGEST}")
    code = bytearray(files(__package__).joinpath("guest.bin").read_bytes())
    _PARAMETERS.pack_into(code, _PARAMETERS_AT, pages, vcpus, delay, _STRIDE)
    return bytes(_FIRMWARE - len(code)) + bytes(code)


def pages_in(memory: int) -> int:
    """How many pages the guest writes if it has so many MiB of memory: about half of it."""
    return 1 << ((memory << 20) // _PAGE // 2).bit_length() - 1


def read_counters(memory: bytes, vcpus: int) -> Counters:
    """The counters, from the bytes of memory at `COUNTERS`."""
    errors, *passes = _COUNTERS.unpack(memory)
    return Counters(errors, tuple(passes[:vcpus]))
