"""The valve between two hosts that are sockets of the test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from postcopy.engine.messages import Advise, OpenReturnPath, Ping, Pong, Request, Shut
from postcopy.engine.return_path import ReplyWriter
from postcopy.engine.wire import COMMAND, MAGIC, VERSION, Tag
from postcopy.replay.messages import Kind
from postcopy.replay.valve import Connection, Role, Valve

HEAD = MAGIC.to_bytes(4) + VERSION.to_bytes(4)
SOON, NEVER = 5.0, 0.2


def command(message: OpenReturnPath | Ping | Advise) -> bytes:
    return COMMAND.pack(Tag.COMMAND, message.code, message.layout.size) + message.written()


OPEN, PING, OTHER_PING = command(OpenReturnPath()), command(Ping(1)), command(Ping(4))
ADVISE = command(Advise(4096, 4096))
PONG, SHUT = (ReplyWriter().encode(reply) for reply in (Pong(1), Shut(0)))


class Ends:
    """A valve, and the sockets of both hosts."""

    def __init__(self, directory: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "destination"))
        self.listener.listen()
        self.valve = Valve(directory / "source", directory / "destination")
        self.sockets = [self.listener]
        self.source = self.connect()
        self.main = self.waiting()
        assert self.valve.connect(self.main) == ""
        self.destination = self.accept()

    def connect(self) -> socket.socket:
        end = socket.socket(socket.AF_UNIX)
        end.connect(str(self.valve.address))
        end.settimeout(SOON)
        self.sockets.append(end)
        return end

    def accept(self) -> socket.socket:
        end = self.listener.accept()[0]
        end.settimeout(SOON)
        self.sockets.append(end)
        return end

    def waiting(self, role: Role = "main") -> Connection:
        found = self.valve.waiting(role, SOON)
        assert found is not None
        return found

    def read(self, end: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size and (part := end.recv(size - len(data))):
            data += part
        return data

    def nothing_comes(self, end: socket.socket) -> bool:
        end.settimeout(NEVER)
        try:
            end.recv(1)  # a byte, or the end
            return False
        except TimeoutError:
            return True
        finally:
            end.settimeout(SOON)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    made = Ends(tmp_path)
    yield made
    made.valve.close()
    for each in made.sockets:
        each.close()


def test_a_message_waits_until_it_is_let_through(ends: Ends) -> None:
    way = ends.main.to_destination
    ends.source.sendall(HEAD + OPEN + PING)
    assert ends.valve.sent(way, Kind.PING, SOON)
    assert ends.read(ends.destination, len(HEAD)) == HEAD
    assert ends.nothing_comes(ends.destination)
    assert ends.valve.let_through(way, Kind.OPEN, SOON)
    assert ends.read(ends.destination, len(OPEN)) == OPEN
    assert ends.nothing_comes(ends.destination)


def test_what_the_models_leave_out_passes_with_what_stands_before_it(ends: Ends) -> None:
    way = ends.main.to_destination
    ends.source.sendall(HEAD + OPEN + OTHER_PING + ADVISE)
    assert ends.valve.let_through(way, Kind.OPEN, SOON)
    assert ends.read(ends.destination, len(HEAD + OPEN + OTHER_PING)) == HEAD + OPEN + OTHER_PING
    assert ends.nothing_comes(ends.destination)
    ends.source.sendall(OTHER_PING)
    assert ends.nothing_comes(ends.destination)


def test_a_kind_that_is_repeated_stays_let_through(ends: Ends) -> None:
    way = ends.main.to_source
    writer = ReplyWriter()
    requests = [writer.encode(Request("pc.ram", n << 12, 4096)) for n in range(3)]
    ends.destination.sendall(requests[0])
    assert ends.valve.let_through(way, Kind.REQUEST, SOON)
    ends.destination.sendall(requests[1] + SHUT + requests[2])
    assert ends.read(ends.source, len(requests[0] + requests[1])) == requests[0] + requests[1]
    assert ends.nothing_comes(ends.source)


def test_what_is_not_sent_is_not_let_through(ends: Ends) -> None:
    ends.source.sendall(HEAD + OPEN)
    assert not ends.valve.let_through(ends.main.to_destination, Kind.PING, NEVER)
    assert not ends.valve.sent(ends.main.to_source, Kind.PONG, NEVER)


def test_the_second_of_a_kind_is_asked_for_after_the_first(ends: Ends) -> None:
    way = ends.main.to_source
    ends.destination.sendall(PONG)
    assert ends.valve.sent(way, Kind.PONG, SOON)
    assert not ends.valve.sent(way, Kind.PONG, NEVER)


def test_after_a_break_nothing_counts_as_sent_and_no_end_is_seen(ends: Ends) -> None:
    ends.source.sendall(HEAD + OPEN)
    assert ends.valve.sent(ends.main.to_destination, Kind.OPEN, SOON)
    ends.valve.break_connections("main")
    ends.source.sendall(PING)
    assert not ends.valve.sent(ends.main.to_destination, Kind.PING, NEVER)
    assert ends.valve.let_through(ends.main.to_destination, Kind.OPEN, SOON)
    assert ends.read(ends.destination, len(HEAD + OPEN)) == HEAD + OPEN
    assert ends.nothing_comes(ends.destination)
    ends.valve.show_end(ends.main, "destination")
    assert ends.destination.recv(1) == b""


def test_the_end_of_one_host_is_shown_to_the_other_when_that_is_asked_for(ends: Ends) -> None:
    ends.source.sendall(HEAD + OPEN)
    ends.source.shutdown(socket.SHUT_RDWR)
    assert ends.valve.let_through(ends.main.to_destination, Kind.OPEN, SOON)
    assert ends.read(ends.destination, len(HEAD + OPEN)) == HEAD + OPEN
    assert ends.nothing_comes(ends.destination)
    ends.valve.show_end(ends.main, "destination")
    assert ends.destination.recv(1) == b""


def test_the_newest_message_can_be_lost(ends: Ends) -> None:
    way = ends.main.to_destination
    ends.source.sendall(HEAD + OPEN + PING + ADVISE)
    assert ends.valve.sent(way, Kind.ADVISE, SOON)
    assert ends.valve.lose_newest(way) is Kind.ADVISE
    assert ends.valve.let_through(way, Kind.PING, SOON)
    assert ends.read(ends.destination, len(HEAD + OPEN + PING)) == HEAD + OPEN + PING
    assert ends.valve.lose_newest(way) is None


def test_a_message_can_be_sent_in_the_place_of_a_host(ends: Ends) -> None:
    way = ends.main.to_source
    ends.valve.send_instead(way, Kind.REQUEST, SHUT)
    ends.destination.sendall(PONG)
    assert ends.valve.let_through(way, Kind.PONG, SOON)
    assert ends.read(ends.source, len(SHUT + PONG)) == SHUT + PONG
    ends.destination.sendall(PONG)
    assert ends.valve.sent(way, Kind.PONG, SOON)
    ends.destination.sendall(SHUT)
    assert ends.valve.sent(way, Kind.SHUT, SOON)
    with pytest.raises(ValueError, match="wait on the way"):
        ends.valve.send_instead(way, Kind.REQUEST, SHUT)


def test_the_destination_keeps_its_connection_until_it_gets_the_next(ends: Ends) -> None:
    ends.valve.break_connections("main")
    ends.valve.begin_anew()
    assert ends.valve.connection("main", "source", NEVER) is None
    ends.connect()
    new = ends.waiting()
    assert ends.valve.connection("main", "source", SOON) is new
    assert ends.valve.connection("main", "destination", SOON) is ends.main
    assert ends.valve.connect(new) == ""
    assert ends.valve.connection("main", "destination", SOON) is new


def test_a_second_connection_is_that_of_preempt(ends: Ends) -> None:
    ends.connect()
    assert ends.waiting("preempt") is not ends.main


def test_a_destination_that_does_not_listen_is_named(ends: Ends) -> None:
    ends.listener.close()
    ends.connect()
    assert "refused" in ends.valve.connect(ends.waiting("preempt"))


def test_once_all_is_open_ends_pass_as_well(ends: Ends) -> None:
    ends.source.sendall(HEAD + OPEN + PING)
    assert ends.valve.sent(ends.main.to_destination, Kind.PING, SOON)
    ends.valve.open()
    assert ends.read(ends.destination, len(HEAD + OPEN + PING)) == HEAD + OPEN + PING
    ends.source.shutdown(socket.SHUT_WR)
    assert ends.destination.recv(1) == b""
