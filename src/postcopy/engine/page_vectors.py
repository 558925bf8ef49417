"""Records of pages between a socket and memory, by one system call for many: heads and contents are not side by side.

On the wire a head of eight bytes stands before each page. Here the heads are an array of their own; pages that are to
be sent stay where they are (`Records`), and those that arrive come to stand one after the other (`Slots`), as the
kernel wants them for placing. A vector of addresses and lengths says so. NumPy writes it, and libc takes it: a list
with an object for each head and page, as Python's own calls want it, takes longer than copying the pages.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from postcopy.engine.arrived import Buffer
from postcopy.engine.contents import Rows

HEAD = 8
"""Bytes before each page."""
AVAILABLE = sys.platform == "linux"
"""Whether the vectors are known: they are declared here as Linux has them."""
IOV_MAX = 1024
NO_SIGNAL = 0x4000  # MSG_NOSIGNAL

Heads: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
"""Numbers as they are on the wire: big-endian."""


class _Message(ctypes.Structure):
    """``struct msghdr``."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.c_void_p),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


@cache
def _call(name: str) -> Callable[[int, _Message, int], int]:
    prototype = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_int, ctypes.POINTER(_Message), ctypes.c_int, use_errno=True)
    return prototype((name, ctypes.CDLL(None)))


class _Vector:
    """Addresses and lengths, and from where on they are still to be gone through."""

    def __init__(self, count: int) -> None:
        self.entries = np.empty((count, 2), np.uintp)
        self._message = _Message(vector_length=count)
        self._at = self._cut = 0

    def start_at(self, entry: int, inside: int) -> None:
        """Go on within an entry; those before it are done."""
        whole = self.entries[self._at]
        whole[0] -= self._cut
        whole[1] += self._cut
        self._at, self._cut = entry, inside
        part = self.entries[entry]
        part[0] += inside
        part[1] -= inside

    def call(self, name: str, fd: int, flags: int) -> int:
        """Receive or send; how many bytes.

        Raises:
            OSError: as a socket's methods.
        """
        self._message.vector = address_of(self.entries) + self._at * self.entries.strides[0]
        self._message.vector_length = min(len(self.entries) - self._at, IOV_MAX)
        size: int = _call(name)(fd, self._message, flags)
        if size < 0:
            raise OSError(number := ctypes.get_errno(), os.strerror(number))
        return size


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where an array begins."""
    address: int = array.__array_interface__["data"][0]
    return address


@cache
def _steps(count: int, page_size: int) -> np.ndarray[Any, np.dtype[np.uintp]]:
    """Entries for heads and pages in turn, if both were to begin at address 0: four numbers for each page."""
    steps = np.arange(count, dtype=np.uintp)[:, None]
    return steps * np.array([HEAD, 0, page_size, 0], np.uintp) + np.array([0, HEAD, 0, page_size], np.uintp)


def _pairs(entries: np.ndarray[Any, np.dtype[np.uintp]], heads: Heads, rows: Rows) -> None:
    """Entries for heads and pages in turn."""
    count, size = rows.shape
    begin = np.array([address_of(heads), 0, address_of(rows), 0], np.uintp)
    np.add(_steps(1 << (count - 1).bit_length(), size)[:count], begin, out=entries.reshape(count, 4))


@cache
def _side_by_side(page_size: int) -> np.dtype[Any]:
    return np.dtype([("head", ">u8"), ("page", "u1", (page_size,))])


def _joined(heads: Heads, rows: Rows) -> memoryview:
    records = np.empty(len(rows), _side_by_side(rows.shape[1]))
    records["head"] = heads
    records["page"] = rows
    return records.data.cast("B")


class Records:
    """Pages with their heads, as they go out; the contents are not copied.

    Attributes:
        heads: one for each page.
        rows: the pages.
    """

    def __init__(self, heads: Heads, rows: Rows) -> None:
        self.heads, self.rows = heads, np.ascontiguousarray(rows)

    def __len__(self) -> int:
        """How many bytes they are."""
        return self.heads.nbytes + self.rows.nbytes

    def joined(self) -> memoryview:
        """A copy of all, as on the wire."""
        return _joined(self.heads, self.rows)


Part: TypeAlias = Buffer | Records
"""Of what is to be written."""


def joined(parts: Sequence[Part]) -> list[Buffer]:
    """The same bytes, without records."""
    return [part.joined() if isinstance(part, Records) else part for part in parts]


class Outgoing:
    """Bytes on their way out, records among them.

    Attributes:
        left: how many are still to be sent.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = [part if isinstance(part, Records) else np.frombuffer(part, np.uint8) for part in parts if part]
        self._vector = _Vector(sum(2 * len(p.rows) if isinstance(p, Records) else 1 for p in self._parts))
        entries, at = self._vector.entries, 0
        for part in self._parts:
            if isinstance(part, Records):
                _pairs(entries[at : at + 2 * len(part.rows)], part.heads, part.rows)
                at += 2 * len(part.rows)
            else:
                entries[at] = address_of(part), len(part)
                at += 1
        self.left = self._size = sum(map(len, self._parts))
        self._ends: np.ndarray[Any, np.dtype[np.int64]] | None = None

    def send(self, fd: int) -> None:
        """Send some.

        Raises:
            OSError: as a socket's method.
        """
        self.left -= self._vector.call("sendmsg", fd, NO_SIGNAL)
        if not self.left:
            return
        if self._ends is None:
            self._ends = self._vector.entries[:, 1].cumsum(dtype=np.int64)
        done = self._size - self.left
        entry = int(self._ends.searchsorted(done, "right"))
        self._vector.start_at(entry, done - (int(self._ends[entry - 1]) if entry else 0))


