"""Which version of QEMU a recording is of, and the model of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from postcopy.conformance.qemu.recorded_text import whole_lines
from postcopy.conformance.qemu.trace_files import Line

MODELS = ((8, "qemu-7.2"), (100, "qemu-11"))
"""Up to which version, exclusively, which model is meant."""
HEAD = 1 << 14


def model_of(version: str) -> str:
    """The name of the model of a version, such as 7.2.22; the newest, where nothing is known."""
    found = re.match(r"(\d+)\.", version)
    number = int(found[1]) if found else 99
    return next(name for below, name in MODELS if number < below)


def protocol_of_wire(path: Path) -> str:
    """The name of the model for a recorded wire."""
    return model_of(_version_of_directory(path) if path.is_dir() else _version_of_events(path))


def _version_of_directory(path: Path) -> str:
    about = path / "recording.json"
    try:
        version = json.loads(about.read_text(encoding="utf-8"))["qemu"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return version if isinstance(version, str) else ""


def _version_of_events(path: Path) -> str:
    found = re.search(r'"qemu": ?"([0-9.]+)"', whole_lines(path)[:HEAD])
    return found[1] if found else ""


def protocol_of_trace(source: Sequence[Line]) -> str:
    """The name of the model for a log: before QEMU 11 the number of the thread comes first in a line."""
    return MODELS[0][1] if source[0].old else MODELS[1][1]
