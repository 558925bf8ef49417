"""The wire is QEMU's: what QEMU 7.2.22, 10.0.13 and 11.1.3 sent is read, means what it has to, and is written again,
byte for byte; and with any other number, length or order in `postcopy.engine` that would not be so.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from itertools import groupby

import pytest

from postcopy.engine import messages as kinds
from postcopy.engine import multifd, parsing, return_path, wire, writing
from postcopy.engine.errors import WireError
from postcopy.engine.messages import (
    Advise,
    Capabilities,
    Configuration,
    Description,
    Discard,
    Fixed,
    Packaged,
    Page,
    Pages,
    Ping,
    Pong,
    ReceivedBitmap,
    Request,
    ResumeAck,
    SectionStart,
    Shut,
    StreamMessage,
    Uuid,
)
from postcopy.engine.multifd import MultifdHello, MultifdPacket
from tests.engine.recordings import (
    CONNECTIONS,
    PAGE,
    RUNS,
    Connection,
    Messages,
    blocks,
    devices,
    inside_package,
    read,
    stream_bytes,
    stream_parser,
    written,
)

all_connections = pytest.mark.parametrize("connection", CONNECTIONS, ids=lambda c: f"{c.run}-{c.number}-{c.to}")


@all_connections
def test_what_qemu_sent_is_read_and_written_again_byte_for_byte(connection: Connection) -> None:
    messages = read(connection)
    assert written(connection, messages) == connection.data
    for message in messages:
        if isinstance(message, Packaged):
            assert stream_bytes(inside_package([message])) == message.data


@all_connections
def test_it_means_what_it_has_to_mean(connection: Connection) -> None:
    _check_meaning(connection, read(connection))


def _check_meaning(connection: Connection, messages: Messages) -> None:
    known = blocks(connection.run)
    parts: list[tuple[str, int, int]] = []
    for message in (*messages, *inside_package(messages)):
        match message:
            case Page(block, offset):
                parts.append((block, offset, PAGE))
            case Request(block, offset, length):
                assert length == PAGE
                parts.append((block, offset, length))
            case Discard(block, ranges):
                parts += [(block, start, length) for start, length in ranges]
            case MultifdPacket(block=block):
                parts += [(block, offset, PAGE) for some in message.pages(PAGE) for offset in some]
            case ReceivedBitmap(block, bitmap):
                pages = known[block].length // PAGE
                assert len(bitmap) == -(-pages // 64) * 8
                assert int.from_bytes(bitmap, "little") < 1 << pages
            case Advise(host_page, target_page):
                assert (host_page, target_page) == (PAGE, PAGE)
            case SectionStart(_, name, instance, version):
                assert (name, instance, version) == ("ram", 0, 4)
            case Shut(value) | MultifdHello(channel=value):
                assert value == (connection.number - 1 if isinstance(message, MultifdHello) else 0)
            case ResumeAck(value):
                assert value == 1
    for block, offset, length in parts:
        assert offset % PAGE == length % PAGE == 0 < length
        assert offset + length <= known[block].length
    pings = [message.value for message in (*messages, *inside_package(messages)) if isinstance(message, Ping)]
    assert set(pings) <= {1, 2, 3, 4, 66}


WHOLE = [run for run in RUNS if "recover" not in run]


@pytest.mark.parametrize("run", WHOLE)
def test_all_pages_come(run: str) -> None:
    come = {
        (block, offset)
        for connection in CONNECTIONS
        if connection.run == run and connection.to == "destination"
        for block, offset in _pages(read(connection))
    }
    assert come == {(block.name, at) for block in blocks(run).values() for at in range(0, block.length, PAGE)}


def _pages(messages: Messages) -> Iterator[tuple[str, int]]:
    for message in messages:
        if isinstance(message, Page):
            yield message.block, message.offset
        elif isinstance(message, MultifdPacket):
            yield from ((message.block, offset) for some in message.pages(PAGE) for offset in some)


def test_a_bitmap_has_the_pages_that_came_before_the_connection_broke() -> None:
    """Its bits are little-endian: the lowest of the first byte is the first page's."""
    before = read(Connection("7.2-recover", 0, "destination"))
    came: set[tuple[str, int]] = set()
    for message in before:
        if isinstance(message, Discard):
            for start, length in message.ranges:
                came -= {(message.block, at) for at in range(start, start + length, PAGE)}
        elif isinstance(message, Page):
            came.add((message.block, message.offset))
    answers = [m for m in read(Connection("7.2-recover", 1, "source")) if isinstance(m, ReceivedBitmap)]
    told = {
        (answer.block, PAGE * bit)
        for answer in answers
        for bit in range(8 * len(answer.bitmap))
        if int.from_bytes(answer.bitmap, "little") >> bit & 1
    }
    assert told == came
    resumed = list(_pages(read(Connection("7.2-recover", 1, "destination"))))
    assert len(resumed) == len(set(resumed))
    assert not told & set(resumed)
    assert told | set(resumed) == {
        (block.name, at) for block in blocks("7.2-recover").values() for at in range(0, block.length, PAGE)
    }


