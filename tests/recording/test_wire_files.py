"""What passed between two hosts is read from files as it was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.recording.errors import RecordingError
from postcopy.recording.wire_files import Closed, Opened, Passed, WireWriter, read_chunks, read_events


def test_it_is_read_as_it_was_kept(tmp_path: Path) -> None:
    writer = WireWriter(tmp_path)
    writer.opened(0)
    writer.passed(0, "destination", b"one")
    writer.passed(0, "source", b"answer")
    writer.opened(1)
    writer.passed(1, "destination", b"other")
    writer.passed(0, "destination", b"two")
    writer.closed(0, "destination", 2)
    writer.close()
    writer.closed(0, "source")  # too late: nothing is kept, and nothing breaks
    events = read_events(tmp_path)
    assert [type(event) for event in events] == [Opened, Passed, Passed, Opened, Passed, Passed, Closed]
    times = [event.t for event in events]
    assert times == sorted(times)
    assert events[-1] == Closed(times[-1], 0, "destination", 2)
    assert [chunk[1:] for chunk in read_chunks(tmp_path)] == [
        (0, "destination", b"one"),
        (0, "source", b"answer"),
        (1, "destination", b"other"),
        (0, "destination", b"two"),
    ]
    assert (tmp_path / "0-to-destination.bin").read_bytes() == b"onetwo"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "holds no recorded wire"),
        ("", "holds no recorded wire"),
        ("no JSON\n", "holds no recorded wire"),
        ('{"type":"postcopy-wire","version":2}\n', "holds no recorded wire"),
        ('{"type":"opened","t":1.0,"connection":0}\n', "does not begin with the name of its format"),
        ('{"type":"postcopy-wire","version":1}\n{"type":"passed"}\n', "holds no recorded wire"),
    ],
)
def test_what_is_no_recording(text: str | None, why: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "wire.jsonl").write_text(text)
    with pytest.raises(RecordingError, match=why):
        read_events(tmp_path)
