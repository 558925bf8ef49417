"""Pages between a socket and memory without copies: the bytes are those of the plain way, however they are cut."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.engine import page_vectors
from postcopy.engine.errors import ConnectionLost
from postcopy.engine.messages import Footer, Header, Page, Pages, RamEnd, SectionStart, StreamMessage
from postcopy.engine.page_vectors import IOV_MAX, Records, joined
from postcopy.engine.parsing import SLOTS, StreamParser
from postcopy.engine.stream_reader import StreamReader
from postcopy.engine.transport import Connection
from postcopy.engine.writing import StreamWriter
from tests.engine.strategies import PAGE, chunked, long_streams, streams
from tests.engine.test_wire import each

needs_vectors = pytest.mark.skipif(not page_vectors.AVAILABLE, reason="the vectors are declared for Linux")
unhurried = settings(deadline=None, max_examples=50)  # the machine may be busy
HEAD: list[StreamMessage] = [Header(), SectionStart(2, "ram", 0, 4), Page("ram", 0, bytes(PAGE))]


@contextmanager
def ends() -> Iterator[tuple[Connection, Connection]]:
    """Both ends of a connection."""
    a, b = (Connection(end, 20) for end in socket.socketpair())
    try:
        yield a, b
    finally:
        a.release()
        b.release()


def arrived(reader: StreamReader, most: int, group: int = 1) -> Iterator[StreamMessage]:
    """All messages that are here, as single pages."""
    while True:
        try:
            message = reader.next_message(0, most, group)
        except ConnectionLost:
            return
        if isinstance(message, Pages):
            assert message.count <= most
            assert message.offset % (group * PAGE) == message.count % group == 0
        yield from each(message)


@unhurried
@given(st.data(), st.integers(1, 80), st.sampled_from([1, 2, 4]), st.booleans())
def test_pages_that_arrive_in_slots_are_those_that_were_sent(
    data: st.DataObject, most: int, group: int, handed_on: bool
) -> None:
    """Also where another process reads on from each place: it gets the parser."""
    messages = data.draw(st.one_of(long_streams(), streams()))
    sent = b"".join(StreamWriter().encode(messages))
    with ends() as (source, here):
        reader = StreamReader(here, StreamParser(PAGE))
        found: list[StreamMessage] = []
        for chunk in data.draw(st.composite(chunked)(sent)):
            for begin in range(0, len(chunk), 60_000):  # of which there is room at a time
                source.send([chunk[begin : begin + 60_000]])
                found += arrived(reader, most, group)
            if handed_on:
                reader.parser = pickle.loads(pickle.dumps(reader.parser))
    reader.parser.close()
    assert found == messages
    assert reader.parser.offset == len(sent)


def pages(count: int, first: int = 1) -> Pages:
    """Pages that all differ."""
    numbers = np.arange(first, first + count, dtype=np.uint16)
    return Pages("ram", first * PAGE, count, PAGE, np.repeat(numbers, PAGE // 2).data.cast("B"))


@needs_vectors
def test_a_run_comes_without_gaps_once_pages_have_come() -> None:
    with ends() as (source, here):
        reader, writer = StreamReader(here, StreamParser(PAGE)), StreamWriter()
        source.send(writer.parts([*HEAD, pages(2)]))
        assert [type(reader.next_message(5, 64)) for _ in range(4)] == [Header, SectionStart, Page, Pages]
        source.send(writer.parts([pages(SLOTS, 3), RamEnd(), Footer(2)]))
        run = reader.next_message(5, SLOTS)
        assert isinstance(run, Pages)
        assert isinstance(run.data, memoryview)
        assert (run.count, run.data.c_contiguous) == (SLOTS, True)
        assert run.data.tobytes() == bytes(pages(SLOTS, 3).data or b"")
        assert [reader.next_message(5, SLOTS) for _ in range(2)] == [RamEnd(), Footer(2)]


@pytest.mark.parametrize("available", [pytest.param(True, marks=needs_vectors), False])
def test_records_go_out_in_order_and_whole(monkeypatch: pytest.MonkeyPatch, available: bool) -> None:
    monkeypatch.setattr(page_vectors, "AVAILABLE", available)
    parts = StreamWriter().parts([*HEAD, pages(IOV_MAX), RamEnd(), pages(3), Footer(2)])
    assert any(isinstance(part, Records) for part in parts)
    expected = b"".join(joined(parts))
    with ends() as (source, here):
        source._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # so that every call writes a part
        sender = threading.Thread(target=source.send, args=(parts,))
        sender.start()
        room, found = memoryview(bytearray(5000)), bytearray()
        while len(found) < len(expected):
            found += room[: here.receive(room, 20) or 0]
        sender.join()
    assert found == expected


@needs_vectors
def test_who_does_not_read_records_is_given_up() -> None:
    with ends() as (source, _):
        source.timeout = 0.01
        with pytest.raises(ConnectionLost, match="has read nothing for"):
            source.send([Records(np.zeros(5000, ">u8"), np.zeros((5000, PAGE), np.uint8))])


@needs_vectors
def test_records_for_a_closed_connection() -> None:
    with ends() as (source, here):
        here.release()
        with pytest.raises(ConnectionLost, match="the other side closed the connection"):
            source.send([Records(np.zeros(1, ">u8"), np.zeros((1, PAGE), np.uint8))])
