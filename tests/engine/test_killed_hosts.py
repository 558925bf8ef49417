"""A host is killed, with processes that really are: what becomes of the guest, and of what the host leaves behind.

At some boundaries only: the first message, precopy, the package, postcopy, and the end. All boundaries are tried with
connections in `test_boundaries`: to the other host, one whose peer was killed is one that was cut.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postcopy.engine.messages import Eof, Header, Message, OpenReturnPath, Packaged
from tests.engine.live import Meddler, first, pages_after

End = Callable[[Message, int], bool]
BOUNDARIES: dict[str, Callable[[], End]] = {
    "the first message": lambda: first(Header),
    "within precopy": lambda: pages_after(OpenReturnPath, 100),
    "the package": lambda: first(Packaged),
    "within postcopy": lambda: pages_after(Packaged, 5),
    "the end": lambda: first(Eof),
}
ROOT = Path(__file__).parents[2]
BEFORE_THE_SWITCH = ("the first message", "within precopy")


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.host_process", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ROOT,
    )


def children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def gone(pids: list[int]) -> bool:
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("killed", ["source", "destination"])
def test_a_killed_host(killed: str, boundary: str) -> None:
    left_behind: list[int] = []
    processes: dict[str, subprocess.Popen[str]] = {}
    reached = BOUNDARIES[boundary]()

    def end(message: Message, count: int) -> bool:
        if not reached(message, count):
            return False
        if (killed, boundary) == ("destination", "the end"):
            return True  # it has to come to its end first
        left_behind.extend(children(processes[killed].pid))
        os.kill(processes[killed].pid, signal.SIGKILL)
        return True

    meddler = Meddler(end)
    with start("destination") as destination:
        assert destination.stdout
        meddler.stand_before(json.loads(destination.stdout.readline()))
        with start("source", str(meddler.port), "at-once" if "postcopy" in boundary else "first-pass") as source:
            processes.update(source=source, destination=destination)
            told = source.communicate(timeout=40)[0], destination.communicate(timeout=40)[0]
    meddler.leave()
    assert meddler.cut_after is not None, "the boundary was reached"
    assert gone(left_behind), "the guest of a host that was killed ends with it"
    lives = "destination" if killed == "source" else "source"
    reports: dict[str, Any] = {
        name: json.loads(text) if text else None for name, text in zip(("source", "destination"), told, strict=True)
    }
    report, guest = reports[lives]["report"], reports[lives]["guest"]
    assert report["why"] or report["outcome"] == "completed"
    if (lives == "source" and boundary in BEFORE_THE_SWITCH) or (lives, boundary) == ("destination", "the end"):
        assert (guest["where"], guest["damage"]) == (lives, [])
    else:
        assert (report["outcome"], report["guest_runs_here"], guest) == ("failed", False, None)
