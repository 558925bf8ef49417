"""A host whose standard input, output or errors were closed: a file of the guest must not pass for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.test_orphans import MEMORY

ROOT = Path(__file__).parents[2]
BODY = """
import os, sys
for fd in {closed}: os.close(fd)
from postcopy.engine.memory import GuestProcess
from tests.engine.live import SMALL
import msgspec
guest = GuestProcess(msgspec.structs.replace(SMALL, memory={memory!r}), incoming=False, timeout=20.0)
guest.work("fill", 1.0)
guest.ask("start"), guest.ask("stop"), guest.work("check")
verdict = guest.ask("verdict")
guest.close()
open({result!r}, "w").write(repr((verdict["damage"], guest.memfd)))
"""


@pytest.mark.slow_but("closed1-software", "closed1-userfaultfd")
@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("closed", [[], [0], [1], [0, 1], [0, 1, 2], [2]])
def test_a_guest_of_a_host_with_closed_descriptors(closed: list[int], memory: str, tmp_path: Path) -> None:
    result = tmp_path / "result"
    body = BODY.format(closed=closed, memory=memory, result=str(result))
    done = subprocess.run([sys.executable, "-c", body], cwd=ROOT, timeout=60, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert result.read_text() == "([], -1)"
