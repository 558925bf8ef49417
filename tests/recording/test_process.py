"""No QEMU is left behind by a command that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postcopy.recording.process import start

HOLDS_A_PAIR = """
import sys, time
from pathlib import Path
from postcopy.recording.pair import Pair
from postcopy.recording.scenarios import SCENARIOS, ScenarioName, setting_of
from postcopy.replay.hosts import Hosts, Wanted

kind, program, directory = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if kind == "record":
    pair = Pair(program, setting_of(SCENARIOS[ScenarioName.DEFAULT], 2), directory)
else:
    pair = Hosts(program, (1, 2, 3), Wanted(), directory)
with pair:
    print(Path("/proc/thread-self/children").read_text(), flush=True)
    time.sleep(60)
"""


def test_a_program_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output, pytest.raises(FileNotFoundError):
        start([str(tmp_path / "none")], output)


@pytest.mark.parametrize("kind", ["record", "replay"])
def test_qemus_end_with_what_has_started_them(kind: str, fake: str, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()
    command = [sys.executable, "-c", HOLDS_A_PAIR, kind, fake, str(directory)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    pids = [int(word) for word in holder.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(is_there, pids))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert in_time(lambda: not any(map(is_there, pids)))


def is_there(pid: int) -> bool:
    """Whether this process runs: one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def in_time(becomes: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not becomes():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
