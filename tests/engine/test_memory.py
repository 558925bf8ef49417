"""The page table in software, without a guest process: who looks at missing memory and who brings it, step by step."""

from __future__ import annotations

import mmap
import os
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from postcopy.engine.guest import TableMemory
from postcopy.engine.memory import GuestOptions, GuestProcess, TableDestinationMemory

SIZE, PAGE = 4 * 4096, 4096


class Pair:
    """Both sides of one guest's memory: `destination` brings pages, `guest` (one vCPU and the device load) reads."""

    def __init__(self) -> None:
        options = GuestOptions(size=SIZE, target_page=PAGE, vcpus=1, memory="software")
        self._files = [os.memfd_create("memory"), os.memfd_create("table")]
        geometry = options.geometry()
        for fd, size in zip(self._files, (SIZE, 2 * geometry.pages), strict=True):
            os.ftruncate(fd, size)
        lines = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        self.lines = [ours for ours, _ in lines]
        process = SimpleNamespace(
            options=options,
            geometry=geometry,
            memfd=self._files[0],
            table=mmap.mmap(self._files[1], 2 * geometry.pages),
            fault_lines=self.lines,
        )
        self.destination = TableDestinationMemory(cast(GuestProcess, process))
        theirs = [its.detach() for _, its in lines]
        self.guest: Any = TableMemory(self._files[0], SIZE, PAGE, self._files[1], theirs)

    def interpretation(self, page: int) -> tuple[threading.Thread, list[bytes]]:
        """A vCPU that reads a page, and where it puts what it read; it has asked for the page when this returns."""
        read: list[bytes] = []
        thread = threading.Thread(target=lambda: read.append(self.guest.read(page, 0)), daemon=True)
        thread.start()
        assert self.lines[0].recv(8, socket.MSG_PEEK) == page.to_bytes(8, "little")
        return thread, read

    def close(self) -> None:
        """Nothing is left."""
        self.destination.close()
        for line in [*self.lines, *self.guest._faults]:
            line.close()
        for fd in self._files:
            os.close(fd)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_a_question_that_no_thread_reads_any_more_is_answered_at_the_end(pair: Pair) -> None:
    thread, read = pair.interpretation(0)
    pair.destination.place(range(1), b"a" * PAGE)
    pair.destination.release()
    thread.join(20)
    assert read == [b"a" * PAGE]


def test_an_answer_to_another_question_does_not_pass_for_the_page(pair: Pair) -> None:
    pair.lines[0].send(b"x")
    thread, read = pair.interpretation(1)
    thread.join(0.05)
    assert not read
    assert pair.destination.faults(20) == [(1, "vCPU 0")]
    pair.destination.place(range(1, 2), b"b" * PAGE)
    thread.join(20)
    assert read == [b"b" * PAGE]


def test_a_fault_that_comes_with_the_end_of_the_wait_is_returned(pair: Pair) -> None:
    """After a recovery the wait ends while the guest runs: nothing else would ask for the page."""
    thread, read = pair.interpretation(0)
    pair.destination.stop_faults()
    assert pair.destination.faults(20) == [(0, "vCPU 0")]
    assert pair.destination.faults(0) == []
    pair.destination.place(range(1), b"a" * PAGE)
    thread.join(20)
    assert read == [b"a" * PAGE]
