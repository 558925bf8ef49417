"""A new connection after a break: to the host of before and no other, and not for ever."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from postcopy.engine import reconnecting
from postcopy.engine.errors import ConnectionLost, EngineError, GuestError
from postcopy.engine.log import Step
from postcopy.engine.reconnecting import Patience, called, called_for_urgent, caller
from postcopy.engine.transport import Connection, Listener, Tls, _Callers, connect
from tests.engine.certificates import needs_openssl

HERE = f"127.0.0.1 user {os.geteuid()}".encode()
"""What a caller is known by."""
LONG = 20.0
"""Seconds that nothing here takes."""


def nothing() -> None:
    """Looks at nothing."""


def in_thread(wait: Callable[[], Connection]) -> tuple[threading.Thread, list[Connection | EngineError]]:
    found: list[Connection | EngineError] = []

    def run() -> None:
        try:
            found.append(wait())
        except EngineError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def until_it_listens(port: int, tls: Tls | None = None) -> Connection:
    end = time.monotonic() + LONG
    while True:
        try:
            return connect("127.0.0.1", port, LONG, tls)
        except EngineError:
            assert time.monotonic() < end
            time.sleep(0.02)


def first_connection(listener: Listener, tls: Tls | None = None) -> tuple[Connection, Connection]:
    """Of the destination, and of the source."""
    thread, found = in_thread(lambda: listener.accept(LONG))
    ours = connect("127.0.0.1", listener.port, LONG, tls)
    ours.send([b"x"])
    thread.join(LONG)
    (theirs,) = found
    assert isinstance(theirs, Connection)
    return theirs, ours


def test_the_same_source_is_accepted_at_the_same_port() -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    port = listener.port
    theirs, ours = first_connection(listener)
    assert theirs.peer == ours.peer + f" user {os.geteuid()}".encode() == HERE
    theirs.release()
    ours.release()
    wait = called(listener, theirs.peer)
    thread, found = in_thread(lambda: wait(LONG, nothing))
    again = until_it_listens(port)
    again.send([b"once more"])
    thread.join(LONG)
    (accepted,) = found
    assert isinstance(accepted, Connection)
    assert not accepted.broken
    room = memoryview(bytearray(16))
    assert bytes(room[: accepted.receive(room, LONG) or 0]) == b"once more"
    again.release()
    end = time.monotonic() + LONG
    while not accepted.broken and time.monotonic() < end:
        time.sleep(0.01)
    assert accepted.broken
    accepted.release()


def test_a_source_that_hangs_up_counts_as_a_connection_that_is_broken() -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    for one in first_connection(listener):
        one.release()
    thread, found = in_thread(lambda: called(listener, HERE)(LONG, nothing))
    until_it_listens(listener.port).release()
    thread.join(LONG)
    (accepted,) = found
    assert isinstance(accepted, Connection)
    assert accepted.broken
    accepted.release()


def test_a_caller_from_another_address_is_not_accepted() -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    for one in first_connection(listener):
        one.release()
    refused = threading.Event()

    def look() -> None:
        if refused.is_set():
            raise GuestError("waited long enough")

    thread, found = in_thread(lambda: called(listener, b"192.0.2.1")(LONG, look))
    stranger = until_it_listens(listener.port)
    stranger.send([b"x"])
    room = memoryview(bytearray(16))
    with suppress(ConnectionLost):  # it reset the connection, because of the byte that it has not read
        assert stranger.receive(room, LONG) == 0
    refused.set()
    thread.join(LONG)
    assert isinstance(found[0], GuestError)
    stranger.release()


def test_it_is_said_why_a_caller_was_not_accepted() -> None:
    callers = _Callers(LONG, None)
    callers.expect(b"192.0.2.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        strangers = [socket.create_connection(server.getsockname()) for _ in range(3)]
        for stranger in strangers:
            stranger.send(b"x")
            callers.hear(server.accept()[0])
    end = time.monotonic() + LONG
    while "callers: 3" not in callers.refused() and time.monotonic() < end:
        time.sleep(0.01)
    assert callers.refused() == "; refused callers: 3, the last because of: it is not the source that has called before"
    assert callers.accepted() is None
    callers.dismiss()
    for stranger in strangers:
        stranger.close()


def test_where_no_source_has_called_no_other_connection_is_waited_for() -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    with pytest.raises(ConnectionLost, match="no source has called"):
        listener.accept(0.0, more=True)
    assert listener._socket.fileno() == -1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_process_of_another_user_on_this_machine_is_not_accepted(host: str) -> None:
    listener = Listener(host, 0, LONG)
    thread, found = in_thread(lambda: listener.accept(LONG, more=True))
    ours = connect(host, listener.port, LONG)
    ours.send([b"x"])
    thread.join(LONG)
    (theirs,) = found
    assert isinstance(theirs, Connection)
    thread, found = in_thread(lambda: called_for_urgent(listener, LONG, theirs.peer)(nothing))
    strangers: list[Connection] = []

    def call() -> None:
        ctypes.CDLL(None).setfsuid(65534)  # of this thread alone
        strangers.append(connect(host, listener.port, LONG))

    stranger = threading.Thread(target=call)
    stranger.start()
    stranger.join(LONG)
    room = memoryview(bytearray(16))
    assert strangers[0].receive(room, LONG) == 0, "it is sent away"
    assert not found
    right = connect(host, listener.port, LONG)
    thread.join(LONG)
    (accepted,) = found
    assert isinstance(accepted, Connection)
    right.send([b"a page"])
    assert bytes(room[: accepted.receive(room, LONG) or 0]) == b"a page"
    for one in (ours, theirs, *strangers, right, accepted):
        one.release()


@needs_openssl
def test_under_tls_another_certificate_of_the_same_authority_is_not_accepted(
    certificates: Path,
) -> None:
    """The destination's own certificate is trusted, and is not the source's."""
    source, other = Tls(certificates / "source"), Tls(certificates / "destination")
    listener = Listener("127.0.0.1", 0, LONG, Tls(certificates / "destination"))
    theirs, ours = first_connection(listener, source)
    assert theirs.peer != ours.peer
    theirs.release()
    ours.release()
    wait = called(listener, theirs.peer)
    thread, found = in_thread(lambda: wait(LONG, nothing))
    stranger = until_it_listens(listener.port, other)
    stranger.send([b"x"])
    time.sleep(0.1)
    assert not found
    right = until_it_listens(listener.port, source)
    right.send([b"x"])
    thread.join(LONG)
    (accepted,) = found
    assert isinstance(accepted, Connection)
    assert accepted.peer == theirs.peer
    for one in (stranger, right, accepted):
        one.release()


def test_a_source_goes_to_the_destination_of_before_only() -> None:
    a, b = socket.socketpair()
    connections = [Connection(one, LONG) for one in (a, b)]
    for connection, peer in zip(connections, (b"before", b"another"), strict=True):
        connection.peer = peer
    assert caller(lambda: connections[0], b"before")() is connections[0]
    with pytest.raises(ConnectionLost, match="is not the destination of before"):
        caller(lambda: connections[1], b"before")()
    assert b.fileno() == -1, "it was closed"
    connections[0].release()


def test_a_port_that_is_not_free_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "GLANCE", 0.01)
    listener = Listener("127.0.0.1", 0, LONG)
    for one in first_connection(listener):
        one.release()
    taken = socket.create_server(("127.0.0.1", listener.port))
    with pytest.raises(EngineError, match="cannot listen on "):
        called(listener, HERE)(0.05, nothing)
    thread, found = in_thread(lambda: called(listener, HERE)(LONG, nothing))
    time.sleep(0.05)
    taken.close()
    again = until_it_listens(listener.port)
    again.send([b"x"])
    thread.join(LONG)
    assert isinstance(found[0], Connection)
    found[0].release()
    again.release()


def test_a_destination_without_a_guest_waits_no_longer() -> None:
    def look() -> None:
        raise GuestError("the guest process is gone")

    listener = Listener("127.0.0.1", 0, LONG)
    for one in first_connection(listener):
        one.release()
    begin = time.monotonic()
    with pytest.raises(GuestError):
        called(listener, HERE)(LONG, look)
    assert time.monotonic() - begin < LONG / 2


def test_patience_begins_anew_only_when_a_page_has_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counts: Counter[Step] = Counter()
    patience = Patience(10.0, counts, Step.PLACED)
    for at, pages, left in ((100, 0, 10), (104, 0, 6), (107, 5, 10), (112, 5, 5), (118, 5, -1), (119, 6, 10)):
        now[0], counts[Step.PLACED] = float(at), pages
        patience.pause()
        assert patience.left == left
