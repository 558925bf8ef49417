"""A destination that waits: the right source is accepted, whatever else calls; and no peer holds a host up for ever."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from postcopy.engine import transport
from postcopy.engine.errors import ConnectionLost
from postcopy.engine.messages import Configuration, Header, Packaged, StreamMessage
from postcopy.engine.run import Network, run_destination
from postcopy.engine.source import MACHINE
from postcopy.engine.transport import Connection, Listener, Tls, connect
from postcopy.engine.writing import StreamWriter
from tests.engine.certificates import needs_openssl
from tests.engine.live import SOFTWARE, migrate

LONG = 20.0
"""Seconds that nothing here takes."""
Stranger = Callable[[int, Path], socket.socket]
"""Calls a port, and returns its socket, which stays open."""


def call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def says(data: bytes) -> Stranger:
    def stranger(port: int, _: Path) -> socket.socket:
        caller = call(port)
        caller.sendall(data)
        return caller

    return stranger


def hangs_up(port: int, _: Path) -> socket.socket:
    caller = call(port)
    caller.close()
    return caller


def resets(port: int, _: Path) -> socket.socket:
    caller = call(port)
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()
    return caller


def drips(port: int, _: Path) -> socket.socket:
    """A byte now and then, of a TLS record that could be one."""
    caller = call(port)

    def drip() -> None:
        with suppress(OSError):
            for byte in b"\x16\x03\x01\x02\x00" + bytes(512):
                caller.sendall(bytes([byte]))
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    return caller


def has_another_certificate(port: int, certificates: Path) -> socket.socket:
    with suppress(ConnectionLost):
        return connect("127.0.0.1", port, LONG, Tls(certificates / "stranger"))._socket
    return call(port)


STRANGERS: dict[str, Stranger] = {
    "says nothing": says(b""),
    "hangs up": hangs_up,
    "resets": resets,
    "speaks HTTP": says(b"GET / HTTP/1.1\r\n\r\n"),
    "speaks without TLS": says(b"QEVM\0\0\0\3"),
    "drips": drips,
    "has another certificate": has_another_certificate,
}


@pytest.fixture
def accepting() -> Iterator[Callable[[Listener], list[Connection | ConnectionLost]]]:
    """Lets a listener wait in a thread; gives the list into which the result goes."""
    threads: list[threading.Thread] = []
    made: list[list[Connection | ConnectionLost]] = []

    def begin(listener: Listener, patience: float = LONG) -> list[Connection | ConnectionLost]:
        result: list[Connection | ConnectionLost] = []

        def accept() -> None:
            try:
                result.append(listener.accept(patience))
            except ConnectionLost as error:
                result.append(error)

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        made.append(result)
        return result

    yield begin
    for thread in threads:
        thread.join()
    for result in made:
        for one in result:
            if isinstance(one, Connection):
                one.release()


def wait_for(result: list[Connection | ConnectionLost], seconds: float = LONG) -> Connection | ConnectionLost:
    end = time.monotonic() + seconds
    while not result:
        assert time.monotonic() < end, "nothing was accepted"
        time.sleep(0.01)
    return result[0]


@needs_openssl
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_neither_ends_the_wait_nor_holds_it_up(
    stranger: str, certificates: Path, accepting: Callable[..., list[Connection | ConnectionLost]]
) -> None:
    listener = Listener("127.0.0.1", 0, LONG, Tls(certificates / "destination"))
    result = accepting(listener)
    with closing(STRANGERS[stranger](listener.port, certificates)):
        time.sleep(0.1)
        source = connect("127.0.0.1", listener.port, LONG, Tls(certificates / "source"))
        accepted = wait_for(result)
        assert isinstance(accepted, Connection)
        source.send([b"the right one"])
        room = memoryview(bytearray(64))
        size = accepted.receive(room, LONG)
        assert bytes(room[: size or 0]) == b"the right one"
        source.release()


@pytest.mark.parametrize("stranger", ["says nothing", "hangs up", "resets"])
def test_without_tls_the_first_that_says_something_is_the_source(
    stranger: str, accepting: Callable[..., list[Connection | ConnectionLost]]
) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    result = accepting(listener)
    with closing(STRANGERS[stranger](listener.port, Path())), closing(call(listener.port)) as source:
        source.sendall(b"QEVM")
        accepted = wait_for(result)
        assert isinstance(accepted, Connection)
        room = memoryview(bytearray(64))
        assert accepted.receive(room, LONG) == 4, "what was looked at is still there"


def test_a_crowd_of_strangers_keeps_no_source_out(
    monkeypatch: pytest.MonkeyPatch, accepting: Callable[..., list[Connection | ConnectionLost]]
) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    monkeypatch.setattr(transport, "MOST_CALLERS", 4)
    result = accepting(listener)
    crowd = [call(listener.port) for _ in range(20)]
    with closing(call(listener.port)) as source:
        source.sendall(b"QEVM")
        assert isinstance(wait_for(result), Connection)
    for one in crowd:
        one.close()


def test_of_two_sources_one_is_accepted_and_the_other_hears_so(
    accepting: Callable[..., list[Connection | ConnectionLost]],
) -> None:
    listener = Listener("127.0.0.1", 0, LONG)
    result = accepting(listener)
    both = [call(listener.port), call(listener.port)]
    both[1].sendall(b"QEVM")
    assert isinstance(wait_for(result), Connection)
    both[0].settimeout(LONG)
    with suppress(ConnectionResetError):
        assert both[0].recv(1) == b""
    for one in both:
        one.close()


@needs_openssl
def test_the_wait_has_one_deadline_whatever_calls(
    certificates: Path, accepting: Callable[..., list[Connection | ConnectionLost]]
) -> None:
    listener = Listener("127.0.0.1", 0, 0.2, Tls(certificates / "destination"))
    start = time.monotonic()
    result = accepting(listener, 2.0)
    callers = [STRANGERS[name](listener.port, certificates) for name in ("drips", "hangs up", "speaks HTTP")]
    refused = wait_for(result)
    assert 2.0 <= time.monotonic() - start < LONG
    assert isinstance(refused, ConnectionLost)
    assert str(refused).startswith("no source has called within 2 s; refused callers: 3, the last because of: TLS: ")
    for one in callers:
        one.close()


# -- deadlines of a connection ----------------------------------------------------------------------------------------


@needs_openssl
def test_a_destination_that_drips_does_not_hold_a_source_up(certificates: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def drip() -> None:
            caller, _ = server.accept()
            with suppress(OSError), caller:
                for byte in b"\x16\x03\x03\x20\x00" + bytes(512):
                    caller.sendall(bytes([byte]))
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(ConnectionLost, match=r"TLS: the other side has not ended the handshake within 0.5 s"):
            connect("127.0.0.1", server.getsockname()[1], 0.5, Tls(certificates / "source"))
        assert time.monotonic() - start < LONG, "all bytes take longer"


@needs_openssl
def test_a_record_that_does_not_end_is_not_waited_for(
    certificates: Path, accepting: Callable[..., list[Connection | ConnectionLost]]
) -> None:
    listener = Listener("127.0.0.1", 0, LONG, Tls(certificates / "destination"))
    result = accepting(listener)
    source = connect("127.0.0.1", listener.port, LONG, Tls(certificates / "source"))
    accepted = wait_for(result)
    assert isinstance(accepted, Connection)
    going_on = threading.Event()

    def drip() -> None:
        with suppress(OSError):
            for byte in b"\x17\x03\x03\x20\x00" + bytes(512):
                source._socket.sendall(bytes([byte]))
                time.sleep(0.05)
                going_on.set()

    threading.Thread(target=drip, daemon=True).start()
    assert going_on.wait(LONG)
    start = time.monotonic()
    assert accepted.receive(memoryview(bytearray(64)), 0.4) is None
    assert time.monotonic() - start < LONG, "all bytes take longer"
    source.release()


SLOW: list[tuple[str, list[StreamMessage]]] = [
    ("the header", [Header()]),
    ("the configuration", [Header(), Configuration(MACHINE)]),
    ("a package", [Header(), Configuration(MACHINE), Packaged(bytes(2000))]),
]


@pytest.mark.parametrize(("what", "messages"), SLOW, ids=[what for what, _ in SLOW])
def test_a_message_that_drips_is_given_up(what: str, messages: list[StreamMessage]) -> None:
    data = b"".join(b"".join(StreamWriter().encode([message])) for message in messages)
    last = len(b"".join(b"".join(StreamWriter().encode([message])) for message in messages[:-1]))
    callers: list[socket.socket] = []

    def drip() -> None:
        with suppress(OSError):
            callers[0].sendall(data[:last])
            for byte in data[last:]:
                callers[0].sendall(bytes([byte]))
                time.sleep(0.3)

    def announce(_: str, port: int) -> None:
        callers.append(call(port))
        threading.Thread(target=drip, daemon=True).start()

    start = time.monotonic()
    result = run_destination(SOFTWARE, Network(timeout=0.7, patience=LONG), keep_log=False, announce=announce)
    callers[0].close()
    assert time.monotonic() - start < 2 * LONG
    assert result.report.why == "the source has sent only a part of a message for 0.7 s"
    assert result.report.outcome == "failed"


@needs_openssl
def test_a_migration_arrives_although_strangers_call(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strangers: list[socket.socket] = []
    begin = Listener.accept

    def accept(self: Listener, timeout: float, **how: Any) -> Connection:
        strangers.extend(STRANGERS[name](self.port, certificates) for name in ("drips", "speaks HTTP", "says nothing"))
        return begin(self, timeout, **how)

    monkeypatch.setattr(Listener, "accept", accept)
    source, destination = migrate(SOFTWARE, tls=(certificates / "source", certificates / "destination"))
    assert source.report.outcome == "completed"
    assert destination.guest
    assert destination.guest.damage == []
    for one in strangers:
        one.close()
