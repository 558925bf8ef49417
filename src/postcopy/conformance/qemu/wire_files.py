"""The files in which a recorded wire is kept, read as messages in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from postcopy.conformance.qemu.recorded_text import unpacked, whole_lines
from postcopy.engine import messages as m
from postcopy.engine.errors import WireError
from postcopy.engine.messages import Message
from postcopy.engine.multifd import MultifdMessage, MultifdPacket, MultifdParser
from postcopy.engine.parsing import StreamParser, read_package
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.wire import MAGIC, MULTIFD_MAGIC, Begin, Tag
from postcopy.errors import UsageError
from postcopy.recording.wire_files import INDEX, Opened, read_chunks, read_events
from postcopy.surface import command

PAGE = 4096


class Main(NamedTuple):
    """The main connection is there, for the first time or anew."""


class Replies(NamedTuple):
    """A return path is there; only where nothing says when."""


class Preempt(NamedTuple):
    """The preempt channel carries something."""


class Multifd(NamedTuple):
    """A connection of multifd carries something."""


class PackagePing(NamedTuple):
    """A PING in the package."""

    value: int


Passed: TypeAlias = Message | Main | Replies | Preempt | Multifd | PackagePing


class Arrival(NamedTuple):
    """A message that passed.

    Attributes:
        host: who sent it.
        place: where it stands, in words.
        message: it.
        time: when it passed, in seconds.
        stream: the name of the stream that it belongs to: what comes on one has an order, and no other is known.
    """

    host: str
    place: str
    message: Passed
    time: float = 0.0
    stream: str = "main"

    @property
    def preempt(self) -> bool:
        """It came on the preempt channel."""
        return self.stream == "preempt"


def read_capture(path: Path) -> list[Arrival]:
    """The messages of a recording.

    A proxy sees the two directions of a connection in an order in which they can have been sent. Of two connections it
    may see later what was sent first: so these are streams of their own. Without times the directions are, too.

    Raises:
        UsageError: it is no recording, or bytes in it are no messages.
    """
    if path.is_dir():
        try:
            return list(_timed(path) if (path / INDEX).exists() else _untimed(path))
        except WireError as error:
            raise UsageError(f"{path}: {error}") from error
    text = whole_lines(path)
    try:
        return list(decoded([json.loads(line) for line in text.splitlines()]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path} is no recorded wire: a directory that {command('record')} has written, or decoded events, one a "
            f"line ({type(error).__name__}: {error})"
        ) from error


# -- a directory of bytes --------------------------------------------------------------------------------------------


@dataclass
class _Connections:
    """The parsers of all connections: what a connection is, its first bytes say."""

    main: StreamParser | None = None

    def begin(self, first: bytes) -> tuple[StreamParser | MultifdParser, Passed]:
        """The parser of a connection that begins with these bytes, and what connection it is."""
        head = int.from_bytes(first[:4])
        if head == MULTIFD_MAGIC:
            return MultifdParser(PAGE), Multifd()
        if head != MAGIC and first[0] != Tag.COMMAND:
            return StreamParser(PAGE, Begin.PREEMPT, opaque_devices=True), Preempt()
        section = self.main.ram_section if self.main is not None else None
        begin = Begin.HEADER if head == MAGIC else Begin.RESUMED
        self.main = StreamParser(PAGE, begin, opaque_devices=True, ram_section=section)
        return self.main, Main()


class _Direction(NamedTuple):
    """One direction of a connection: who sends, what it is called, and the stream that it belongs to."""

    parser: StreamParser | MultifdParser | ReplyParser
    host: str
    name: str
    stream: str

    def messages(self, time: float | None = None) -> Iterator[Arrival]:
        """What can be read of it by now."""
        moment = "" if time is None else f"{time:.6f} s, "
        while (message := self.parser.next_message()) is not None:
            place = f"{moment}{self.name}, byte {self.parser.offset}"
            for passed in _parts(message):
                yield Arrival(self.host, place, passed, time or 0.0, self.stream)

    def began(self, what: Passed, time: float | None = None) -> Arrival:
        """That it is there."""
        return Arrival(self.host, self.name, what, time or 0.0, self.stream)


def _stream_of(what: Passed, number: int) -> str:
    return "main" if isinstance(what, Main) else "preempt" if isinstance(what, Preempt) else f"multifd {number}"


def _parts(message: Message | MultifdMessage) -> Iterator[Passed]:
    """A message; a package as itself and the PINGs in it, a packet of multifd as its pages."""
    if isinstance(message, MultifdPacket):
        for offsets in message.pages(PAGE):
            for offset in offsets:
                yield m.Page(message.block, offset, None, False)
        return
    if isinstance(message, m.Page):
        message = m.Page(message.block, message.offset, None, message.named)  # else a recording is kept whole
    yield message
    if isinstance(message, m.Packaged):
        yield from package_pings(message)


def package_pings(package: m.Packaged) -> Iterator[PackagePing]:
    """The PINGs in a package."""
    for inside in read_package(package.data, PAGE, opaque_devices=True):
        if isinstance(inside, m.Ping):
            yield PackagePing(inside.value)


def _timed(path: Path) -> Iterator[Arrival]:
    events = read_events(path)
    start = next((event.t for event in events if isinstance(event, Opened)), 0.0)
    connections = _Connections()
    directions: dict[tuple[int, str], _Direction] = {}
    for chunk in read_chunks(path):
        key, time = (chunk.connection, chunk.to), chunk.t - start
        if key not in directions:
            if chunk.to == "source":
                directions[key] = _Direction(ReplyParser(), "destination", f"return path {chunk.connection}", "main")
            else:
                parser, what = connections.begin(chunk.data)
                stream = _stream_of(what, chunk.connection)
                directions[key] = _Direction(parser, "source", f"connection {chunk.connection}", stream)
                yield directions[key].began(what, time)
        directions[key].parser.feed(chunk.data)
        yield from directions[key].messages(time)


_FILE = re.compile(r"(\d+)-to-(destination|source)\.(?:bin|bin\.gz|gz)")


def _untimed(path: Path) -> Iterator[Arrival]:
    """Without times: what the source sends first."""
    files = sorted((found[2], int(found[1]), file) for file in path.iterdir() if (found := _FILE.fullmatch(file.name)))
    if not files:
        raise UsageError(f"{path} holds no recorded wire: neither {INDEX} nor bytes of a connection")
    connections = _Connections()
    for to, number, file in files:
        data = unpacked(file.read_bytes())
        if to == "source":
            what: Passed = Replies()
            direction = _Direction(ReplyParser(), "destination", f"return path {number}", "replies")
        else:
            parser, what = connections.begin(data)
            direction = _Direction(parser, "source", f"connection {number}", _stream_of(what, number))
        yield direction.began(what)
        direction.parser.feed(data)
        yield from direction.messages()


# -- decoded events --------------------------------------------------------------------------------------------------


def decoded(events: Sequence[dict[str, object]]) -> Iterator[Arrival]:
    """The messages among decoded events, which are in the order of time.

    Raises:
        KeyError, TypeError, ValueError: an event lacks what belongs to it.
    """
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise TypeError(f"line {number} is no object")
        if "msg" not in event or event.get("dir") not in ("src->dst", "dst->src"):
            continue
        host = "source" if event["dir"] == "src->dst" else "destination"
        time = float(str(event["t"]))
        stream = "preempt" if event.get("chan") == "preempt" else "main"
        if event["msg"] == "multifd_packet":
            stream = f"multifd {event.get('conn')}"
        for passed in _of_event(event, host):
            yield Arrival(host, f"{time:.6f} s, line {number}", passed, time, stream)


def _of_event(event: dict[str, object], host: str) -> Iterator[Passed]:
    name = str(event["msg"])
    if "pkg" in event:
        if name == "PING":
            yield PackagePing(_number(event, "val"))
        return
    if name == "connection_open":
        if host == "source":
            yield _KINDS.get(str(event["kind"]), Multifd())
        return
    if name == "multifd_packet":
        for offset in _numbers(event, "offsets"):
            yield m.Page(str(event["block"]), offset, None, False)
        return
    if name == "RECV_BITMAP":
        block = str(event["block"])
        yield m.AskBitmap(block) if host == "source" else m.ReceivedBitmap(block, bytes.fromhex(str(event["bitmap"])))
        return
    if name == "device_state_opaque":  # what follows is not decoded: the end of the stream is in it
        yield m.Device(0, "devices", 0, 0, b"")
        yield m.Eof()
        return
    if (message := _simple(event, name)) is not None:
        yield message


def _simple(event: dict[str, object], name: str) -> Message | None:
    match name:
        case "PING":
            return m.Ping(_number(event, "val"))
        case "PONG":
            return m.Pong(_number(event, "val"))
        case "SHUT":
            return m.Shut(_number(event, "val"))
        case "RESUME_ACK":
            return m.ResumeAck(_number(event, "val"))
        case "POSTCOPY_ADVISE":
            return m.Advise(_number(event, "host_ps"), _number(event, "target_ps"))
        case "page":
            return m.Page(str(event["block"]), _number(event, "offset"), None, False)
        case "REQ_PAGES" | "REQ_PAGES_ID":
            return m.Request(str(event["block"]), _number(event, "offset"), _number(event, "len"))
        case "POSTCOPY_RAM_DISCARD":
            ranges = event["ranges"]
            if not isinstance(ranges, list):
                raise TypeError("ranges of a discard are a list")
            return m.Discard(str(event["block"]), tuple((int(begin), int(length)) for begin, length in ranges))
        case "ram_mem_size":
            blocks = event["blocks"]
            if not isinstance(blocks, list):
                raise TypeError("blocks are a list")
            return m.RamSize(tuple(m.Block(str(block["id"]), int(block["len"])) for block in blocks))
        case _:
            return _BARE.get(name)


_KINDS: dict[str, Passed] = {"main": Main(), "preempt": Preempt()}
_BARE: dict[str, Message] = {
    "OPEN_RETURN_PATH": m.OpenReturnPath(),
    "PACKAGED": m.Packaged(b""),
    "POSTCOPY_RESUME": m.Resume(),
    "eof": m.Eof(),
    "SWITCHOVER_START": m.SwitchoverStart(),
}


def _number(event: dict[str, object], name: str) -> int:
    value = event[name]
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"{name} is no number: {value!r}")
    return value


def _numbers(event: dict[str, object], name: str) -> list[int]:
    value = event[name]
    if not isinstance(value, list):
        raise TypeError(f"{name} is no list")
    return [int(each) for each in value]
