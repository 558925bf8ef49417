"""Random streams that a parser has to read: whole ones, in the order that the wire's grammar asks for."""

from __future__ import annotations

from hypothesis import strategies as st

from postcopy.engine.messages import (
    Block,
    Configuration,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    Packaged,
    Page,
    RamEnd,
    RamSize,
    Reply,
    Request,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    StreamMessage,
)
from postcopy.engine.wire import FIXED_COMMANDS, FIXED_REPLIES, StreamWriter

PAGE = 1024
SECTION = 2

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
offsets = st.integers(0, 2**50).map(lambda n: n * PAGE)
contents = st.binary(min_size=1, max_size=16).map(lambda b: (b * PAGE)[:PAGE])
pages = st.builds(Page, names, offsets, contents | st.none())
sizes = st.builds(
    RamSize, st.lists(st.builds(Block, names, offsets.map(lambda n: n + PAGE)), min_size=1, max_size=4).map(tuple)
).filter(lambda s: sum(b.length for b in s.blocks) < 2**64)
devices = st.builds(Device, u32, names, u32, u32, st.binary(max_size=300))
LETTERS = {"I": u32, "Q": u64}
"""What a field of a message of a fixed length may be, by its letter in the layout."""
commands: st.SearchStrategy[StreamMessage] = st.one_of(
    [st.builds(kind, *(LETTERS[letter] for letter in kind.layout.format[1:])) for kind in FIXED_COMMANDS.values()]
)
discards = st.builds(Discard, names, st.lists(st.tuples(u64, u64), min_size=1, max_size=12).map(tuple))


@st.composite
def packages(draw: st.DrawFn) -> Packaged:
    """A package with some devices."""
    inside: list[StreamMessage] = [Listen(), *draw(st.lists(devices, max_size=3)), Run()]
    return Packaged(b"".join(StreamWriter().encode(inside)))


@st.composite
def sections(draw: st.DrawFn, head: StreamMessage, *, sized: bool = False) -> list[StreamMessage]:
    """A section of guest memory."""
    inside: list[StreamMessage] = [draw(sizes)] if sized else []
    return [head, *inside, *draw(st.lists(pages, max_size=4)), RamEnd(), Footer(SECTION)]


@st.composite
def streams(draw: st.DrawFn) -> list[StreamMessage]:
    """A whole stream."""
    loose = st.one_of(
        commands,
        discards,
        packages(),
        devices,
    ).map(lambda m: [m])
    messages: list[StreamMessage] = [Header(), Configuration(draw(names))]
    for part in draw(st.lists(loose, max_size=4)):
        messages += part
    messages += draw(sections(SectionStart(SECTION, "ram", 0, 4), sized=True))
    for part in draw(st.lists(loose | sections(SectionPart(SECTION)), max_size=6)):
        messages += part
    return [*messages, *draw(sections(SectionEnd(SECTION))), Eof()]


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
)


def chunked(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes, cut anywhere."""
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
