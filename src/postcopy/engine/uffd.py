"""userfaultfd and the kernel's dirty log, through system calls. Linux only; numbers are from the kernel's headers.

A userfaultfd acts on the memory of the process that made it, and not on that of the process that holds the descriptor:
so the guest process makes it, and the engine uses it. `USER_MODE_ONLY` makes it work without privileges: the guest's
touches are in user mode.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import mmap
import os
import platform
import struct
from collections.abc import Iterator

from postcopy.engine.errors import GuestError

_CALL = {"x86_64": 323, "aarch64": 282}
_USER_MODE_ONLY = 1

_API, _REGISTER, _UNREGISTER = 0xC018AA3F, 0xC020AA00, 0x8010AA01
_COPY, _ZEROPAGE = 0xC028AA03, 0xC020AA04
_PAGEMAP_SCAN = 0xC0606610

MISSING_SHMEM, THREAD_ID = 1 << 5, 1 << 8
WP_SHMEM, WP_UNPOPULATED, WP_ASYNC = 1 << 12, 1 << 13, 1 << 15
MODE_MISSING, MODE_WP = 1, 2
_PAGEFAULT = 0x12
_IS_WRITTEN = 1 << 1
_WP_MATCHING, _CHECK_WPASYNC = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)
_PUNCH_HOLE = 0x02 | 0x01


def require_linux() -> None:
    """Refuse to begin where a guest's memory cannot be shared with it and watched.

    Raises:
        GuestError: this system is no Linux.
    """
    if not (hasattr(os, "memfd_create") and hasattr(_libc, "fallocate") and hasattr(_libc, "prctl")):
        raise GuestError(
            "a guest process needs Linux (memfd_create, userfaultfd), and this system is none; "
            "check, prove, simulate and conform work here, and so does a guest of QEMU (--qemu)"
        )


def create(features: int) -> int:
    """A userfaultfd of this process with these features; the descriptor is the caller's.

    Raises:
        GuestError: the kernel has none, does not permit it, or lacks a feature.
    """
    number = _CALL.get(platform.machine())
    if number is None:
        raise GuestError(f"userfaultfd is not known on {platform.machine()}")
    fd = _libc.syscall(number, os.O_CLOEXEC | os.O_NONBLOCK | _USER_MODE_ONLY)
    if fd < 0:
        raise GuestError(f"userfaultfd is not available here: {os.strerror(ctypes.get_errno())}")
    try:
        fcntl.ioctl(fd, _API, bytearray(struct.pack("=QQQ", 0xAA, features, 0)))
    except OSError as error:
        os.close(fd)
        raise GuestError(f"userfaultfd lacks a feature here: {error.strerror}") from None
    return int(fd)


def register(fd: int, address: int, length: int, mode: int) -> None:
    """Watch a part of memory: `MODE_MISSING` or `MODE_WP`."""
    fcntl.ioctl(fd, _REGISTER, bytearray(struct.pack("=QQQQ", address, length, mode, 0)))


def unregister(fd: int, address: int, length: int) -> None:
    """Stop watching a part of memory."""
    fcntl.ioctl(fd, _UNREGISTER, bytearray(struct.pack("=QQ", address, length)))


class Placer:
    """Places host pages through a userfaultfd, each whole and in one step, and wakes the threads that wait for them.

    Args:
        most: bytes that can be placed in one call.

    Attributes:
        staging: the buffer for pages that are to be placed: the kernel wants them without gaps.
    """

    def __init__(self, fd: int, most: int) -> None:
        self._fd = fd
        self.staging = mmap.mmap(-1, most)
        self._from = ctypes.addressof(ctypes.c_char.from_buffer(self.staging))

    def place(self, address: int, length: int, source: int | None = None) -> None:
        """Place so many bytes of the staging area, or of what begins at another address of this process.

        Raises:
            GuestError: there is a page already, or no guest any more.
        """
        self._call(_COPY, "=QQQQq", address, length, self._from if source is None else source)

    def place_zeros(self, address: int, length: int) -> None:
        """Place so many bytes of zeros; the same errors."""
        self._call(_ZEROPAGE, "=QQQq", address, length)

    def _call(self, request: int, layout: str, address: int, length: int, *source: int) -> None:
        done = 0
        while done < length:
            sources = [at + done for at in source]
            argument = bytearray(struct.pack(layout, address + done, *sources, length - done, 0, 0))
            try:
                fcntl.ioctl(self._fd, request, argument)
                return
            except BlockingIOError:  # some bytes were placed, or none: the guest's address space is just changing
                done += max(0, struct.unpack_from("=q", argument, len(argument) - 8)[0])
            except FileExistsError:
                raise GuestError(f"the page at 0x{address + done:x} is there already (R13)") from None
            except OSError as error:
                raise GuestError(f"cannot place the page at 0x{address + done:x}: {error.strerror}") from None


def read_faults(fd: int) -> Iterator[tuple[int, int]]:
    """Address and thread of every fault that waits to be read."""
    try:
        events = os.read(fd, 32 * 64)
    except BlockingIOError:
        return
    for at in range(0, len(events), 32):
        if events[at] == _PAGEFAULT:
            address, thread = struct.unpack_from("=QI", events, at + 16)
            yield address, thread


class DirtyLog:
    """The writes of a process to a part of its memory, which the kernel finds by write protection.

    The process has registered the part with `MODE_WP` and `WP_ASYNC`.
    """

    def __init__(self, pid: int, address: int, length: int) -> None:
        self._fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        self._address, self._length = address, length
        self._found = array.array("Q", bytes(24 * 4096))

    def take(self) -> list[tuple[int, int]]:
        """Offset and length, in bytes, of all that was written since the last time."""
        found: list[tuple[int, int]] = []
        at, end = self._address, self._address + self._length
        where, room = self._found.buffer_info()
        while at < end:
            argument = bytearray(
                struct.pack(
                    *("=12Q", 96, _WP_MATCHING | _CHECK_WPASYNC, at, end, 0, where, room // 3, 0),
                    *(0, _IS_WRITTEN, 0, _IS_WRITTEN),
                )
            )
            count = fcntl.ioctl(self._fd, _PAGEMAP_SCAN, argument)
            for begin, stop in zip(self._found[0 : 3 * count : 3], self._found[1 : 3 * count : 3], strict=True):
                found.append((begin - self._address, stop - begin))
            (at,) = struct.unpack_from("=Q", argument, 32)
        return found

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._fd)


def punch_hole(memfd: int, offset: int, length: int) -> None:
    """Discard a part of shared memory: it is missing then in every process that has mapped it."""
    if _libc.fallocate(memfd, _PUNCH_HOLE, ctypes.c_int64(offset), ctypes.c_int64(length)):
        raise GuestError(f"cannot discard memory: {os.strerror(ctypes.get_errno())}")


SYSTEM_PAGE = mmap.PAGESIZE
