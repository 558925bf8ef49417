"""Real QEMUs are recorded, and what they send is what the engine reads. Skipped where there is no QEMU."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.conformance.qemu.judge import Question
from postcopy.conformance.qemu.trace_files import read_trace
from postcopy.conformance.qemu.trace_reading import read_traces
from postcopy.conformance.qemu.versions import protocol_of_wire
from postcopy.conformance.qemu.wire_files import read_capture
from postcopy.conformance.qemu.wire_reading import read_wire
from postcopy.engine.messages import Eof, Shut
from postcopy.engine.parsing import StreamParser
from postcopy.engine.return_path import ReplyParser
from postcopy.engine.wire import Begin
from postcopy.recording import pair
from postcopy.recording.proxy import Proxy
from postcopy.recording.record import INSTALLED, record
from postcopy.recording.scenarios import ScenarioName
from postcopy.recording.wire_files import read_chunks


def userfaultfd_is_there() -> bool:
    """Root may use it, and others where the system is set so: QEMU's destination needs it."""
    import os

    setting = Path("/proc/sys/vm/unprivileged_userfaultfd")
    return os.geteuid() == 0 or (setting.exists() and setting.read_text().strip() == "1")


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(INSTALLED) is None, reason="needs QEMU"),
    pytest.mark.skipif(not userfaultfd_is_there(), reason="needs userfaultfd for QEMU"),
]


@pytest.mark.parametrize("scenario", [ScenarioName.IMMEDIATE, ScenarioName.RECOVER, ScenarioName.CANCEL])
def test_a_real_migration(scenario: ScenarioName, tmp_path: Path) -> None:
    made = record(tmp_path / "kept", scenario, memory=2)
    assert made.guest_is_intact, made
    assert not made.what_failed
    for side in pair.SIDES:
        assert "migrate_set_state" in (tmp_path / "kept" / f"{side}.log").read_text()
    chunks = list(read_chunks(tmp_path / "kept"))
    connections = sorted({chunk.connection for chunk in chunks})
    assert len(connections) == (2 if scenario is ScenarioName.RECOVER else 1)
    section: int | None = None
    for number in connections:
        begin = Begin.RESUMED if number else Begin.HEADER
        stream = StreamParser(4096, begin, opaque_devices=True, ram_section=section)
        stream.feed(b"".join(chunk.data for chunk in chunks if (chunk.connection, chunk.to) == (number, "destination")))
        messages = list(stream)
        section = stream.ram_section
        replies = ReplyParser()
        replies.feed(b"".join(chunk.data for chunk in chunks if (chunk.connection, chunk.to) == (number, "source")))
        answers = list(replies)
    if scenario is not ScenarioName.CANCEL:
        assert isinstance(messages[-1], Eof)
        assert answers[-1] == Shut(0)


def test_a_destination_that_cannot_load_a_device_conforms_by_wire_and_by_trace(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    made = record(kept, ScenarioName.MISSING_DEVICE, memory=2)
    # 7.2 closes the file that its listen thread reads before it ends (O8): some runs end by SIGABRT or SIGSEGV instead
    assert made.destination.exit in (1, -signal.SIGABRT, -signal.SIGSEGV)
    assert not made.what_failed
    question = Question(*resolve(protocol_of_wire(kept)))
    source, destination = (read_trace(kept / f"{side}.log") for side in pair.SIDES)
    by_wire = read_wire(read_capture(kept), has_loaded=question.has("LOADED"))
    for recording in (by_wire, read_traces(source, destination, question.knows)):
        found, _ = question.judge(recording)
        assert found.verdict == "conforms", found


class Damaging(Proxy):
    """Changes the address that stands in the middle of one of the guest's pages."""

    def _send(self, direction, data):  # type: ignore[no-untyped-def]
        super()._send(direction, data.replace(b"\x00\x30\x12\x00", b"\x00\x30\x13\x00"))


def test_the_guest_finds_a_page_that_was_changed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "Proxy", Damaging)
    made = record(tmp_path / "kept", ScenarioName.IMMEDIATE, memory=2)
    assert made.destination.errors == 1
    assert not made.guest_is_intact
