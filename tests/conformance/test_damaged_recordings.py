"""A recording that is cut off, damaged or mixed with other lines is never refuted for that, and never an accident."""

from __future__ import annotations

import contextlib
import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.catalogue.loading import resolve
from postcopy.conformance.qemu.judge import Judgement, Question
from postcopy.conformance.qemu.trace_files import read_trace
from postcopy.conformance.qemu.trace_reading import read_traces
from postcopy.conformance.qemu.versions import protocol_of_wire
from postcopy.conformance.qemu.wire_files import read_capture
from postcopy.conformance.qemu.wire_reading import read_wire
from postcopy.engine.messages import RamSize
from postcopy.errors import PostcopyError, UsageError
from postcopy.recording.wire_files import WireWriter

HERE = Path(__file__).parent
RECORDED = HERE.parent / "engine" / "recorded"
CAPTURES = ("7.2-default", "7.2-immediate", "7.2-late-start", "7.2-preempt")
some = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
many = settings(some, max_examples=25)


@pytest.fixture(scope="module")
def question() -> Question:
    return Question(*resolve("qemu-7.2"))


def by_wire(question: Question, path: Path) -> Judgement:
    """The verdict on what passed."""
    return question.judge(read_wire(read_capture(path), has_loaded=question.has("LOADED")))[0]


def by_trace(question: Question, source: Path, destination: Path) -> Judgement:
    """The verdict on two logs."""
    return question.judge(read_traces(read_trace(source), read_trace(destination), question.knows))[0]


def log(run: str, side: str) -> bytes:
    """The text of a log."""
    return gzip.decompress((HERE / "traces" / f"{run}.{side}.log.gz").read_bytes())


def cut(data: bytes, part: float) -> bytes:
    """The first part of some bytes."""
    return data[: int(len(data) * part)]


@some
@given(st.sampled_from(CAPTURES), st.floats(0, 1), st.booleans())
def test_a_capture_that_was_cut_off_is_not_refuted(
    question: Question, tmp_path: Path, capture: str, part: float, packed: bool
) -> None:
    data = (HERE / "captures" / f"{capture}.jsonl").read_bytes()
    path = tmp_path / "capture"
    path.write_bytes(cut(gzip.compress(data), part) if packed else cut(data, part))
    arrivals = read_capture(path)
    if not any(isinstance(its.message, RamSize) for its in arrivals):
        with pytest.raises(UsageError, match="ends before the source says what memory there is"):
            read_wire(arrivals, has_loaded=False)
    else:
        assert by_wire(question, path).verdict == "conforms"


@many
@given(st.sampled_from(CAPTURES), st.data())
def test_a_damaged_capture_is_read_or_refused(tmp_path: Path, capture: str, data: st.DataObject) -> None:
    """Bytes are changed, lines come twice or not at all: it is a recording of something else, or none."""
    lines = (HERE / "captures" / f"{capture}.jsonl").read_bytes().splitlines(keepends=True)
    spoilt = data.draw(st.lists(st.sampled_from(lines), max_size=len(lines))) or lines
    text = bytearray(b"".join(spoilt))
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=5)):
        text[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "capture"
    path.write_bytes(text)
    with contextlib.suppress(PostcopyError):
        protocol_of_wire(path)
        read_wire(read_capture(path), has_loaded=False)


@pytest.mark.unmeasured
@some
@given(st.floats(0, 1), st.floats(0, 1))
def test_logs_of_which_each_was_cut_off_somewhere_are_not_refuted(
    question: Question, tmp_path: Path, here: float, there: float
) -> None:
    for side, part in (("source", here), ("destination", there)):
        (tmp_path / side).write_bytes(cut(log("7.2-precopy", side), part))
    with contextlib.suppress(UsageError):
        assert by_trace(question, tmp_path / "source", tmp_path / "destination").verdict != "refuted"


@pytest.mark.slow
@pytest.mark.parametrize(("here", "there"), [(0.4, 1), (1, 0.4), (0.7, 1), (1, 0.7), (0.9, 0.8)])
@pytest.mark.parametrize("run", ["7.2-default", "7.2-recover"])
def test_logs_of_postcopy_that_were_cut_off_are_not_refuted(
    question: Question, tmp_path: Path, run: str, here: float, there: float
) -> None:
    for side, part in (("source", here), ("destination", there)):
        (tmp_path / side).write_bytes(cut(log(run, side), part))
    assert by_trace(question, tmp_path / "source", tmp_path / "destination").verdict != "refuted"


@many
@given(st.data())
def test_a_damaged_log_is_read_or_refused(question: Question, tmp_path: Path, data: st.DataObject) -> None:
    for side in ("source", "destination"):
        text = bytearray(log("7.2-precopy", side)[:20_000])
        for place in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=5)):
            text[place] = data.draw(st.integers(0, 255))
        (tmp_path / side).write_bytes(text)
    with contextlib.suppress(PostcopyError):
        read_traces(read_trace(tmp_path / "source"), read_trace(tmp_path / "destination"), question.knows)


