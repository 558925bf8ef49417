"""Recordings without times, in an order in which they can have passed: what answers something comes right behind it."""

from __future__ import annotations

from collections.abc import Iterator

from postcopy.conformance.qemu.wire_files import Arrival, Main, PackagePing, Passed, read_capture
from postcopy.engine import messages as m
from tests.engine.recordings import FOLDER


def in_order(run: str) -> list[Arrival]:
    """The messages of a recording."""
    streams: dict[str, list[Arrival]] = {}
    for arrival in read_capture(FOLDER / run):
        streams.setdefault(_stream(arrival), []).append(arrival)
    main = _parts(streams.pop("main"))
    replies = _parts(streams.pop("replies"))
    return list(_merged(main, replies, streams))


def _stream(arrival: Arrival) -> str:
    if arrival.stream == "main" or arrival.stream.startswith("replies") or arrival.host == "destination":
        return "replies" if arrival.host == "destination" else "main"
    return arrival.stream


def _parts(stream: list[Arrival]) -> list[list[Arrival]]:
    """One list for each connection."""
    parts: list[list[Arrival]] = []
    place = ""
    for arrival in stream:
        connection = arrival.place.partition(",")[0].rpartition(" ")[2]
        if not parts or connection != place:
            parts.append([])
        place = connection
        parts[-1].append(arrival)
    return parts


def _merged(
    main: list[list[Arrival]], replies: list[list[Arrival]], others: dict[str, list[Arrival]]
) -> Iterator[Arrival]:
    preempt = others.pop("preempt", [])
    multifd = [arrival for stream in others.values() for arrival in stream]
    for number, part in enumerate(main):
        waiting = list(replies[number]) if number < len(replies) else []
        open_: set[object] = set()
        requested: set[tuple[str, int]] = set()
        for arrival in part:
            if isinstance(arrival.message, m.Discard | m.Packaged) and multifd:
                yield from multifd
                multifd = []
            if isinstance(arrival.message, m.Device | m.Eof) and multifd:
                yield from multifd
                multifd = []
            if isinstance(arrival.message, m.Eof):
                yield from preempt
                preempt = []
            yield arrival
            open_ |= set(_opens(arrival.message))
            while waiting and _may_come(waiting[0].message, open_):
                reply = waiting.pop(0)
                if isinstance(reply.message, m.Request):
                    requested.add((reply.message.block, reply.message.offset))
                yield reply
                while preempt and _is_requested(preempt[0].message, requested):
                    yield preempt.pop(0)
        yield from waiting


def _opens(message: Passed) -> Iterator[object]:
    """What can be answered from here on."""
    match message:
        case m.Ping(value) | PackagePing(value):
            yield "PONG", value
        case m.Packaged():
            yield "requests"
        case m.AskBitmap(block):
            yield "bitmap", block
        case m.Resume():
            yield "resumed"
            yield "requests"
        case m.Eof():
            yield "end"
        case Main():
            yield "replies"


def _may_come(message: Passed, open_: set[object]) -> bool:
    match message:
        case m.Pong(value):
            return ("PONG", value) in open_
        case m.Request():
            return "requests" in open_
        case m.ReceivedBitmap(block):
            return ("bitmap", block) in open_
        case m.ResumeAck():
            return "resumed" in open_
        case m.Shut():
            return "end" in open_
        case _:
            return True


def _is_requested(message: Passed, requested: set[tuple[str, int]]) -> bool:
    return not isinstance(message, m.Page) or (message.block, message.offset) in requested
