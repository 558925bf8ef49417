"""The guest of recordings: its source and its bytes are the same, and its parameters are where it looks for them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from postcopy.recording import guest

ROOM = files("postcopy.recording")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_bytes_are_those_of_the_source(tmp_path: Path) -> None:
    source, made = tmp_path / "guest.S", tmp_path / "guest.bin"
    source.write_text(ROOM.joinpath("guest.S").read_text())
    linking = "-Wl,--oformat=binary,-Ttext=0,--build-id=none"
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", linking, "-o", made, source], check=True)
    assert made.read_bytes() == ROOM.joinpath("guest.bin").read_bytes()


def test_its_parameters() -> None:
    firmware = guest.firmware(256, 4, 17)
    assert len(firmware) == 1 << 16
    assert struct.unpack_from("<4I", firmware, len(firmware) - 0x1000 + 0xFC0) == (256, 4, 17, 101)
    assert firmware[-16:-11] == b"\xea\x00\x00\x00\xff", "the reset vector jumps to the beginning of the 4 KiB"


@pytest.mark.parametrize(("pages", "vcpus"), [(100, 1), (256, 0), (256, 9)])
def test_others_are_refused(pages: int, vcpus: int) -> None:
    with pytest.raises(ValueError, match="no power of two"):
        guest.firmware(pages, vcpus)


@pytest.mark.parametrize(("memory", "pages"), [(2, 256), (3, 256), (4, 512), (32, 4096), (100, 8192)])
def test_it_writes_half_of_its_memory(memory: int, pages: int) -> None:
    assert guest.pages_in(memory) == pages
    assert guest.MEMORY + 4096 * pages <= memory << 20


def test_its_counters() -> None:
    memory = bytearray(guest.COUNTERS.stop)
    struct.pack_into("<I", memory, 0x610, 5)
    struct.pack_into("<4I", memory, 0x620, 7, 8, 9, 10)
    assert guest.read_counters(bytes(memory[guest.COUNTERS.start :]), 3) == guest.Counters(5, (7, 8, 9))