@pytest.mark.parametrize("before", ["", "vm1: ", "Nov 29 04:00:00 host qemu[7]: ", "[  12.5] "])
def test_what_stands_before_or_between_events_does_not_matter(question: Question, tmp_path: Path, before: str) -> None:
    other = "qemu: warning: nothing\n7@1.5:virtio_queue_notify vdev 0x1 n 2\n\n2@x:y\n2026-99-99T00:00:00Z ram_x\n"
    for side in ("source", "destination"):
        lines = log("7.2-multifd", side).decode().splitlines()
        (tmp_path / side).write_text("".join(f"{before}{line}\n{other * (n % 9 == 0)}" for n, line in enumerate(lines)))
    found = by_trace(question, tmp_path / "source", tmp_path / "destination")
    assert (found.verdict, found.observations) == ("conforms", 1204)


def test_logs_that_are_swapped_are_refused(question: Question, tmp_path: Path) -> None:
    for side in ("source", "destination"):
        (tmp_path / side).write_bytes(log("7.2-default", side))
    with pytest.raises(UsageError, match="the source's log comes first"):
        by_trace(question, tmp_path / "destination", tmp_path / "source")


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\x1f\x8b", b"\x1f\x8bxyz", b"[1]\n", b"3\n", b"{}\n", b"\x00\xff" * 99]
)
def test_files_that_hold_nothing_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_wire(read_capture(path), has_loaded=False)
    with pytest.raises(UsageError):
        read_trace(path)
    with pytest.raises(UsageError):
        read_trace(tmp_path)


def recorded(tmp_path: Path, name: str) -> None:
    """A recording without times as one that has them."""
    writer = WireWriter(tmp_path)
    writer.opened(0)
    for to in ("destination", "source"):
        data = gzip.decompress((RECORDED / name / f"0-to-{to}.gz").read_bytes())
        for begin in range(0, len(data), 30_011):
            writer.passed(0, to, data[begin : begin + 30_011])
    writer.close()


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("file", ["wire.jsonl", "0-to-destination.bin"])
def test_a_directory_of_which_a_file_was_cut_off_is_not_refuted(
    question: Question, tmp_path: Path, file: str, part: float
) -> None:
    recorded(tmp_path, "7.2-precopy")
    (tmp_path / file).write_bytes(cut((tmp_path / file).read_bytes(), part))
    assert by_wire(question, tmp_path).verdict == "conforms"


def test_a_directory_that_lacks_a_file_is_refused(question: Question, tmp_path: Path) -> None:
    recorded(tmp_path, "7.2-precopy")
    (tmp_path / "0-to-destination.bin").unlink()
    with pytest.raises(PostcopyError, match="lacks"):
        by_wire(question, tmp_path)


@pytest.mark.parametrize("part", [0.5, 0.95])
@pytest.mark.parametrize("to", ["destination", "source"])
def test_a_direction_without_times_that_was_cut_off_is_not_refuted(
    question: Question, tmp_path: Path, to: str, part: float
) -> None:
    directory = tmp_path / "cut"
    shutil.copytree(RECORDED / "7.2-precopy", directory)
    file = directory / f"0-to-{to}.gz"
    file.write_bytes(gzip.compress(cut(gzip.decompress(file.read_bytes()), part)))
    assert by_wire(question, directory).verdict != "refuted"


def test_without_the_ends_of_the_logs_what_was_cut_off_would_be_refuted(question: Question, tmp_path: Path) -> None:
    for side, part in (("source", 0.5), ("destination", 1)):
        (tmp_path / side).write_bytes(cut(log("7.2-precopy", side), part))
    recording = read_traces(read_trace(tmp_path / "source"), read_trace(tmp_path / "destination"), question.knows)
    assert question.judge(recording)[0].verdict == "unknown"
    assert question.judge(replace(recording, ends=()))[0].verdict == "refuted"
