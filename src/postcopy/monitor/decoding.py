"""Bytes of a running connection, as messages for the judge. Pages are looked at where the socket has put them.

All connections come to one address: the first byte of each says which it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from enum import Enum

import numpy as np

from postcopy.conformance.qemu.wire_files import Main, PackagePing, package_pings
from postcopy.engine import messages as m
from postcopy.engine.arrived import Parser
from postcopy.engine.errors import WireError
from postcopy.engine.multifd import MultifdPacket, MultifdParser
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.wire import MAGIC, MULTIFD_MAGIC, Begin, Tag
from postcopy.monitor.heads import HeadParser, PageRun, page_run
from postcopy.monitor.judge import Judge

PAGE = 4096
"""Bytes of a target page."""
ROOM = 1 << 20
"""Bytes that are judged at once."""


class Kind(Enum):
    """What a connection is, in words."""

    MAIN = "main"
    RESUMED = "resumed"
    PREEMPT = "preempt"
    MULTIFD = "multifd"


_FIRST_BYTES = {
    MAGIC >> 24: Kind.MAIN,
    MULTIFD_MAGIC >> 24: Kind.MULTIFD,
    int(Tag.COMMAND): Kind.RESUMED,
    0: Kind.PREEMPT,
}


def kind_of(first: int) -> Kind | None:
    """What a connection is that begins with this byte; None where that is not known, as under TLS."""
    return _FIRST_BYTES.get(first)


class Migrations:
    """The judges of the migrations that pass, one after the other, and what their connections share.

    Args:
        judge: makes a judge for a migration.
    """

    def __init__(self, judge: Callable[[], Judge]) -> None:
        self._judge = judge
        self.judges = [judge()]
        self.main: HeadParser | None = None

    @property
    def current(self) -> Judge:
        """The judge of the migration that is under way."""
        return self.judges[-1]

    def begin(self, kind: Kind) -> HeadParser | MultifdParser:
        """The parser for a connection that has just begun."""
        if kind is Kind.MULTIFD:
            return MultifdParser(PAGE)
        if kind is Kind.PREEMPT:
            return HeadParser(PAGE, Begin.PREEMPT, opaque_devices=True, room=ROOM)
        if kind is Kind.MAIN and self.main is not None:
            self.judges.append(self._judge())
        section = self.main.ram_section if self.main is not None and kind is Kind.RESUMED else None
        begin = Begin.HEADER if kind is Kind.MAIN else Begin.RESUMED
        self.main = HeadParser(PAGE, begin, opaque_devices=True, ram_section=section, room=ROOM)
        return self.main


class Direction:
    """One direction of a connection: takes bytes, and gives messages to the judge.

    Attributes:
        kind: what the connection is; None until that is known.
    """

    def __init__(self, number: int, host: str, migrations: Migrations) -> None:
        self.number, self.host = number, host
        self.kind: Kind | None = None
        self._migrations = migrations
        self._parser: Parser | None = None
        self._plain = bytearray(ROOM)
        self._begun = False

    @property
    def name(self) -> str:
        """The direction in words."""
        return f"connection {self.number}" if self.host == "source" else f"return path {self.number}"

    def room(self) -> memoryview:
        """Where to put what arrives next; what lay there before is lost."""
        return memoryview(self._plain) if self._parser is None else self._parser.room()

    def filled(self, size: int) -> None:
        """So many bytes have been put into the room: judge what can be read of them by now.

        No error leaves this: what cannot be read cannot be judged from there on.
        """
        judge = self._migrations.current
        judge.now = time.time()
        try:
            if not self._begun:
                self._begin(memoryview(self._plain)[:size])
            elif self._parser is not None:
                self._parser.filled(size)
            if self._parser is not None:
                self._judge(self._parser)
        except WireError as error:
            self._lose(judge, f"{self.name}: {error}")
        except Exception as error:  # bytes pass on whatever the judge meets
            self._lose(judge, f"{self.name}: the monitor itself has failed: {type(error).__name__}: {error}")

    def _lose(self, judge: Judge, why: str) -> None:
        judge.cannot_read(why)
        self._parser = None
        self._plain = bytearray(ROOM)

    def _begin(self, first: memoryview) -> None:
        self._begun = True
        if self.host == "destination":
            self._parser = ReplyParser()
        else:
            self.kind = kind_of(first[0])
            if self.kind is None:
                raise WireError(f"it begins with 0x{first[0]:02x}, which no migration does: TLS hides it", 0, self.name)
            self._parser = self._migrations.begin(self.kind)
            if self.kind in (Kind.MAIN, Kind.RESUMED):
                self._migrations.current.now = time.time()
                self._migrations.current.take("source", Main())
        self._parser.feed(first)

    def _judge(self, parser: Parser) -> None:
        judge = self._migrations.current
        preempt = self.kind is Kind.PREEMPT
        multifd = self.kind is Kind.MULTIFD
        for message in _messages(parser):
            judge.place = (self.name, parser)
            judge.take(self.host, message, preempt=preempt, multifd=multifd)


def _messages(parser: Parser) -> Iterator[m.Message | PackagePing | PageRun]:
    """What can be read by now."""
    if isinstance(parser, MultifdParser):
        for packet in parser:
            if isinstance(packet, MultifdPacket):
                yield from _pages_of(packet)
    elif isinstance(parser, HeadParser):
        while (message := parser.next_run()) is not None:
            yield message
            if isinstance(message, m.Packaged):
                yield from package_pings(message)
    elif isinstance(parser, ReplyParser):
        yield from parser


def _pages_of(packet: MultifdPacket) -> Iterator[PageRun]:
    """The pages of a packet."""
    full, zeros = packet.pages(PAGE)
    if full or zeros:
        yield page_run(packet.block, np.array(full + zeros, np.uint64), PAGE)
