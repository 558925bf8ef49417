"""The stream from source to destination, of whose pages only the heads are looked at: no page is copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from postcopy.engine.arrived import U64
from postcopy.engine.messages import StreamMessage
from postcopy.engine.parsing import StreamParser
from postcopy.engine.wire import Ram

FULL, ZERO = Ram.PAGE | Ram.CONTINUE, Ram.ZERO | Ram.CONTINUE
HEAD = 8
MANY = 12
"""From so many pages on it is quicker to look at all heads at once."""
MOST = 1024
"""So many heads are looked at at once."""
FEW = 24
"""After so many pages of both kinds it is tried again whether many of one kind follow."""

Offsets: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]


@dataclass(frozen=True)
class AdjacentPages:
    """Pages of one block, each behind its neighbour.

    Attributes:
        block: the block's name.
        offset: where the first begins in it, in bytes.
        count: how many there are.
    """

    block: str
    offset: int
    count: int


@dataclass(frozen=True, eq=False)
class Scattered:
    """Pages of one block that came one right behind the other.

    Attributes:
        block: the block's name.
        offsets: where they begin in it, in bytes, in the order in which they came.
    """

    block: str
    offsets: Offsets

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.offsets)


PageRun: TypeAlias = AdjacentPages | Scattered


def page_run(block: str, offsets: Offsets, page_size: int) -> PageRun:
    """Some pages of a block, at least one, as they came."""
    if (offsets[1:] - offsets[:-1] == page_size).all():
        return AdjacentPages(block, int(offsets[0]), len(offsets))
    return Scattered(block, offsets)


class HeadParser(StreamParser):
    """A parser that gives pages as runs, whatever their order, and all other messages as they are."""

    def next_run(self) -> StreamMessage | PageRun | None:
        """The next pages, or else the next message; None where more bytes are needed.

        Raises:
            WireError: what comes next is no message; from then on always.
        """
        if self._read == self._ram_record and self._error is None and self._block is not None:
            there = self._end - self._at
            if there < HEAD:
                return None
            kind = self._buffer[self._at + HEAD - 1]
            if kind == FULL and there < HEAD + self.page_size:
                return None
            if kind in (FULL, ZERO):
                run = self._alike(self._block, kind) or self._any_pages(self._block)
                if run is not None:
                    return run
        return self.next_message()

    def _alike(self, block: str, kind: int) -> PageRun | None:
        """Many pages of one kind: their heads are equally far from each other."""
        at, length = self._at, HEAD + (self.page_size if kind == FULL else 1)
        count = min((self._end - at) // length, MOST)
        if count < MANY:
            return None
        heads = np.ndarray(count, ">u8", self._buffer, at, length).astype(np.uint64)
        others = heads & np.uint64(self.page_size - 1) != kind
        if kind == ZERO:
            others |= np.ndarray(count, np.uint8, self._buffer, at + HEAD, length) != 0
        first = others.tobytes().find(b"\1")
        if first >= 0:
            count, heads = first, heads[:first]
        if count < MANY:
            return None
        self._at = at + count * length
        return page_run(block, heads - np.uint64(kind), self.page_size)

    def _any_pages(self, block: str) -> PageRun | None:
        """A few pages with contents and pages of zeros, in any order: from one head to the next."""
        buffer, at, end = self._buffer, self._at, self._end
        head_of, below, full = U64.unpack_from, self.page_size - 1, HEAD + self.page_size
        found: list[int] = []
        while at + HEAD < end and len(found) < FEW:
            (head,) = head_of(buffer, at)
            kind = head & below
            if kind == FULL:
                after = at + full
            elif kind == ZERO and not buffer[at + HEAD]:
                after = at + HEAD + 1
            else:
                break
            if after > end:
                break
            found.append(head - kind)
            at = after
        self._at = at
        return page_run(block, np.array(found, np.uint64), self.page_size) if found else None