def test_discards_come_twelve_at_a_time() -> None:
    sizes = [
        len(message.ranges)
        for connection in CONNECTIONS
        for message in read(connection)
        if isinstance(message, Discard)
    ]
    assert max(sizes) == wire.MAX_DISCARDS


def outline(messages: Iterable[object]) -> list[str]:
    """The names of messages in order, without sections of memory."""
    framing = {"SectionPart", "Page", "RamEnd", "Footer"}
    names = [type(message).__name__ for message in messages]
    return [name for name, _ in groupby(name for name in names if name not in framing)]


OPENING = ["Header", "Configuration", "OpenReturnPath", "Ping", "Advise", "SectionStart", "RamSize"]
PRECOPY_END = ["SectionEnd", "Device", "Eof", "Description"]


@pytest.mark.parametrize(
    ("run", "number", "order"),
    [
        ("7.2-default", 0, [*OPENING, "Discard", "Ping", "Packaged", "Ping", "SectionEnd", "Eof"]),
        ("7.2-recover", 1, ["AskBitmap", "Resume", "SectionEnd", "Eof"]),
        ("7.2-preempt", 1, []),
        ("7.2-precopy", 0, [*OPENING, *PRECOPY_END]),
        ("7.2-configuration", 0, [*OPENING[:2], "Capabilities", "Uuid", *OPENING[2:4], *OPENING[5:], *PRECOPY_END]),
        ("11.1-precopy", 0, [*OPENING, "SwitchoverStart", *PRECOPY_END]),
        ("11.1-recover", 0, [*OPENING, "SwitchoverStart", "Discard", "Ping", "Packaged", "Ping"]),
        ("11.1-recover", 1, ["AskBitmap", "Resume", "SectionEnd", "Eof"]),
    ],
)
def test_the_order_of_messages(run: str, number: int, order: list[str]) -> None:
    assert outline(read(Connection(run, number, "destination"))) == order


@pytest.mark.parametrize(
    ("run", "order", "pings"),
    [
        ("7.2-default", ["Listen", "Device", "Ping", "Run"], [1, 2, 4, 3]),
        ("11.1-recover", ["Listen", "Device", "Ping", "Run"], [1, 2, 4, 3, 66]),
    ],
)
def test_the_package_and_the_pings(run: str, order: list[str], pings: list[int]) -> None:
    stream = read(Connection(run, 0, "destination"))
    inside = inside_package(stream)
    assert outline(inside) == order
    assert [message.value for message in (*stream, *inside) if isinstance(message, Ping)] == pings
    pongs = {message.value for message in read(Connection(run, 0, "source")) if isinstance(message, Pong)}
    assert pongs == set(pings)
    assert len(devices(inside)) == 30
    assert "i8254" in devices(inside)


def test_what_the_configuration_says() -> None:
    messages = read(Connection("10.0-configuration", 0, "destination"))
    assert messages[1:4] == [
        Configuration("pc-i440fx-10.0"),
        Capabilities(("x-ignore-shared",)),
        Uuid(bytes.fromhex("3f1c9f0e6a0b4c5e9b1d2f7a8c4d5e6f")),
    ]
    assert {name: (b.length, b.address) for name, b in blocks("10.0-configuration").items() if name[0] != "/"} == {
        "pc.ram": (2 << 20, 0),
        "pc.rom": (128 << 10, 0xC0000),
        "pc.bios": (64 << 10, 0xFFFF0000),
    }
    assert outline(read(Connection("10.0-configuration", 0, "source"))) == ["SwitchoverAck", "Pong", "Shut"]


def test_a_description_is_of_the_devices_that_came() -> None:
    messages = read(Connection("7.2-precopy", 0, "destination"))
    (description,) = (message for message in messages if isinstance(message, Description))
    assert description.json.startswith(b'{"page_size": 4096, "devices": [{"name": "timer"')
    for name in devices(messages):
        assert f'"name": "{name}"'.encode() in description.json


@pytest.mark.parametrize("run", ["7.2-default", "7.2-precopy", "11.1-multifd"])
def test_however_it_is_cut(run: str) -> None:
    """In parts of any length, and with neighbouring pages together: also where devices have no length."""
    chance = random.Random(7)
    connection = Connection(run, 0, "destination")
    parser = stream_parser(connection)
    found: list[StreamMessage] = []
    at = 0
    while at < len(connection.data):
        size = chance.choice((1, 3, 50, 5000))
        parser.feed(connection.data[at : at + size])
        at += size
        while (message := parser.next_pages(8)) is not None:
            found += _singly(message)
    parser.close()
    assert found == read(connection)


def _singly(message: StreamMessage) -> list[StreamMessage]:
    if not isinstance(message, Pages):
        return [message]
    data = None if message.data is None else memoryview(message.data).tobytes()
    return [
        Page(message.block, message.offset + n * PAGE, None if data is None else data[n * PAGE : (n + 1) * PAGE])
        for n in range(message.count)
    ]


