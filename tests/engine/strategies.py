"""Random streams that a parser has to read: whole ones, in the order that the wire's grammar asks for."""

from __future__ import annotations

from hypothesis import strategies as st

from postcopy.engine.messages import (
    AskBitmap,
    Block,
    Capabilities,
    Configuration,
    Description,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    MultifdFlush,
    Packaged,
    Page,
    RamEnd,
    RamSize,
    ReceivedBitmap,
    Reply,
    Request,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.wire import FIXED_COMMANDS, FIXED_REPLIES, IGNORE_SHARED
from postcopy.engine.writing import StreamWriter

PAGE = 1024
SECTION = 2

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
offsets = st.integers(0, 2**50).map(lambda n: n * PAGE)
contents = st.binary(min_size=1, max_size=16).map(lambda b: (b * PAGE)[:PAGE])
pages = st.builds(Page, names, offsets, contents | st.none())
lengths = offsets.map(lambda n: n + PAGE)


def sizes_of(blocks: st.SearchStrategy[Block]) -> st.SearchStrategy[RamSize]:
    """Some blocks of memory."""
    several = st.builds(RamSize, st.lists(blocks, min_size=1, max_size=4).map(tuple))
    return several.filter(lambda s: sum(b.length for b in s.blocks) < 2**64)


sizes = sizes_of(st.builds(Block, names, lengths))
sizes_with_addresses = sizes_of(st.builds(Block, names, lengths, u64))
devices = st.builds(Device, u32, names, u32, u32, st.binary(max_size=300))
LETTERS = {"I": u32, "Q": u64}
"""What a field of a message of a fixed length may be, by its letter in the layout."""
commands: st.SearchStrategy[StreamMessage] = st.one_of(
    [st.builds(kind, *(LETTERS[letter] for letter in kind.layout.format[1:])) for kind in FIXED_COMMANDS.values()]
)
configuration: st.SearchStrategy[StreamMessage] = st.one_of(
    st.builds(TargetPageBits, u32),
    st.builds(Capabilities, st.lists(names | st.just(IGNORE_SHARED), max_size=3).map(tuple)),
    st.builds(Uuid, st.binary(min_size=16, max_size=16)),
)
asked = st.builds(AskBitmap, names)
discards = st.builds(Discard, names, st.lists(st.tuples(u64, u64), min_size=1, max_size=12).map(tuple))


@st.composite
def packages(draw: st.DrawFn) -> Packaged:
    """A package with some devices."""
    inside: list[StreamMessage] = [Listen(), *draw(st.lists(devices, max_size=3)), Run()]
    return Packaged(b"".join(StreamWriter().encode(inside)))


@st.composite
def sections(
    draw: st.DrawFn, head: StreamMessage, *, sizes: st.SearchStrategy[RamSize] | None = None
) -> list[StreamMessage]:
    """A section of guest memory."""
    inside: list[StreamMessage] = [] if sizes is None else [draw(sizes)]
    return [head, *inside, *draw(st.lists(pages | st.just(MultifdFlush()), max_size=4)), RamEnd(), Footer(SECTION)]


@st.composite
def streams(draw: st.DrawFn) -> list[StreamMessage]:
    """A whole stream."""
    loose = st.one_of(
        commands,
        discards,
        asked,
        packages(),
        devices,
    ).map(lambda m: [m])
    parts = draw(st.lists(configuration, max_size=2, unique_by=type))
    messages: list[StreamMessage] = [Header(), Configuration(draw(names)), *parts]
    with_addresses = any(isinstance(m, Capabilities) and IGNORE_SHARED in m.names for m in parts)
    for part in draw(st.lists(loose, max_size=4)):
        messages += part
    start = SectionStart(SECTION, "ram", 0, 4)
    messages += draw(sections(start, sizes=sizes_with_addresses if with_addresses else sizes))
    for part in draw(st.lists(loose | sections(SectionPart(SECTION)), max_size=6)):
        messages += part
    end = draw(st.lists(st.builds(Description, st.binary(max_size=40)), max_size=1))
    return [*messages, *draw(sections(SectionEnd(SECTION))), Eof(), *end]


neighbours = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 70), st.booleans()), min_size=1, max_size=4)


@st.composite
def long_streams(draw: st.DrawFn) -> list[StreamMessage]:
    """A stream with runs of pages that are neighbours and alike, as a source sends them."""
    messages: list[StreamMessage] = [Header(), SectionStart(SECTION, "ram", 0, 4)]
    at = 0
    for gap, count, zero in draw(neighbours):
        at += gap
        messages += [
            Page("ram", n * PAGE, None if zero else bytes([n % 255 + 1]) * PAGE) for n in range(at, at + count)
        ]
        at += count
    return [*messages, RamEnd(), Footer(SECTION), Eof()]


replies: st.SearchStrategy[Reply] = st.one_of(
    *(st.builds(kind, *(LETTERS[letter] for letter in kind.layout.format[1:])) for kind in FIXED_REPLIES.values()),
    st.builds(Request, names, u64, u32),
    st.builds(ReceivedBitmap, names, st.binary(max_size=40).map(lambda b: b * 8)),
)


def chunked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes, cut anywhere."""
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
