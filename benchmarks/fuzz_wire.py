"""Damages valid streams and return paths at random and reads them: any outcome but a message or a `WireError` is a bug.

Usage: ``python benchmarks/fuzz_wire.py [--seconds 60] [--seed 1]``; prints how many inputs were tried.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import TypeAlias

from postcopy.engine.errors import WireError
from postcopy.engine.messages import (
    Advise,
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
    Message,
    MultifdFlush,
    OpenReturnPath,
    Packaged,
    Page,
    Ping,
    Pong,
    RamEnd,
    RamSize,
    ReceivedBitmap,
    Reply,
    Request,
    Resume,
    ResumeAck,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    Shut,
    StreamMessage,
    SwitchoverStart,
    Uuid,
)
from postcopy.engine.multifd import SYNC, MultifdHello, MultifdPacket, MultifdParser, multifd_bytes
from postcopy.engine.parsing import StreamParser, read_package
from postcopy.engine.return_path import ReplyParser, ReplyWriter
from postcopy.engine.wire import MULTIFD_BYTES
from postcopy.engine.writing import StreamWriter

PAGE = 1024


def stream() -> bytes:
    """A short stream with everything in it."""
    package: list[StreamMessage] = [Listen(), Device(3, "cpu", 0, 1, b"registers"), Run()]
    several: list[StreamMessage] = [Page("a", n * PAGE, bytes(PAGE) if n < 3 else None) for n in range(6)]
    messages: list[StreamMessage] = [
        *(Header(), Configuration("m"), Capabilities(("x-ignore-shared",)), Uuid(bytes(16))),
        *(OpenReturnPath(), Ping(1), Advise(PAGE, PAGE), SwitchoverStart(), AskBitmap("a"), Resume()),
        *(SectionStart(2, "ram", 0, 4), RamSize((Block("a", 4 * PAGE, 0), Block("b", PAGE, 1 << 20)))),
        *(MultifdFlush(), RamEnd(), Footer(2)),
        *(SectionPart(2), Page("a", 0, bytes(PAGE)), Page("b", 0, None), RamEnd(), Footer(2)),
        *(SectionPart(2), *several, RamEnd(), Footer(2)),
        *(Discard("a", ((0, PAGE), (2 * PAGE, PAGE))), Packaged(b"".join(StreamWriter().encode(package)))),
        *(SectionEnd(2), RamEnd(), Footer(2), Device(0, "timer", 0, 2, b"state"), Eof(), Description(b"{}")),
    ]
    return b"".join(StreamWriter().encode(messages))


def replies() -> bytes:
    """A short return path with everything in it."""
    writer = ReplyWriter()
    sent: list[Reply] = [Pong(1), Request("a", 0, PAGE), Request("a", PAGE, PAGE), Request("b", 0, PAGE), Shut(0)]
    sent += [ReceivedBitmap("a", bytes(8)), ResumeAck(1)]
    return b"".join(writer.encode(reply) for reply in sent)


def packets() -> bytes:
    """A short connection of multifd."""
    offsets = b"".join((n * PAGE).to_bytes(8) for n in range(MULTIFD_BYTES // PAGE))
    packet = MultifdPacket(SYNC, 128, 2 * PAGE, 0, 1, "a", offsets, bytes(2 * PAGE))
    return b"".join(b"".join(multifd_bytes(each, PAGE)) for each in (MultifdHello(bytes(16), 0), packet, packet))


def damage(data: bytes, chance: random.Random) -> bytes:
    """Flip, cut, double, drop or overwrite something, once or several times."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out) or 1)
        match chance.randrange(5):
            case 0 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 1:
                del out[at:]
            case 2:
                out[at:at] = out[at : at + chance.randint(1, 64)]
            case 3:
                del out[at : at + chance.randint(1, 64)]
            case _:
                out[at : at + 4] = chance.randbytes(4)
    return bytes(out)


AnyParser: TypeAlias = StreamParser | ReplyParser | MultifdParser


def next_of(parser: AnyParser, *, together: bool) -> Message | None:
    """The next message, or several pages together."""
    return parser.next_pages(64) if together and isinstance(parser, StreamParser) else parser.next_message()


def read(data: bytes, parser: AnyParser, chance: random.Random) -> bool:
    """Whether all of it was read without an error."""
    together = chance.random() < 0.5
    try:
        at = 0
        while at < len(data):
            step = chance.choice((1, 7, 64, 4096))
            parser.feed(data[at : at + step])
            at += step
            while (message := next_of(parser, together=together)) is not None:
                assert isinstance(message, Message)
                if isinstance(message, Packaged):
                    read_package(message.data, PAGE)
        parser.close()
    except WireError:
        return False
    assert parser.buffered == 0
    return True


def main() -> None:
    """Fuzz for a while."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    chance = random.Random(given.seed)
    valid = (stream(), replies(), packets())
    end = time.monotonic() + given.seconds
    tried = survived = 0
    while time.monotonic() < end:
        survived += read(damage(valid[0], chance), StreamParser(PAGE, opaque_devices=chance.random() < 0.5), chance)
        survived += read(damage(valid[1], chance), ReplyParser(), chance)
        survived += read(damage(valid[2], chance), MultifdParser(PAGE), chance)
        tried += 3
    print(f"{tried:,} damaged inputs: {tried - survived:,} refused cleanly, {survived:,} still valid")


if __name__ == "__main__":
    main()
