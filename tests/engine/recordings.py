"""What real QEMUs have sent, whole and with contents, and how it is read and written here.

Each folder of `recorded` has one migration of a guest with 2 MiB of memory: its name is the version and the scenario,
and its files are connections, one for each direction. They were made by

    postcopy record DIRECTORY --memory 2 --scenario SCENARIO [--qemu PATH] && gzip -9n DIRECTORY/*.bin
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from postcopy.engine.messages import Block, Device, Packaged, RamSize, Reply, StreamMessage
from postcopy.engine.multifd import MultifdMessage, MultifdParser, multifd_bytes
from postcopy.engine.parsing import StreamParser, read_package
from postcopy.engine.return_path import ReplyParser, ReplyWriter
from postcopy.engine.wire import Begin
from postcopy.engine.writing import StreamWriter

PAGE = 4096
FOLDER = Path(__file__).with_name("recorded")
RUNS = sorted(path.name for path in FOLDER.iterdir())

Messages: TypeAlias = list[StreamMessage] | list[Reply] | list[MultifdMessage]


class Connection(NamedTuple):
    """One direction of one connection of a recorded migration."""

    run: str
    number: int
    to: str

    @property
    def data(self) -> bytes:
        """All bytes that were sent."""
        return _bytes_of(self)

    @property
    def is_multifd(self) -> bool:
        """It carries pages beside the stream."""
        return self.run.endswith("multifd") and self.number > 0

    @property
    def begin(self) -> Begin:
        """With what a stream begins here."""
        if self.number == 0:
            return Begin.HEADER
        return Begin.PREEMPT if self.run.endswith("preempt") else Begin.RESUMED

    @property
    def ram_section(self) -> int | None:
        """The section of memory, where it was started on an earlier connection."""
        return (2 if self.run.startswith("7.2") else 1) if self.begin is Begin.RESUMED else None


@cache
def _bytes_of(connection: Connection) -> bytes:
    return gzip.decompress((FOLDER / connection.run / f"{connection.number}-to-{connection.to}.gz").read_bytes())


def connections(run: str) -> Iterator[Connection]:
    """All of a migration."""
    for path in sorted((FOLDER / run).iterdir()):
        number, _, to = path.stem.split("-")
        yield Connection(run, int(number), to)


CONNECTIONS = [connection for run in RUNS for connection in connections(run)]


def stream_parser(connection: Connection) -> StreamParser:
    """A parser for it."""
    return StreamParser(PAGE, connection.begin, opaque_devices=True, ram_section=connection.ram_section)


def read(connection: Connection) -> Messages:
    """All messages."""
    parser: StreamParser | ReplyParser | MultifdParser
    if connection.to == "source":
        parser = ReplyParser()
    elif connection.is_multifd:
        parser = MultifdParser(PAGE)
    else:
        parser = stream_parser(connection)
    parser.feed(connection.data)
    messages = list(parser)
    parser.close()
    return messages  # type: ignore[return-value]


def written(connection: Connection, messages: Messages) -> bytes:
    """The bytes of these messages on such a connection."""
    if connection.to == "source":
        replies = ReplyWriter()
        return b"".join(replies.encode(reply) for reply in messages)  # type: ignore[arg-type]
    if connection.is_multifd:
        return b"".join(b"".join(multifd_bytes(message, PAGE)) for message in messages)  # type: ignore[arg-type]
    return stream_bytes(messages)  # type: ignore[arg-type]


def stream_bytes(messages: list[StreamMessage]) -> bytes:
    """The bytes of a stream or of a package."""
    return b"".join(StreamWriter(opaque_devices=True).encode(messages))


def inside_package(messages: Iterable[object]) -> list[StreamMessage]:
    """What is in the package of a stream; nothing where it has none."""
    packages = [message for message in messages if isinstance(message, Packaged)]
    return [inside for package in packages for inside in read_package(package.data, PAGE, opaque_devices=True)]


def blocks(run: str) -> dict[str, Block]:
    """The guest's blocks of memory, by name."""
    for message in read(Connection(run, 0, "destination")):
        if isinstance(message, RamSize):
            return {block.name: block for block in message.blocks}
    raise AssertionError(run)


def devices(messages: Iterable[object]) -> list[str]:
    """The names of the devices whose states come, in order."""
    return [message.name for message in messages if isinstance(message, Device)]
