"""What is said of a process that has ended without a reply, and of a folder that cannot be served."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import anyio
import pytest

pytest.importorskip("mcp")

from postcopy.assistants import process
from postcopy.assistants.calls import Call, Tool
from postcopy.cli.mcp import command
from postcopy.errors import UsageError


class Counted(io.BytesIO):
    """Notes how much of it was read."""

    given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        Counted.given += len(found)
        return found


def test_of_what_a_process_has_printed_the_end_is_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Counted(b"a line\n" * 1_000_000 + b"what it died of\n")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: said)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(Counted, "fileno", lambda _: 2)
    call = Call(tool=Tool.CHECK, folder=str(tmp_path), seconds=20.0, memory=1 << 30)
    reply = anyio.run(process.answered, call)
    assert reply.sentence == "its process ended with code 1: what it died of"
    assert Counted.given <= process.LONGEST


def test_a_folder_in_which_no_protocol_can_be_named_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a:b"
    folder.mkdir()
    with pytest.raises(UsageError, match="a:b: no protocol can be named in a folder with : in its name"):
        command(folder)
