"""What has passed between two hosts, in files: the bytes of each connection and direction, and when they passed.

A directory holds ``wire.jsonl`` and, for connection N, ``N-to-destination.bin`` and ``N-to-source.bin``: the bytes
alone, so that any other program can read them. The first line of ``wire.jsonl`` names the format; each other line is an
event: a connection is opened, some bytes are received from one side, or a connection is closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

import msgspec

from postcopy.recording.errors import RecordingError

Side: TypeAlias = Literal["destination", "source"]
"""To which host bytes go."""

INDEX = "wire.jsonl"


class Head(msgspec.Struct, frozen=True, tag="postcopy-wire"):
    """The first line."""

    version: Literal[1] = 1


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The source has opened a connection; ``t`` is in seconds since the epoch, as in traces of QEMU."""

    t: float
    connection: int


class Passed(msgspec.Struct, frozen=True, tag="passed"):
    """So many bytes were received from the other side."""

    t: float
    connection: int
    to: Side
    bytes: int


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """No more bytes come in this direction; the last ``lost`` that were received have not been passed on."""

    t: float
    connection: int
    to: Side
    lost: int = 0


Event: TypeAlias = Opened | Passed | Closed
_Line: TypeAlias = Head | Opened | Passed | Closed


class Chunk(NamedTuple):
    """Bytes that passed at once."""

    t: float
    connection: int
    to: Side
    data: bytes


def bytes_file(connection: int, to: Side) -> str:
    """The name of the file for one direction of a connection."""
    return f"{connection}-to-{to}.bin"


class WireWriter:
    """Keeps what passes; its methods may be called by several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._encoder = msgspec.json.Encoder()
        self._lock = threading.Lock()
        self._files: dict[tuple[int, Side], BinaryIO] = {}
        self._index = (directory / INDEX).open("wb")
        self._write(Head())

    def opened(self, connection: int) -> None:
        """The source has opened a connection."""
        with self._lock:
            self._write(Opened(time.time(), connection))

    def passed(self, connection: int, to: Side, data: bytes) -> None:
        """Bytes have been received that go to this side."""
        with self._lock:
            file = self._files.get((connection, to))
            if file is None:
                file = self._files[connection, to] = (self._directory / bytes_file(connection, to)).open("wb")
            file.write(data)
            self._write(Passed(time.time(), connection, to, len(data)))

    def closed(self, connection: int, to: Side, lost: int = 0) -> None:
        """No more bytes go to this side on this connection."""
        with self._lock:
            self._write(Closed(time.time(), connection, to, lost))

    def close(self) -> None:
        """Nothing more comes."""
        with self._lock:
            for file in (*self._files.values(), self._index):
                file.close()

    def _write(self, line: _Line) -> None:
        if not self._index.closed:
            self._index.write(self._encoder.encode(line) + b"\n")


def read_events(directory: Path) -> list[Event]:
    """What happened on the wire, in order.

    Raises:
        RecordingError: the directory holds no recording of this version.
    """
    try:
        text = (directory / INDEX).read_bytes()
        lines = text[: text.rfind(b"\n") + 1].splitlines()  # the last may have been cut off
        decoder = msgspec.json.Decoder(_Line)
        head, *events = (decoder.decode(line) for line in lines)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise RecordingError(f"{directory} holds no recorded wire: {error}") from error
    if not isinstance(head, Head):
        raise RecordingError(f"{directory / INDEX} does not begin with the name of its format")
    return [event for event in events if not isinstance(event, Head)]


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise RecordingError(f"the recording lacks {file}: {error.strerror}") from error


def read_chunks(directory: Path) -> Iterator[Chunk]:
    """The bytes that passed, in the order in which they did; up to where bytes are missing that the index has.

    Raises:
        RecordingError: the directory holds no recording of this version.
    """
    files: dict[tuple[int, Side], BinaryIO] = {}
    try:
        for event in read_events(directory):
            if isinstance(event, Passed):
                key = event.connection, event.to
                if key not in files:
                    files[key] = _opened(directory / bytes_file(*key))
                data = files[key].read(event.bytes)
                if data:
                    yield Chunk(event.t, *key, data)
                if len(data) < event.bytes:
                    return
    finally:
        for file in files.values():
            file.close()
