"""A recording is read the same with times and without, and says of which version of QEMU it is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from postcopy.conformance.qemu.trace_files import read_trace
from postcopy.conformance.qemu.versions import model_of, protocol_of_trace, protocol_of_wire
from postcopy.conformance.qemu.wire_files import Replies, read_capture
from postcopy.recording.wire_files import WireWriter

RECORDED = Path(__file__).parents[1] / "engine" / "recorded"
TRACES = Path(__file__).with_name("traces")


@pytest.mark.parametrize(
    ("version", "model"), [("7.2.22", "qemu-7.2"), ("10.0.13", "qemu-11"), ("11.1.3", "qemu-11"), ("", "qemu-11")]
)
def test_a_version_has_the_model_that_is_next_to_it(version: str, model: str) -> None:
    assert model_of(version) == model


def test_a_recording_names_its_version_in_its_directory(tmp_path: Path) -> None:
    assert protocol_of_wire(tmp_path) == "qemu-11"
    (tmp_path / "recording.json").write_text(json.dumps({"qemu": 7}))
    assert protocol_of_wire(tmp_path) == "qemu-11"
    (tmp_path / "recording.json").write_text(json.dumps({"qemu": "7.2.22"}))
    assert protocol_of_wire(tmp_path) == "qemu-7.2"


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_events_names_its_version_at_its_beginning(tmp_path: Path, packed: bool) -> None:
    text = b'{"about": "a capture", "qemu": "7.2.22"}\n'
    (tmp_path / "events").write_bytes(gzip.compress(text) if packed else text)
    assert protocol_of_wire(tmp_path / "events") == "qemu-7.2"
    (tmp_path / "events").write_bytes(b"{}\n")
    assert protocol_of_wire(tmp_path / "events") == "qemu-11"


@pytest.mark.parametrize(("run", "model"), [("7.2-precopy", "qemu-7.2"), ("11.1-multifd", "qemu-11")])
def test_a_log_shows_its_version_by_its_form(run: str, model: str) -> None:
    assert protocol_of_trace(read_trace(TRACES / f"{run}.source.log.gz")) == model


def test_what_was_read_with_times_is_what_is_read_without(tmp_path: Path) -> None:
    """The stream comes in pieces that end anywhere."""
    directory = RECORDED / "7.2-precopy"
    writer = WireWriter(tmp_path)
    writer.opened(0)
    for to in ("destination", "source"):
        data = gzip.decompress((directory / f"0-to-{to}.gz").read_bytes())
        for begin in range(0, len(data), 70_001):
            writer.passed(0, to, data[begin : begin + 70_001])
        writer.closed(0, to)
    writer.close()

    timed, untimed = list(read_capture(tmp_path)), list(read_capture(directory))
    for host in ("source", "destination"):
        with_times = [its.message for its in timed if its.host == host]
        without = [its.message for its in untimed if its.host == host and not isinstance(its.message, Replies)]
        assert with_times == without
    assert len(timed) > 100
    assert all(its.time >= 0 for its in timed)
