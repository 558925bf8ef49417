"""Messages from a connection: in order, looked at beforehand or not, and what is said where none comes."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from postcopy.engine.errors import ConnectionLost
from postcopy.engine.messages import Eof, Header, Ping
from postcopy.engine.parsing import StreamParser
from postcopy.engine.stream_reader import StreamReader
from postcopy.engine.transport import Connection
from tests.engine.kept import stream


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, StreamReader]]:
    """The source's end, and a reader at the other."""
    source, here = socket.socketpair()
    connection = Connection(here, 5)
    yield source, StreamReader(connection, StreamParser(4096))
    source.close()
    connection.release()


def test_what_was_looked_at_comes_once_more(ends: tuple[socket.socket, StreamReader]) -> None:
    source, reader = ends
    source.sendall(stream([Header(), Ping(1), Ping(2), Eof()]))
    first = [reader.next_message(1), reader.next_message(1)]
    reader.give_again(first)
    assert [reader.next_message(1) for _ in range(4)] == [Header(), Ping(1), Ping(2), Eof()]


@pytest.mark.parametrize(
    ("data", "closed", "why"),
    [
        (b"", False, "the source has sent nothing for 0.01 s"),
        (b"QEV", False, "the source has sent only a part of a message for 0.01 s"),
        (b"", True, "the source closed the connection"),
        (b"QEV", True, "the source closed the connection within a message"),
    ],
)
def test_where_no_message_comes(ends: tuple[socket.socket, StreamReader], data: bytes, closed: bool, why: str) -> None:
    source, reader = ends
    source.sendall(data)
    if closed:
        source.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost) as error:
        reader.next_message(0.01 if not closed else 5)
    assert str(error.value) == why
