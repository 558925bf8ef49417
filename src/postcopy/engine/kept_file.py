"""A guest that is kept, as a file: the stream of a migration that ends in precopy, in QEMU's format.

QEMU reads such a file with ``-incoming``, and writes one with ``migrate`` to ``exec:``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

import numpy as np

from postcopy.engine.errors import EngineError
from postcopy.engine.kept_guest import KeptGuest
from postcopy.engine.messages import (
    Advise,
    Configuration,
    Device,
    Eof,
    Footer,
    Header,
    MultifdFlush,
    OpenReturnPath,
    Page,
    Pages,
    Ping,
    RamEnd,
    RamSize,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
    SwitchoverStart,
)
from postcopy.engine.opening import read_opening
from postcopy.engine.parsing import StreamParser
from postcopy.engine.source import NO_DESCRIPTION, RAM_SECTION
from postcopy.engine.uffd import SYSTEM_PAGE
from postcopy.engine.wire import RAM_NAME, RAM_VERSION
from postcopy.engine.writing import StreamWriter

FRAMING = SectionPart | SectionEnd | RamEnd | Footer
COMMANDS = OpenReturnPath | Ping | Advise | SwitchoverStart | MultifdFlush
"""Those that a file may hold; they say nothing of the guest."""
EXPECTED = Page | Pages | Device | Eof | FRAMING | COMMANDS

BATCH = 256
"""Pages that are written or read at once."""


def write_kept(path: Path, guest: KeptGuest) -> None:
    """Write a guest to a file, whole or not at all.

    Raises:
        EngineError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with new.open("wb") as file:
            writer = StreamWriter(opaque_devices=True)
            for messages in _messages(guest):
                file.writelines(writer.encode(messages))
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise EngineError(f"cannot write the guest to {path}: {error.strerror}") from None


def _messages(guest: KeptGuest) -> Iterator[list[StreamMessage]]:
    opening, pages = guest.opening, guest.geometry.pages
    end: list[StreamMessage] = [RamEnd(), Footer(RAM_SECTION)]
    yield [Header(), Configuration(opening.machine), *opening.configuration]
    yield [SectionStart(RAM_SECTION, RAM_NAME, 0, RAM_VERSION), RamSize(guest.geometry.blocks), *end]
    for first in range(0, pages, BATCH):
        run = range(first, min(first + BATCH, pages))
        yield [SectionPart(RAM_SECTION), *guest.contents.messages(run), *end]
    yield [SectionEnd(RAM_SECTION), *end, *guest.devices(), Eof(), NO_DESCRIPTION]


def read_kept(path: Path) -> KeptGuest:
    """Read a guest from a file.

    Raises:
        EngineError: it cannot be read, is no stream that ends in precopy, or lacks pages.
    """
    try:
        with path.open("rb") as file:
            return _Reading(
                path, StreamParser(4096, opaque_devices=True), iter(lambda: file.read(1 << 18), b"")
            ).guest()
    except OSError as error:
        raise EngineError(f"cannot read a guest from {path}: {error.strerror}") from None
    except EngineError as error:
        raise EngineError(f"{path} holds no guest that could be given to a QEMU: {error}") from None


class _Reading:
    def __init__(self, path: Path, parser: StreamParser, chunks: Iterator[bytes]) -> None:
        self._path, self._parser, self._chunks = path, parser, chunks

    def _next(self) -> StreamMessage:
        while (message := self._parser.next_pages(BATCH)) is None:
            chunk = next(self._chunks, b"")
            if not chunk:
                self._parser.close()
                raise EngineError("it ends before the end of the stream")
            self._parser.feed(chunk)
        return message

    def guest(self) -> KeptGuest:
        opening = read_opening(self._next, SYSTEM_PAGE)
        self._parser.page_size = opening.geometry.target_page
        guest = KeptGuest(opening)
        here = np.zeros(opening.geometry.pages, bool)
        while True:
            message = self._next()
            if not isinstance(message, EXPECTED):
                raise EngineError(f"{type(message).__name__} is in it, which no migration has that ends in precopy")
            match message:
                case Page(block, offset, data):
                    self._load(guest, here, guest.geometry.pages_from(block, offset, 1), data)
                case Pages(block, offset, count, _, several):
                    self._load(guest, here, guest.geometry.pages_from(block, offset, count), several)
                case Device():
                    guest.load(message)
                case Eof():
                    break
                case (SectionPart() | SectionEnd() | RamEnd() | Footer()) | (
                    OpenReturnPath() | Ping() | Advise() | SwitchoverStart() | MultifdFlush()
                ):
                    pass
                case _:
                    assert_never(message)
        if missing := int(len(here) - here.sum()):
            raise EngineError(f"{missing:,} of its {len(here):,} pages are missing")
        return guest

    def _load(self, guest: KeptGuest, here: np.ndarray, pages: range, data: bytes | memoryview | None) -> None:
        part = slice(pages.start, pages.stop)
        guest.contents.rows[part] = 0 if data is None else np.asarray(memoryview(data)).reshape(len(pages), -1)
        here[part] = True
