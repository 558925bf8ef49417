"""Of two connections that are made at once, the one that says something is the stream, and the other is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from postcopy.engine.errors import ConnectionLost
from postcopy.engine.old_machines import opens_urgent_early
from postcopy.engine.reconnecting import called_for_urgent
from postcopy.engine.transport import Connection, Listener, Tls, connect
from tests.engine.certificates import needs_openssl

LONG = 20.0
"""Seconds that nothing here takes."""


@pytest.fixture
def end() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def two_callers(end: ExitStack, listener: Listener, tls: Tls | None, *, early: bool) -> tuple[Connection, Connection]:
    """The first connection, which is accepted; and the other end of a second one, on which nothing is said, and which
    was made before the first said anything."""
    stream: list[Connection] = []
    thread = threading.Thread(target=lambda: stream.append(listener.accept(LONG, more=True, early=early)))
    thread.start()
    silent = connect("127.0.0.1", listener.port, LONG, tls)
    first = connect("127.0.0.1", listener.port, LONG, tls)
    first.send([b"QEVM"])
    thread.join(LONG)
    for one in (silent, first, *stream):
        end.callback(one.release)
    end.callback(listener.close)
    assert read(stream[0]) == b"QEVM"
    return stream[0], silent


def read(connection: Connection) -> bytes:
    room = memoryview(bytearray(16))
    return bytes(room[: connection.receive(room, LONG) or 0])


def nothing() -> None:
    """Looks at nothing."""


def test_a_connection_that_was_made_at_once_is_the_second(end: ExitStack) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    stream, silent = two_callers(end, listener, None, early=True)
    second = called_for_urgent(listener, LONG, stream.peer)(nothing)
    end.callback(second.release)
    silent.send([b"a page"])
    assert read(second) == b"a page"


@needs_openssl
def test_so_it_is_under_tls(end: ExitStack, certificates: Path) -> None:
    listener = Listener("127.0.0.1", 0, LONG, Tls(certificates / "destination"))
    stream, silent = two_callers(end, listener, Tls(certificates / "source"), early=True)
    second = called_for_urgent(listener, LONG, stream.peer)(nothing)
    end.callback(second.release)
    silent.send([b"a page"])
    assert read(second) == b"a page"


def test_where_none_can_be_made_so_early_the_caller_is_sent_away(end: ExitStack) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    stream, silent = two_callers(end, listener, None, early=False)
    assert read(silent) == b""
    with pytest.raises(ConnectionLost, match="no source has called"):
        called_for_urgent(listener, 0.1, stream.peer)(nothing)


def test_it_is_sent_away_too_where_the_stream_says_so(end: ExitStack) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    _, silent = two_callers(end, listener, None, early=True)
    listener.send_away()
    assert read(silent) == b""


def test_a_kept_caller_that_is_somebody_else_is_not_accepted(end: ExitStack) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    _, silent = two_callers(end, listener, None, early=True)
    with pytest.raises(ConnectionLost, match="it is not the source that has called before"):
        called_for_urgent(listener, 2.0, b"192.0.2.1")(nothing)
    assert read(silent) == b""


@pytest.mark.parametrize(
    ("machine", "early"),
    [
        ("pc-i440fx-7.2", True),
        ("pc-q35-7.1", True),
        ("virt-6.2", True),
        ("pc-i440fx-8.0", False),
        ("pc-i440fx-11.1", False),
        ("pc-q35-10.0", False),
        ("microvm", False),
    ],
)
def test_which_machines_are_old(machine: str, early: bool) -> None:
    assert opens_urgent_early(machine) is early
