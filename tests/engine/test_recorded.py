"""Held against QEMU 7.2.22: two migrations of a 32 MiB guest, as a proxy between two QEMUs decoded them.

The recordings have where each message ended in the stream, the flags of each page and the lengths of devices, but no
contents: those are zeros here. What is written here must end where QEMU's ended, and must be read again as it was.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from postcopy.engine.messages import (
    Advise,
    Block,
    Configuration,
    Device,
    Discard,
    Eof,
    Footer,
    Header,
    Listen,
    OpenReturnPath,
    Packaged,
    Page,
    Ping,
    Pong,
    RamEnd,
    RamSize,
    Reply,
    Request,
    Run,
    SectionEnd,
    SectionPart,
    SectionStart,
    Shut,
    StreamMessage,
)
from postcopy.engine.wire import Ram, ReplyParser, ReplyWriter, StreamParser, StreamWriter, read_package

PAGE = 4096
ZEROS = bytes(PAGE)


def events(name: str, direction: str) -> list[dict[str, Any]]:
    path = Path(__file__).with_name(f"qemu-7.2-{name}.jsonl.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    return [e for e in map(json.loads, lines) if e["dir"] == direction]


def message(e: dict[str, Any]) -> StreamMessage:
    match e["msg"]:
        case "file_header":
            return Header()
        case "configuration":
            return Configuration(e["machine"])
        case "OPEN_RETURN_PATH":
            return OpenReturnPath()
        case "PING":
            return Ping(e["val"])
        case "POSTCOPY_ADVISE":
            return Advise(e["host_ps"], e["target_ps"])
        case "section_start":
            return SectionStart(e["sid"], e["id"], e["inst"], e["ver"])
        case "ram_mem_size":
            return RamSize(tuple(Block(b["id"], b["len"]) for b in e["blocks"]))
        case "ram_eos":
            return RamEnd()
        case "section_footer":
            return Footer(e["sid"])
        case "section_part":
            return SectionPart(e["sid"])
        case "section_end":
            return SectionEnd(e["sid"])
        case "page":
            return Page(e["block"], e["offset"], None if "zero" in e else ZEROS)
        case "POSTCOPY_RAM_DISCARD":
            return Discard(e["block"], tuple((start, length) for start, length in e["ranges"]))
        case "POSTCOPY_LISTEN":
            return Listen()
        case "POSTCOPY_RUN":
            return Run()
        case "section_full":
            return Device(e["sid"], e["id"], e["inst"], e["ver"], bytes(e["len"]))
        case "eof":
            return Eof()
    raise AssertionError(e)


def package(inside: list[dict[str, Any]]) -> Packaged:
    return Packaged(b"".join(StreamWriter(opaque_devices=True).encode(map(message, inside))))


@pytest.mark.parametrize("name", ["default", "immediate"])
def test_the_stream_is_qemus(name: str) -> None:
    recorded = events(name, "src->dst")
    inside = [e for e in recorded if "pkg" in e]
    writer, parser = StreamWriter(), StreamParser(PAGE)
    end = 0
    for e in (e for e in recorded if "pkg" not in e):
        sent = package(inside) if e["msg"] == "PACKAGED" else message(e)
        if e["msg"] == "page" and not e["flags"] & Ram.CONTINUE:
            writer = StreamWriter()  # QEMU names the block again at each pass
        data = b"".join(writer.encode([sent]))
        end += len(data)
        if e["msg"] == "PACKAGED":
            assert (e["len"], e["at"]) == (len(package(inside).data), end - e["len"])
        elif "at" in e:
            assert e["at"] == end, e
        else:
            assert int.from_bytes(data[:8]) & 0xFFF == e["flags"]
        parser.feed(data)
        assert list(parser) == [sent]
    parser.close()


def test_the_package_is_qemus() -> None:
    inside = [e for e in events("default", "src->dst") if "pkg" in e]
    assert [e["msg"] for e in inside[:2]] == ["POSTCOPY_LISTEN", "section_full"]
    writer = StreamWriter(opaque_devices=True)
    at = 0
    for e in inside:
        assert e["pkg"] == at
        at += sum(len(b) for b in writer.encode([message(e)]))
    assert read_package(package(inside).data, PAGE, opaque_devices=True) == [message(e) for e in inside]


@pytest.mark.parametrize("name", ["default", "immediate"])
def test_the_return_path_is_qemus(name: str) -> None:
    writer, parser = ReplyWriter(), ReplyParser()
    end = 0
    for e in events(name, "dst->src"):
        reply: Reply
        match e["msg"]:
            case "SHUT":
                reply = Shut(e["val"])
            case "PONG":
                reply = Pong(e["val"])
            case _:
                reply = Request(e["block"], e["offset"], e["len"])
        data = writer.encode(reply)
        end += len(data)
        assert e["at"] == end
        parser.feed(data)
        assert list(parser) == [reply]
