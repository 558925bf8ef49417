"""TLS with certificates of both sides, loopback otherwise; a peer without a trusted certificate is refused."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from postcopy.engine.errors import ConnectionLost, EngineError
from postcopy.engine.messages import (
    Advise,
    Configuration,
    Header,
    OpenReturnPath,
    Packaged,
    Page,
    StreamMessage,
)
from postcopy.engine.run import Network, run_destination, run_source
from postcopy.engine.source import MACHINE
from postcopy.engine.source_host import SourceOptions
from postcopy.engine.transport import Connection, Listener, Tls, check_allowed, connect
from postcopy.engine.writing import StreamWriter
from tests.engine.certificates import needs_openssl
from tests.engine.live import SOFTWARE, migrate

ROOM = memoryview(bytearray(64))


@needs_openssl
def test_a_migration_under_tls(certificates: Path) -> None:
    source, destination = migrate(SOFTWARE, tls=(certificates / "source", certificates / "destination"))
    assert source.report.outcome == "completed"
    assert destination.guest
    assert destination.guest.damage == []


def pair(certificates: Path, client: str | None) -> tuple[list[Exception], Exception | None]:
    """A source calls a destination that wants TLS: errors there and here."""
    listener = Listener("127.0.0.1", 0, 5.0, Tls(certificates / "destination"))
    there: list[Exception] = []

    def accept() -> None:
        try:
            listener.accept(0.5).release()
        except EngineError as error:
            there.append(error)

    thread = threading.Thread(target=accept)
    thread.start()
    here: Exception | None = None
    caller: Connection | None = None
    try:
        caller = connect("127.0.0.1", listener.port, 5.0, Tls(certificates / client) if client else None)
        caller.send([b"hello, this is no TLS"])
        caller.receive(ROOM)
    except EngineError as error:
        here = error
    if caller:
        caller.release()
    thread.join()
    return there, here


@needs_openssl
def test_a_stranger_is_refused(certificates: Path) -> None:
    (error,), _ = pair(certificates, "stranger")
    assert "TLS: " in str(error)
    assert "certificate" in str(error) or "unknown" in str(error)


@needs_openssl
def test_one_without_tls_is_refused(certificates: Path) -> None:
    (error,), _ = pair(certificates, None)
    assert "TLS: " in str(error)


@needs_openssl
def test_a_destination_of_another_authority_is_refused(certificates: Path) -> None:
    trusting_nobody = certificates / "trusting"
    shutil.copytree(certificates / "source", trusting_nobody)
    shutil.copy(certificates / "other-ca" / "cert.pem", trusting_nobody / "ca.pem")
    _, error = pair(certificates, "trusting")
    assert isinstance(error, ConnectionLost)
    assert "TLS: " in str(error)


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"needs ca.pem, cert.pem and key.pem \(No such file"):
        Tls(tmp_path).context(server=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_needs_no_tls(host: str) -> None:
    check_allowed(host, None, insecure=False)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "migration.example", "2001:db8::1"])
def test_another_machine_is_refused_without_tls(host: str) -> None:
    with pytest.raises(EngineError, match=f"{host} is another machine: guest memory would cross the network"):
        check_allowed(host, None, insecure=False)
    check_allowed(host, None, insecure=True)
    check_allowed(host, Tls(Path()), insecure=False)


def test_who_does_not_call_and_who_is_not_there() -> None:
    with pytest.raises(ConnectionLost, match=r"no source has called within 0.01 s"):
        Listener("127.0.0.1", 0, 1.0).accept(0.01)
    closed = Listener("127.0.0.1", 0, 1.0)
    with pytest.raises(EngineError, match="cannot listen on"):
        Listener("127.0.0.1", closed.port, 1.0)
    closed._socket.close()
    with pytest.raises(EngineError, match="cannot reach"):
        connect("127.0.0.1", closed.port, 1.0)


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, 10.0)
    yield connection, theirs
    connection.release()
    theirs.close()


def test_many_buffers_go_out_in_order(ends: tuple[Connection, socket.socket]) -> None:
    connection, theirs = ends
    buffers = [bytes([n % 256]) * (n % 700) for n in range(3000)]
    found = bytearray()

    def read() -> None:
        while len(found) < sum(map(len, buffers)):
            found.extend(theirs.recv(4096))

    thread = threading.Thread(target=read)
    thread.start()
    assert connection.send(buffers) == sum(map(len, buffers))
    thread.join()
    assert found == b"".join(buffers)


def test_who_does_not_read_is_given_up(ends: tuple[Connection, socket.socket]) -> None:
    connection, _ = ends
    connection.timeout = 0.05
    with pytest.raises(ConnectionLost, match=r"the other side has read nothing for 0.05 s"):
        connection.send([bytes(1 << 24)])


def test_what_was_closed_here(ends: tuple[Connection, socket.socket]) -> None:
    connection, _ = ends
    assert connection.receive(ROOM, 0.01) is None
    connection.close()
    assert connection.receive(ROOM) == 0
    with pytest.raises(ConnectionLost):
        connection.send([b"x"])


LIARS: list[tuple[str, list[StreamMessage | bytes], str]] = [
    ("sends noise", [b"GET / HTTP/1.1\r\n\r\n"], "is not QEVM"),
    ("is another machine", [Header(), Configuration("pc")], "the machine is pc there"),
    (
        "claims a package of 4 GiB",
        [Header(), b"\x08\0\x07\0\x04\xff\xff\xff\xff"],
        "the package claims 4294967295 bytes",
    ),
    (
        "has other pages",
        [Header(), Configuration(MACHINE), OpenReturnPath(), Advise(1 << 40, 1 << 40)],
        "host and target pages have 1099511627776",
    ),
    (
        "sends a page to nowhere",
        [
            Header(),
            Configuration(MACHINE),
            OpenReturnPath(),
            b"\x01\0\0\0\x02\x03ram\0\0\0\0\0\0\0\x04",
            Page("x", 0, None),
        ],
        "a page comes before the sizes of memory",
    ),
    ("sends the package first", [Header(), Configuration(MACHINE), Packaged(b"")], "PACKAGED comes in NONE"),
]


@pytest.mark.parametrize(("liar", "says", "why"), LIARS, ids=[name for name, _, _ in LIARS])
def test_a_source_that(liar: str, says: list[StreamMessage | bytes], why: str) -> None:
    writer = StreamWriter()
    data = b"".join(m if isinstance(m, bytes) else b"".join(writer.encode([m])) for m in says)
    callers: list[socket.socket] = []

    def call(_: str, port: int) -> None:
        callers.append(socket.create_connection(("127.0.0.1", port)))
        callers[0].sendall(data)

    result = run_destination(SOFTWARE, Network(timeout=5.0, patience=5.0), keep_log=False, announce=call)
    callers[0].close()
    assert why in result.report.why
    assert result.guest is None


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"\0\x09\0\0", "unknown reply 9"),
        (b"\0\x01\0\x04\0\0\0\0", "SHUT comes in PRECOPY, not after the end of the stream (R24)"),
        (b"\0\x03\0\x16\0\0\0\0\0\0\0\0\0\0\x10\0\x09guest.ram", "a request comes in PRECOPY"),
    ],
)
def test_a_destination_that_lies_costs_the_source_nothing(reply: bytes, why: str) -> None:

    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def lie() -> None:
        caller, _ = server.accept()
        seen = b""
        while b"guest.ram" not in seen:  # precopy has begun
            seen += caller.recv(1 << 16)
        caller.sendall(reply)
        while caller.recv(1 << 16):
            pass
        caller.close()
        done.set()

    threading.Thread(target=lie, daemon=True).start()
    network = Network(port=server.getsockname()[1], timeout=5.0)
    result = run_source(SOFTWARE, SourceOptions(switch="60", timeout=5.0), network, keep_log=False)
    assert done.wait(10)
    server.close()
    assert why in result.report.why
    assert result.report.guest_runs_here
    assert result.guest
    assert result.guest.damage == []
