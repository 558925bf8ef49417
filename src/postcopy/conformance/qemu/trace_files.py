"""QEMU's logs of trace events, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from postcopy.conformance.qemu.recorded_text import whole_lines
from postcopy.errors import UsageError

_LINE = re.compile(
    r"(?:^|\s)(?:(?P<pid>\d+)@(?P<seconds>\d+\.\d+):|(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z )"
    r"(?P<event>[a-z]\w+)(?: (?P<rest>.*)|$)"
)
"""Anything may stand in front: the name of a machine, or of a service that keeps logs."""


class Line(NamedTuple):
    """An event.

    Attributes:
        number: of the line, from 1.
        time: in seconds since the epoch.
        event: its name.
        rest: its arguments.
        old: the number of the thread comes first, as before QEMU 11.
    """

    number: int
    time: float
    event: str
    rest: str
    old: bool


def read_trace(path: Path) -> list[Line]:
    """The events of a log, plain or compressed; lines that are none are left out.

    Raises:
        UsageError: it cannot be read, or has none.
    """
    text = whole_lines(path)
    lines = list(_lines(text))
    if not lines:
        raise UsageError(f"{path} has no trace events: QEMU writes them with -trace EVENT -D FILE")
    return lines


def _lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if found := _LINE.search(line):
            time = _time(found)
            if time is not None:
                yield Line(number, time, found["event"], (found["rest"] or "").strip(), found["date"] is None)


def _time(found: re.Match[str]) -> float | None:
    """Seconds since the epoch; None for a date that there is not."""
    if found["date"] is None:
        return float(found["seconds"])
    try:
        return datetime.fromisoformat(f"{found['date']}+00:00").timestamp()
    except ValueError:
        return None