class Slots:
    """Room for records of pages that arrive: heads apart from the pages, and these one after the other.

    Args:
        count: of records.
        page_size: bytes of a page.
    """

    def __init__(self, count: int, page_size: int) -> None:
        self._heads = np.zeros(count, ">u8")
        self._pages: Rows = np.frombuffer(mmap.mmap(-1, count * page_size), np.uint8).reshape(count, page_size)
        self._record = HEAD + page_size
        self._vector = _Vector(2 * count)
        _pairs(self._vector.entries, self._heads, self._pages)
        self._taken = 0  # records
        self._filled = 0  # bytes, from the first record on

    @property
    def pending(self) -> int:
        """Bytes that are here and have not been taken."""
        return self._filled - self._taken * self._record

    @property
    def full(self) -> bool:
        """There is no room."""
        return self._filled == len(self._heads) * self._record

    @property
    def heads(self) -> Heads:
        """The heads that are here, the last perhaps of a page that is not whole."""
        count = (self._filled + self._record - HEAD) // self._record
        return self._heads[self._taken : count]

    @property
    def whole(self) -> int:
        """Records that are whole and have not been taken."""
        return self._filled // self._record - self._taken

    def put(self, begun: Buffer) -> None:
        """Begin with these bytes, of less than a record."""
        self._heads.view(np.uint8).data[: min(HEAD, len(begun))] = begun[:HEAD]
        self._pages[0].data[: max(0, len(begun) - HEAD)] = begun[HEAD:]
        self._taken, self._filled = 0, len(begun)

    def take(self, count: int) -> memoryview:
        """So many pages, which are lost when more is received."""
        rows = self._pages[self._taken : self._taken + count]
        self._taken += count
        if not self.pending:
            self._taken = self._filled = 0
        return rows.data

    def take_all(self) -> memoryview:
        """What is left as it was on the wire; then nothing is."""
        size, end = self.pending, -(-self._filled // self._record)
        data = _joined(self._heads[self._taken : end], self._pages[self._taken : end])[:size]
        self._taken = self._filled = 0
        return data

    def receive(self, fd: int) -> int:
        """Receive more, after what has not been taken; how many bytes.

        Raises:
            OSError: as a socket's method.
        """
        if self._taken and not self.whole:
            self._move_to_front()
        record, inside = divmod(self._filled, self._record)
        in_page = inside >= HEAD
        self._vector.start_at(2 * record + in_page, inside - HEAD * in_page)
        size = self._vector.call("recvmsg", fd, 0)
        self._filled += size
        return size

    def _move_to_front(self) -> None:
        begun, at = self.pending, self._taken
        self._heads[0] = self._heads[at]
        self._pages[0, : max(0, begun - HEAD)] = self._pages[at, : max(0, begun - HEAD)]
        self._taken, self._filled = 0, begun
