"""The proxy passes on what it keeps, holds it back, loses it at a cut, and shows each side that the other is gone."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postcopy.recording.proxy import Proxy
from postcopy.recording.wire_files import Closed, WireWriter, read_chunks, read_events


class Ends:
    """A source and a destination with the proxy between them."""

    def __init__(self, directory: Path, rate: int | None = None) -> None:
        self.directory = directory
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "target"))
        self.listener.listen(4)
        self.sockets = [self.listener]
        self.proxy = Proxy(directory / "wire", directory / "target", WireWriter(directory), rate)

    def call(self) -> socket.socket:
        """A source that connects, whether or not the proxy finds a destination."""
        source = socket.socket(socket.AF_UNIX)
        source.settimeout(10)
        source.connect(str(self.proxy.address))
        self.sockets.append(source)
        return source

    def connect(self) -> tuple[socket.socket, socket.socket]:
        source = self.call()
        destination = self.listener.accept()[0]
        destination.settimeout(10)
        self.sockets.append(destination)
        return source, destination

    def close(self) -> None:
        self.proxy.close()
        for each in self.sockets:
            each.close()

    def kept(self, to: str = "destination") -> bytes:
        return b"".join(chunk.data for chunk in read_chunks(self.directory) if chunk.to == to)

    def lost(self) -> list[int]:
        closed = [event for event in read_events(self.directory) if isinstance(event, Closed)]
        there = [event for event in closed if event.to == "destination"]
        return [event.lost for event in sorted(there, key=lambda event: event.connection)]


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    ends = Ends(tmp_path)
    yield ends
    ends.close()


def test_both_directions_of_several_connections(ends: Ends) -> None:
    first, second = ends.connect(), ends.connect()
    for source, destination in (second, first):
        source.sendall(b"there")
        assert destination.recv(100) == b"there"
        destination.sendall(b"back")
        assert source.recv(100) == b"back"
    first[0].close()
    assert first[1].recv(100) == b"", "the end is passed on"
    ends.proxy.close()
    assert ends.kept() == b"therethere"
    assert ends.kept("source") == b"backback"
    assert [chunk.connection for chunk in read_chunks(ends.directory) if chunk.to == "destination"] == [1, 0]
    assert ends.lost() == [0, 0]


def wait_until_received(sender: socket.socket) -> None:
    """The other end of a connection has taken all that was sent, within ten seconds."""
    end = time.monotonic() + 10
    while struct.unpack("i", fcntl.ioctl(sender, termios.TIOCOUTQ, bytes(4)))[0]:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_what_is_held_is_lost_at_a_cut_and_is_kept(ends: Ends) -> None:
    source, destination = ends.connect()
    source.sendall(b"first ")
    assert destination.recv(100) == b"first "
    ends.proxy.hold("destination")
    source.sendall(b"second")
    destination.sendall(b"still open")
    assert source.recv(100) == b"still open"
    wait_until_received(source)
    ends.proxy.cut()
    assert destination.recv(100) == source.recv(100) == b""
    again = ends.connect()
    again[0].sendall(b" third")
    assert again[1].recv(100) == b" third"
    ends.proxy.close()
    assert ends.kept() == b"first second third"
    assert ends.lost() == [6, 0]


def test_a_source_sees_that_the_destination_is_gone(ends: Ends) -> None:
    source, destination = ends.connect()
    destination.close()
    assert source.recv(100) == b""
    with pytest.raises(OSError, match=r"[Bb]roken pipe|reset"):
        source.sendall(bytes(1 << 26))
    ends.proxy.close()
    assert ends.lost()[0] > 0


def test_without_a_destination_there_is_no_connection(ends: Ends) -> None:
    ends.proxy.target = ends.directory / "nobody"
    assert ends.call().recv(100) == b""
    ends.proxy.target = ends.directory / "target"
    source, destination = ends.connect()
    source.sendall(b"x")
    assert destination.recv(1) == b"x"


def test_a_rate_holds_back_what_comes_faster(tmp_path: Path) -> None:
    ends = Ends(tmp_path, rate=1 << 20)
    source, destination = ends.connect()
    source.settimeout(0.02)
    with pytest.raises(TimeoutError):
        source.sendall(bytes(1 << 20))  # a second's worth
    destination.setblocking(False)
    assert len(destination.recv(1 << 20)) < 1 << 18
    ends.close()
