"""A parser that looks at the heads of pages alone reads what one reads that looks at all."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from postcopy.engine import messages as m
from postcopy.engine.errors import WireError
from postcopy.engine.wire import Begin
from postcopy.monitor.heads import AdjacentPages, HeadParser, Scattered, page_run
from tests.engine.recordings import CONNECTIONS, PAGE, Connection, stream_parser

STREAMS = [its for its in CONNECTIONS if its.to == "destination" and not its.is_multifd]


def pages(message: object) -> list[tuple[str, int]]:
    match message:
        case m.Page(block, offset):
            return [(block, offset)]
        case AdjacentPages(block, offset, count):
            return [(block, offset + n * PAGE) for n in range(count)]
        case Scattered(block, offsets):
            return [(block, offset) for offset in offsets.tolist()]
    return []


@pytest.mark.parametrize("connection", STREAMS, ids=lambda its: f"{its.run}-{its.number}")
@pytest.mark.parametrize("most", [1 << 18, 5000])
def test_the_same_pages_and_messages(connection: Connection, most: int) -> None:
    chosen, data = random.Random(most), connection.data
    parser = HeadParser(PAGE, connection.begin, opaque_devices=True, ram_section=connection.ram_section)
    found, others, at = [], [], 0
    while at < len(data):
        size = chosen.randint(1, most)
        room = parser.room()
        part = data[at : at + min(size, len(room))]
        room[: len(part)] = part
        parser.filled(len(part))
        at += len(part)
        while (message := parser.next_run()) is not None:
            its = pages(message)
            found += its
            if not its:
                others.append(message)
    reference = stream_parser(connection)
    reference.feed(data)
    expected = list(reference)
    assert found == [(its.block, its.offset) for its in expected if isinstance(its, m.Page)]
    assert others == [its for its in expected if not isinstance(its, m.Page)]


def records(*offsets: int, size: int = PAGE) -> bytes:
    first = struct.pack(">Q", offsets[0] | 8) + b"\x03ram" + bytes(size)
    return first + b"".join(struct.pack(">Q", offset | 0x28) + bytes(size) for offset in offsets[1:])


@pytest.mark.parametrize("offsets", [[*range(40)], [0, 9, 2, 7, 4, 1, 1, *range(20, 60, 3)], [0, 1, 2, 3], [0, 3, 2]])
def test_neighbours_and_others(offsets: list[int]) -> None:
    parser = HeadParser(PAGE, Begin.PREEMPT)
    parser.feed(records(*(PAGE * n for n in offsets)))
    assert isinstance(parser.next_run(), m.Page)
    found = parser.next_run()
    assert pages(found) == [("ram", PAGE * n) for n in offsets[1:]]
    assert type(found) is type(page_run("ram", np.array(offsets[1:], np.uint64) * np.uint64(PAGE), PAGE))
    assert parser.next_run() is None


@pytest.mark.parametrize("longest", [3, 40, 3000])
def test_pages_and_zeros_in_runs_of_any_length(longest: int) -> None:
    chosen = random.Random(longest)
    parts, expected = [records(0)], [0]
    while len(expected) < 2000:
        for kind, size in ((0x28, PAGE), (0x22, 1)):
            for _ in range(chosen.randint(1, longest if size == 1 else min(longest, 60))):
                neighbour = chosen.random() < 0.9
                expected.append(expected[-1] + PAGE if neighbour else PAGE * chosen.randrange(1 << 20))
                parts.append(struct.pack(">Q", expected[-1] | kind) + bytes(size))
    data = b"".join(parts)
    parser = HeadParser(PAGE, Begin.PREEMPT, room=1 << 20)
    found, at = [], 0
    while at < len(data):
        room = parser.room()
        part = data[at : at + min(len(room), chosen.randint(1, 1 << 20))]
        room[: len(part)] = part
        parser.filled(len(part))
        at += len(part)
        while (message := parser.next_run()) is not None:
            found += pages(message)
    assert found == [("ram", offset) for offset in expected]


def test_a_page_that_begins_nowhere_is_an_error() -> None:
    parser = HeadParser(PAGE, Begin.PREEMPT)
    parser.feed(records(0, PAGE, 2 * PAGE) + struct.pack(">Q", 1024 | 0x28) + bytes(PAGE))
    assert isinstance(parser.next_run(), m.Page)
    assert parser.next_run() == AdjacentPages("ram", PAGE, 2)
    with pytest.raises(WireError, match="no multiple"):
        parser.next_run()


def test_a_zero_page_that_is_not_zero_is_an_error() -> None:
    parser = HeadParser(PAGE, Begin.PREEMPT)
    parser.feed(records(0) + struct.pack(">QB", PAGE | 0x22, 0) + struct.pack(">QB", 2 * PAGE | 0x22, 7))
    assert isinstance(parser.next_run(), m.Page)
    assert parser.next_run() == AdjacentPages("ram", PAGE, 1)
    with pytest.raises(WireError, match="filled with 0x07"):
        parser.next_run()
