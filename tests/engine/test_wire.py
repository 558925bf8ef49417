"""The wire format: round trips however the bytes are cut, and errors that say what and where."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.engine.errors import WireError
from postcopy.engine.messages import (
    AskBitmap,
    Block,
    Configuration,
    Description,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    Packaged,
    Page,
    Pages,
    RamEnd,
    RamSize,
    Reply,
    Request,
    Resume,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
)
from postcopy.engine.parsing import ROOM, StreamParser, read_package
from postcopy.engine.return_path import ReplyParser, ReplyWriter
from postcopy.engine.wire import MAX_BLOCKS, MAX_PACKAGE, Begin
from postcopy.engine.writing import StreamWriter
from tests.engine.strategies import PAGE, chunked, long_streams, replies, streams

unhurried = settings(deadline=None)  # the machine may be busy


def read(data: bytes, *, opaque_devices: bool = False) -> list[StreamMessage]:
    parser = StreamParser(PAGE, opaque_devices=opaque_devices)
    parser.feed(data)
    messages = list(parser)
    parser.close()
    return messages


def written(*messages: StreamMessage, head: bytes = b"") -> bytes:
    return head + b"".join(StreamWriter().encode(messages))


HEAD = written(Header())
RAM = written(Header(), SectionStart(2, "ram", 0, 4))
START = RAM[len(HEAD) :]


@unhurried
@given(st.data())
def test_a_stream_is_read_as_it_was_written_however_it_is_cut(data: st.DataObject) -> None:
    messages = data.draw(streams())
    parser = StreamParser(PAGE)
    found: list[StreamMessage] = []
    for chunk in data.draw(st.composite(chunked)(written(*messages))):
        parser.feed(chunk)
        found += parser
    parser.close()
    assert found == messages
    assert parser.offset == len(written(*messages))


def each(message: StreamMessage) -> list[StreamMessage]:
    """Several pages as the single ones that they stand for."""
    if not isinstance(message, Pages):
        return [message]
    data = None if message.data is None else memoryview(message.data).tobytes()
    return [
        Page(message.block, message.offset + n * PAGE, None if data is None else data[n * PAGE : (n + 1) * PAGE])
        for n in range(message.count)
    ]


@unhurried
@given(st.data(), st.integers(1, 80), st.sampled_from([1, 2, 4]))
def test_pages_that_are_read_together_are_those_that_are_read_one_by_one(
    data: st.DataObject, most: int, group: int
) -> None:
    messages = data.draw(st.one_of(long_streams(), streams()))
    parser = StreamParser(PAGE)
    found: list[StreamMessage] = []
    for chunk in data.draw(st.composite(chunked)(written(*messages))):
        parser.feed(chunk)
        while (message := parser.next_pages(most, group)) is not None:
            if isinstance(message, Pages):
                assert 2 <= message.count <= most
                assert message.offset % (group * PAGE) == message.count % group == 0
            found += each(message)
    parser.close()
    assert found == messages


@unhurried
@given(long_streams(), st.integers(1, 80))
def test_pages_that_are_written_together_are_those_that_are_written_one_by_one(
    messages: list[StreamMessage], most: int
) -> None:
    parser, writer = StreamParser(PAGE), StreamWriter()
    parser.feed(data := written(*messages))
    again = bytearray()
    while (message := parser.next_pages(most)) is not None:
        again += b"".join(writer.encode([message]))
    assert again == data


@pytest.mark.parametrize("zero", [False, True])
def test_the_first_of_several_pages_names_its_block(zero: bool) -> None:
    data = None if zero else b"".join(bytes([n + 1]) * PAGE for n in range(3))
    together = Pages("ram", PAGE, 3, PAGE, data)
    assert written(together) == written(*each(together))


def test_a_message_that_is_larger_than_the_room_makes_room() -> None:
    package = Packaged(bytes(range(256)) * 3000)
    assert len(package.data) > 2 * ROOM
    parser = StreamParser(PAGE)
    data = memoryview(written(Header(), package))
    for begin in range(0, len(data), 5000):
        parser.feed(data[begin : begin + 5000])
        assert len(parser.room()) <= ROOM
    assert list(parser) == [Header(), package]


def test_they_are_read_together_when_they_are_there() -> None:
    parser = StreamParser(PAGE)
    parser.feed(written(*(Page("a", n * PAGE, b"x" * PAGE) for n in range(9)), head=RAM))
    counts = [message.count for message in iter(lambda: parser.next_pages(5), None) if isinstance(message, Pages)]
    assert counts == [5, 3], "the first names its block and comes alone"


def test_pages_of_zeros_are_read_together_up_to_one_that_is_filled_with_something_else() -> None:
    parser = StreamParser(PAGE)
    records = [struct.pack(">QB", n * PAGE | 0x22, n == 4) for n in range(1, 6)]
    parser.feed(RAM + written(Page("a", 0, None)) + b"".join(records))
    messages = [parser.next_pages(9) for _ in range(4)]
    assert messages[-1] == Pages("a", PAGE, 3, PAGE, None)
    with pytest.raises(WireError, match="a zero page is filled with 0x01"):
        parser.next_pages(9)
    with pytest.raises(WireError, match="a zero page is filled with 0x01"):
        parser.next_pages(9)


@unhurried
@given(st.data(), st.lists(replies, max_size=8))
def test_so_are_replies(data: st.DataObject, sent: list[Reply]) -> None:
    writer, parser = ReplyWriter(), ReplyParser()
    found: list[Reply] = []
    for chunk in data.draw(st.composite(chunked)(b"".join(writer.encode(r) for r in sent))):
        parser.feed(chunk)
        found += parser
    parser.close()
    assert found == sent


@settings(deadline=None, max_examples=30)
@given(streams())
def test_byte_by_byte_no_more_is_held_than_the_message_under_way(messages: list[StreamMessage]) -> None:
    longest = max(sum(len(b) for b in StreamWriter().encode([m])) for m in messages)
    parser = StreamParser(PAGE)
    for i in range(len(data := written(*messages))):
        parser.feed(data[i : i + 1])
        for _ in parser:
            pass
        assert parser.buffered <= longest


@unhurried
@given(st.data())
def test_a_stream_cut_short_says_that_it_ends_within_a_message_or_reads_as_a_prefix(data: st.DataObject) -> None:
    messages = data.draw(streams())
    whole = written(*messages)
    cut = data.draw(st.integers(0, len(whole) - 1))
    parser = StreamParser(PAGE)
    parser.feed(whole[:cut])
    found = list(parser)
    assert found == messages[: len(found)]
    if parser.buffered:
        with pytest.raises(WireError, match=rf"stream offset {parser.offset}: ends within a message"):
            parser.close()


def test_what_a_device_state_is_may_be_left_to_its_footer_in_a_package() -> None:
    inside: list[StreamMessage] = [
        Listen(),
        Device(7, "timer", 0, 2, b"\x7e\0\0\0\x07 is inside"),
        Device(8, "cpu", 0, 1, b""),
        Run(),
    ]
    data = b"".join(StreamWriter(opaque_devices=True).encode(inside))
    assert read_package(data, PAGE, opaque_devices=True) == inside


def test_the_block_is_named_once() -> None:
    writer = StreamWriter()
    a, b, c = (writer.page(block, 0, None) for block in ("one", "one", "two"))
    assert [len(b"".join(x)) for x in (a, b, c)] == [8 + 4 + 1, 8 + 1, 8 + 4 + 1]


def test_an_error_stays() -> None:
    parser = StreamParser(PAGE)
    parser.feed(b"not a migration stream")
    for _ in range(2):
        with pytest.raises(WireError, match="stream offset 0: magic 0x6e6f7420 is not QEVM"):
            parser.next_message()
    with pytest.raises(WireError, match="offset 0"):
        parser.close()


def command(code: int, payload: bytes = b"", claimed: int | None = None) -> bytes:
    return struct.pack(">BHH", 8, code, len(payload) if claimed is None else claimed) + payload


def record(head: int, rest: bytes = b"") -> bytes:
    return RAM + struct.pack(">Q", head) + rest


NAMED = written(Header(), Configuration("m"))


def part(name: str, first: int = 0, version: int = 1) -> bytes:
    return b"\x05" + bytes([len(name)]) + name.encode() + struct.pack(">II", version, first)


WRONG_STREAMS = [
    (struct.pack(">II", 0x5145564D, 2), 0, "file version 2 is not supported, only 3"),
    (HEAD + b"\x09", 8, "unknown type 0x09"),
    (HEAD + command(99), 8, "unknown command 99"),
    (HEAD + command(2, b"", 5), 8, "PING has 5 bytes instead of 4"),
    (HEAD + command(7, b"\xff\xff\xff\xff"), 8, f"the package claims 4294967295 bytes, more than {MAX_PACKAGE}"),
    (HEAD + b"\x07\xff\xff\xff\xff", 8, "the machine's name claims 4294967295 bytes, more than 255"),
    (HEAD + b"\x07\0\0\0\x01\n", 8, r"machine b'\n' is no name"),
    (HEAD + command(6, b""), 8, "DISCARD of 0 bytes has no block"),
    (HEAD + command(6, b"\x01\x01a\0"), 8, "DISCARD of version 1, only 0 is known"),
    (HEAD + command(6, b"\0\x01a\0" + bytes(15)), 8, "DISCARD of 19 bytes does not hold whole ranges"),
    (HEAD + command(6, b"\0\x01a\0"), 8, "DISCARD of 4 bytes does not hold whole ranges"),
    (HEAD + command(6, b"\0\xc8a\0" + bytes(16)), 8, "DISCARD of 20 bytes does not hold whole ranges"),
    (HEAD + command(6, b"\0\x01a\x01" + bytes(16)), 8, "the block's name in DISCARD does not end with a zero byte"),
    (HEAD + b"\x05", 8, "unknown type 0x05"),
    (NAMED + part("what"), 14, "unknown part what of the configuration"),
    (NAMED + part("configuration/uuid", version=2), 14, "configuration/uuid of version 2, only 1 is known"),
    (NAMED + part("configuration/capabilities", 65), 14, "65 capabilities, more than 64"),
    (NAMED + part("configuration/capabilities") * 2, 50, "configuration/capabilities comes a second time"),
    (NAMED + command(1) + part("configuration/uuid"), 19, "unknown type 0x05"),
    (HEAD + command(10, b"\x02a"), 8, "RECV_BITMAP has 2 bytes instead of 3"),
    (HEAD + b"\0\x06\xff\xff\xff\xff", 9, "the description of devices claims 4294967295 bytes"),
    (HEAD + b"\0\x06\0\0\0\0\0", 14, "bytes after the end of the stream"),
    (record(0x1200), 25, "memory record 0x1200 is of no kind"),
    (HEAD + b"\x02\0\0\0\x02", 8, "section 2 was never started"),
    (written(Header(), SectionStart(2, "block", 0, 4)), 8, "section block in parts: only ram comes in parts"),
    (written(Header(), SectionStart(2, "ram", 0, 3)), 8, "ram of version 3, only 4 is known"),
    (HEAD + b"\x04" + bytes(4) + b"\x01x" + bytes(8) + b"\xff" * 4, 8, "device x claims 4294967295 bytes"),
    (HEAD + b"\x04" + bytes(4) + b"\x01x" + bytes(12) + bytes(5), 8, "section 0 ends without its footer"),
    (RAM + struct.pack(">Q", 0x10) + b"\x7e\0\0\0\x03", 33, "the footer of section 3 ends section 2"),
    (RAM + struct.pack(">Q", 0x10) + b"\x7e\0\0\0\x02" + START, 38, "ram is started a second time"),
    (record(0x80), 25, "memory record 0x80 is of no kind that is supported"),
    (record(0x0A), 25, "memory record 0xa is of no kind"),
    (record(0x1010), 25, "memory record 0x1010 is of no kind"),
    (record(0x28), 25, "the first page does not say which block it is in"),
    (record(0x08, b"\0"), 25, "block b'' is no name"),
    (record(0x02, b"\x01a\x07"), 25, "a zero page is filled with 0x07"),
    (record(0x04), 25, "no block of memory"),
    (record(0x404, b"\x01a" + bytes(8)), 25, "block a of 0 bytes, 1024 of the total are left"),
    (record(0x404, b"\x01a" + struct.pack(">Q", 2048)), 25, "block a of 2048 bytes, 1024 of the total are left"),
]


@pytest.mark.parametrize(("data", "offset", "what"), WRONG_STREAMS, ids=[w[2][:40] for w in WRONG_STREAMS])
def test_what_is_wrong_with_a_stream_and_where(data: bytes, offset: int, what: str) -> None:
    with pytest.raises(WireError) as error:
        read(data)
    assert error.value.offset == offset
    assert what in str(error.value)


def test_more_blocks_than_a_machine_has_are_refused() -> None:
    sizes = RamSize(tuple(Block(str(i), 1024) for i in range(MAX_BLOCKS + 1)))
    with pytest.raises(WireError, match=f"more than {MAX_BLOCKS} blocks of memory"):
        read(RAM + written(sizes))


def test_a_page_that_is_not_on_a_page_boundary_is_refused() -> None:
    parser = StreamParser(4096)
    parser.feed(record(0x400 | 0x02, b"\x01a\0"))
    with pytest.raises(WireError, match="offset 0x400 of a page is no multiple of 4096"):
        list(parser)


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(WireError, match="stream offset 9: bytes after the end of the stream"):
        read(HEAD + b"\0\0")


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        (b"\x02\0\0\0\x02", "package offset 0: type 0x02 does not belong into a package"),
        (command(7, bytes(4)), "package offset 0: a package in a package"),
        (command(4) + b"\x08", "package offset 5: ends within a message, after 1 bytes of it"),
    ],
)
def test_what_is_wrong_inside_a_package(inside: bytes, what: str) -> None:
    with pytest.raises(WireError, match=what):
        read_package(inside, PAGE)


def test_an_opaque_device_needs_its_footer() -> None:
    data = b"".join(StreamWriter(opaque_devices=True).encode([Device(7, "timer", 0, 2, b"state")]))
    with pytest.raises(WireError, match="package offset 0: ends within a message"):
        read_package(data[:-1], PAGE, opaque_devices=True)


TICKS = b"\0\0\0\x12\x34\x56\x78\x7e" + bytes(8)
"""QEMU's timer counts ticks, and has eight zero bytes behind them: once in 256 times that looks like its own footer and
the end of the stream."""
TIMER = Device(
    0, "timer", 0, 2, TICKS + b"more \x7e\0\0\0\0\x04 and more \x7e\0\0\0\0\x08\0\x63 \x7e\0\0\0\0\0\x06nothing"
)
"""Its state has four footers in it: something else follows each of them than what may follow a device."""


def test_in_a_package_an_opaque_device_may_come_last() -> None:
    inside: list[StreamMessage] = [Listen(), TIMER]
    assert read_package(b"".join(StreamWriter(opaque_devices=True).encode(inside)), PAGE, opaque_devices=True) == inside


@pytest.mark.parametrize(
    "following",
    [
        [Device(8, "cpu", 0, 1, b""), Eof(), Description(b"{}")],
        [Run()],
        [SectionStart(2, "ram", 0, 4)],
        [Eof(), Description(b"{}")],
    ],
    ids=lambda following: type(following[0]).__name__,
)
def test_outside_of_a_package_what_follows_an_opaque_device_ends_it(following: list[StreamMessage]) -> None:
    messages = [Header(), TIMER, *following]
    data = b"".join(StreamWriter(opaque_devices=True).encode(messages))
    parser = StreamParser(PAGE, opaque_devices=True)
    found: list[StreamMessage] = []
    for i in range(len(data)):
        parser.feed(data[i : i + 1])
        found += parser
    assert found == messages


@pytest.mark.parametrize("end", [SectionPart(2), SectionEnd(2)])
def test_so_does_a_section_that_was_started(end: StreamMessage) -> None:
    messages: list[StreamMessage] = [Header(), SectionStart(2, "ram", 0, 4), RamEnd(), Footer(2), TIMER, end]
    assert read(b"".join(StreamWriter(opaque_devices=True).encode(messages)), opaque_devices=True) == messages
    other = [*messages[:-1], SectionEnd(3)]
    with pytest.raises(WireError, match="ends within a message"):
        read(b"".join(StreamWriter(opaque_devices=True).encode(other)), opaque_devices=True)


def test_a_resumed_connection_goes_on_with_the_section_of_memory() -> None:
    before = StreamParser(PAGE)
    before.feed(RAM)
    assert before.ram_section is None
    list(before)
    parser = StreamParser(PAGE, Begin.RESUMED, ram_section=before.ram_section)
    messages: list[StreamMessage] = [AskBitmap("a"), Resume(), SectionPart(2), Page("a", 0, None), RamEnd(), Footer(2)]
    parser.feed(written(*messages))
    assert list(parser) == messages


@pytest.mark.parametrize("ended", [False, True])
def test_a_connection_for_requested_pages_is_of_pages_alone(ended: bool) -> None:
    messages: list[StreamMessage] = [Page("a", 0, None), Page("b", PAGE, b"x" * PAGE), *[RamEnd()] * ended]
    parser = StreamParser(PAGE, Begin.PREEMPT)
    parser.feed(written(*messages))
    assert list(parser) == messages
    parser.feed(b"\0")
    if ended:
        with pytest.raises(WireError, match="bytes after the end of the stream"):
            list(parser)


def test_a_page_may_name_its_block_again() -> None:
    pages = [Page("a", 0, None), Page("a", PAGE, None, named=True), Page("a", 2 * PAGE, None)]
    parser = StreamParser(PAGE, Begin.PREEMPT)
    parser.feed(written(*pages))
    assert list(parser) == pages


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"\0\x09\0\0", 0, "unknown reply 9"),
        (b"\0\x02\0\x04\0\0\0\x01\0\x01\0\x05", 8, "SHUT has 5 bytes instead of 4"),
        (b"\0\x04\0\x0c" + bytes(12), 0, "the first request does not say which block it asks for"),
        (b"\0\x03\0\x0e" + bytes(12) + b"\x02ab", 0, "REQ_PAGES_ID has 14 bytes instead of 15"),
        (b"\0\x03\0\x0d" + bytes(12) + b"\0", 0, "block b'' is no name"),
        (b"\0\x05\0\x01\x01a", 0, "RECV_BITMAP has 1 bytes instead of 2"),
        (
            b"\0\x05\0\x02\x01a" + b"\xff" * 8,
            0,
            "the bitmap of a claims 18446744073709551615 bytes, more than 67108864",
        ),
        (b"\0\x05\0\x02\x01a" + bytes(7) + b"\x09", 0, "the bitmap of a has 9 bytes, no multiple of 8"),
        (
            b"\0\x05\0\x02\x01a" + bytes(16),
            0,
            "the bitmap of a is followed by 0x0000000000000000, not by 0x0123456789abcdef",
        ),
    ],
)
def test_what_is_wrong_with_replies_and_where(data: bytes, offset: int, what: str) -> None:
    parser = ReplyParser()
    parser.feed(data)
    with pytest.raises(WireError) as error:
        list(parser)
    assert str(error.value).startswith(f"return path offset {offset}: {what}")


def test_what_cannot_be_written_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="1 to 255 printable characters"):
        written(Discard("", ((0, 1),)))
    with pytest.raises(ValueError, match="power of two"):
        StreamParser(512)
    with pytest.raises(AssertionError, match="Request"):
        written(Request("a", 0, 0))  # type: ignore[arg-type]


@unhurried
@given(st.data())
def test_random_damage_is_a_clean_error_or_another_valid_stream(data: st.DataObject) -> None:
    whole = bytearray(written(*data.draw(streams())))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    _survives(bytes(whole))


@unhurried
@given(st.binary(max_size=200), st.booleans())
def test_so_are_random_bytes(data: bytes, headed: bool) -> None:
    _survives((HEAD if headed else b"") + data)


@unhurried
@given(st.binary(max_size=100))
def test_so_are_random_replies(data: bytes) -> None:
    _survives(data, ReplyParser())


def _survives(data: bytes, parser: StreamParser | ReplyParser | None = None) -> None:
    parser = parser or StreamParser(PAGE)
    where = 0
    try:
        for i in range(0, len(data), 64):
            parser.feed(data[i : i + 64])
            for _ in parser:
                pass
        parser.close()
    except WireError as error:
        where = error.offset
    assert 0 <= where <= len(data)
    assert parser.buffered <= len(data)
