"""The client of QMP says what QEMU does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.recording import qmp
from postcopy.recording.errors import RecordingError
from postcopy.recording.qmp import Entry, Qmp


def test_a_socket_that_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp, "START", 0.1)
    kept: list[Entry] = []
    with pytest.raises(RecordingError, match="source: QEMU does not open its QMP socket in 0 s"):
        Qmp(tmp_path / "nothing", "source", kept.append)
    assert kept == []
