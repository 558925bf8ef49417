"""Keeps the records of the cores: their counts always, the records themselves on request. JSON lines on disk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from postcopy.engine import destination_steps, source
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Record, Step, Thread
from postcopy.engine.messages import Block
from postcopy.errors import UsageError
from postcopy.input_files import read_input

FORMAT = 1
MAX_BYTES = 256 << 20
"""The largest log that is read: about two million records."""
MAX_PAGES, MAX_PAGE = 1 << 26, 1 << 30
"""The most pages, and the largest host page in bytes, of a log that is read: 64 GiB in pages of 1 KiB; huge pages."""

THREADS = {row.step: row.threads for row in source.TRANSITIONS} | {
    row.step: row.threads for row in destination_steps.TRANSITIONS
}
"""The threads that may take a step."""


class Head(msgspec.Struct, frozen=True, tag="postcopy-log", forbid_unknown_fields=True):
    """The first line of a log.

    Attributes:
        format: 1.
        pages: target pages of the guest.
        group: target pages of a host page.
        blocks: names and lengths in bytes.
    """

    format: int
    pages: int
    group: int
    target_page: int
    blocks: tuple[tuple[str, int], ...]


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """A record with the time it was made at, in seconds since 1970."""

    t: float
    host: str
    thread: Thread
    step: Step
    page: int | None = None
    pages: tuple[tuple[int, int], ...] = ()
    who: str = ""
    why: str = ""

    @property
    def record(self) -> Record:
        """The record, as the core made it."""
        return Record(self.host, self.thread, self.step, self.page, self.pages, self.who, self.why)


class EventLog:
    """A sink for records.

    Args:
        keep: keep the records, not only their counts.
    """

    def __init__(self, *, keep: bool) -> None:
        self.counts: Counter[Step] = Counter()
        self._keep = keep
        self._kept: list[tuple[float, Record]] = []

    def __call__(self, record: Record) -> None:
        """Take a record."""
        self.counts[record.step] += record.count
        if self._keep:
            self._kept.append((time.time(), record))

    @property
    def lines(self) -> list[Line]:
        """What was kept, in order: a line for each step."""
        return [
            Line(round(t, 6), r.host, r.thread, r.step, r.page, r.pages, r.who, r.why)
            for t, record in self._kept
            for r in record.steps
        ]


def head(geometry: Geometry) -> Head:
    """The first line of a log of a migration of this memory."""
    blocks = tuple((b.name, b.length) for b in geometry.blocks)
    return Head(FORMAT, geometry.pages, geometry.group, geometry.target_page, blocks)


def write_log(path: Path, first: Head, lines: Iterable[Line]) -> None:
    """Write a log.

    Raises:
        UsageError: the file cannot be written.
    """
    encoder = msgspec.json.Encoder()
    try:
        with path.open("wb") as file:
            file.write(encoder.encode(first) + b"\n")
            file.writelines(encoder.encode(line) + b"\n" for line in lines)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def read_log(path: Path) -> tuple[Head, list[Line]]:
    """Read a log.

    Raises:
        UsageError: there is none, it is damaged, or it contradicts itself: see `_contradiction`.
    """
    rows = read_input(path, MAX_BYTES).splitlines()
    number = 1
    try:
        first = msgspec.json.decode(rows[0] if rows else b"", type=Head)
        decoder = msgspec.json.Decoder(Line)
        lines: list[Line] = []
        for row in rows[1:]:
            number += 1
            lines.append(decoder.decode(row))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}:{number}: this is no event log: {error}") from None
    if first.format != FORMAT:
        raise UsageError(f"{path}: format {first.format} is not known, only {FORMAT}")
    for number, wrong in [(1, _wrong_size(first)), *enumerate((_contradiction(line, first) for line in lines), 2)]:
        if wrong:
            raise UsageError(f"{path}:{number}: this log contradicts itself: {wrong}")
    return first, lines


def _wrong_size(first: Head) -> str:
    """What is wrong with the sizes of a head; empty where nothing is."""
    try:
        blocks = [Block(name, length) for name, length in first.blocks]
        geometry = Geometry(blocks, first.target_page, first.target_page * first.group)
    except ValueError as error:
        return str(error)
    if geometry.pages != first.pages:
        return f"the blocks have {geometry.pages} pages, not {first.pages}"
    if geometry.pages > MAX_PAGES:
        return f"a guest has {MAX_PAGES:,} pages at most, not {geometry.pages:,}"
    if geometry.host_page > MAX_PAGE:
        return f"a host page has {MAX_PAGE:,} bytes at most, not {geometry.host_page:,}"
    return ""


def _contradiction(line: Line, first: Head) -> str:
    """How a line contradicts itself or the head; empty where it does not."""
    if line.host != line.thread.host:
        return f"the {line.thread} is no thread of {line.host!r}"
    if line.thread not in THREADS[line.step]:
        return f"{line.step.value!r} is a step of the {' or the '.join(THREADS[line.step])}, not of the {line.thread}"
    pages = [(line.page, 1)] if line.page is not None else []
    for begin, count in [*pages, *line.pages]:
        if begin < 0 or count < 1 or begin + count > first.pages:
            return f"there are no {count} pages from {begin} on: the guest has {first.pages}"
    return ""