# -- each wrong number is noticed -----------------------------------------------------------------------------------

MODULES = (wire, parsing, writing, return_path, multifd, kinds)
SMALL_FIRST = sorted(CONNECTIONS, key=lambda connection: len(connection.data))
Change = Callable[[pytest.MonkeyPatch], None]

NOT_RECORDED = {"TARGET_PAGE_BITS": "no machine for x86 has target pages of several sizes"}


def everywhere(name: str, value: object) -> Change:
    """Another value for a name, in every module that has it."""

    def change(patch: pytest.MonkeyPatch) -> None:
        for module in MODULES:
            if hasattr(module, name):
                patch.setattr(module, name, value)

    return change


def other_member(kind: type[IntEnum], member: IntEnum) -> Change:
    """The same enumeration with another number for one of its members, in every module that has it."""
    values = {each.name: each.value if each is not member else 0x55 for each in kind}
    return everywhere(kind.__name__, IntEnum(kind.__name__, values))


def other_code(kind: type[Fixed]) -> Change:
    """Another number for a command or reply of a fixed length."""

    def change(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(kind, "code", 0x55)
        for table in (wire.FIXED_COMMANDS, wire.FIXED_REPLIES):
            for code, found in list(table.items()):
                if found is kind:
                    patch.delitem(table, code)
                    patch.setitem(table, 0x55, kind)

    return change


def attribute(owner: object, name: str, value: object) -> Change:
    """Another value for an attribute."""
    return lambda patch: patch.setattr(owner, name, value)


CONSTANTS: dict[str, object] = {
    "MAGIC": wire.MAGIC + 1,
    "VERSION": 2,
    "RAM_NAME": "rom",
    "RAM_VERSION": 3,
    "CAPABILITIES": "configuration/capability",
    "UUID": "configuration/number",
    "UUID_SIZE": 15,
    "IGNORE_SHARED": "ignore-shared",
    "BITMAP_END": 0x0123456789ABCDEE,
    "MULTIFD_MAGIC": 0x44332211,
    "MULTIFD_VERSION": 2,
    "MULTIFD_BYTES": 1 << 20,
}
ORDERS: dict[str, struct.Struct] = {
    "REQUEST": struct.Struct(">IQ"),
    "RANGE": struct.Struct(">QI"),
    "REPLY": struct.Struct(">HI"),
    "SECTION": struct.Struct(">BH"),
    "COMMAND": struct.Struct(">BHI"),
    "U16": struct.Struct("<H"),
    "U32": struct.Struct("<I"),
    "U64": struct.Struct("<Q"),
}
IN_OTHER_TESTS = {"MAX_DISCARDS": "test_discards_come_twelve_at_a_time"}
SENT = [*wire.FIXED_COMMANDS.values(), *wire.FIXED_REPLIES.values()]
CHANGES: dict[str, Change] = {
    **{name: everywhere(name, value) for name, value in (CONSTANTS | ORDERS).items()},
    **{
        f"{kind.__name__}.{member.name}": other_member(kind, member)
        for kind in (wire.Tag, wire.CommandCode, wire.ReplyCode)
        for member in kind
    },
    **{
        f"Ram.{name}": attribute(wire.Ram, name, 0x100)
        for name in ("ZERO", "MEM_SIZE", "PAGE", "EOS", "CONTINUE", "MULTIFD_FLUSH")
    },
    **{f"{kind.__name__}.code": other_code(kind) for kind in SENT},
    **{f"{kind.__name__}.layout": attribute(kind, "layout", struct.Struct(kind.layout.format + "B")) for kind in SENT},
    "multifd.SYNC": attribute(multifd, "SYNC", 2),
    "multifd hello": attribute(multifd, "_HELLO", struct.Struct(">II16sB38s")),
    "multifd packet": attribute(multifd, "_PACKET", struct.Struct(">IIIIIIQI28s255s")),
    "multifd order": attribute(multifd, "_PACKET", struct.Struct(">IIIIIQII28s256s")),
}


def first_difference() -> Connection | None:
    """The first recorded connection that is not read, not written again, or does not mean what it has to."""
    for connection in SMALL_FIRST:
        try:
            messages = read(connection)
            if written(connection, messages) != connection.data:
                return connection
            _check_meaning(connection, messages)
        except (WireError, ValueError, AssertionError, KeyError, TypeError, struct.error):
            return connection
    return None


def test_as_it_is_there_is_none() -> None:
    assert first_difference() is None


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_number_is_noticed(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch)
    assert first_difference() is not None


def test_every_number_is_tried() -> None:
    """What the format's module has is changed above, is a limit of ours, or says why it is not recorded."""
    ours = {"MAX_PACKAGE", "MAX_BLOCKS", "MAX_CAPABILITIES", "BITMAP_UNIT", "FLAG_BITS"}
    names = {name for name in vars(wire) if name.isupper() and not name.startswith(("FIXED", "RANGES"))}
    assert names - ours - set(CHANGES) - set(NOT_RECORDED) - set(IN_OTHER_TESTS) == set()
