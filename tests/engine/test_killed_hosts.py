"""A host is killed, with processes that really are: what becomes of the guest, and of what the host leaves behind.

At five boundaries: the first message, precopy, the package, postcopy, and the end. All boundaries are tried with
connections in `test_boundaries`: to a host, one whose peer was killed is one that was cut. With POSTCOPY_EVERY_BOUNDARY
in the environment all are tried here too, and guests are killed as well; that takes some minutes.
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
from tests.engine.host_process import EVERY
from tests.engine.live import Meddler, first, pages_after

End = Callable[[Message, int], bool]
BOUNDARIES: dict[str, Callable[[], End]] = {
    "the first message": lambda: first(Header),
    "within precopy": lambda: pages_after(OpenReturnPath, 100),
    "the package": lambda: first(Packaged),
    "within postcopy": lambda: pages_after(Packaged, 5),
    "the end": lambda: first(Eof),
}
MOST_MESSAGES = 60
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


def children_of(pid: int) -> list[int]:
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
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def run(killed: str, reached: End, switch: str) -> tuple[dict[str, Any], Message | None]:
    """What the hosts have told, None of one that was killed; and the message after which it was."""
    left_behind: list[int] = []
    processes: dict[str, subprocess.Popen[str]] = {}
    at: list[Message] = []

    def end(message: Message, count: int) -> bool:
        if at or not reached(message, count):
            return False
        at.append(message)
        host, _, guest = killed.partition("'s ")
        if host == "destination" and isinstance(message, Eof):
            return not guest  # it has to come to its end first
        children = children_of(processes[host].pid)
        for pid in children if guest else [processes[host].pid]:
            os.kill(pid, signal.SIGKILL)
        left_behind.extend([] if guest else children)
        return not guest

    meddler = Meddler(end)
    with start("destination") as destination:
        assert destination.stdout
        meddler.stand_before(json.loads(destination.stdout.readline()))
        with start("source", str(meddler.port), switch) as source:
            processes.update(source=source, destination=destination)
            told = source.communicate(timeout=40)[0], destination.communicate(timeout=40)[0]
    meddler.leave()
    assert gone(left_behind), "the guest of a host that was killed ends with it"
    reports = {
        name: json.loads(text) if text else None for name, text in zip(("source", "destination"), told, strict=True)
    }
    return reports, at[0] if at else None


def judge(killed: str, told: dict[str, Any], last: Message | None) -> None:
    """What has to hold whenever it was."""
    whole = []
    for name in ("source", "destination"):
        if told[name] and (guest := told[name]["guest"]) and guest["where"] == name:
            assert guest["damage"] == []
            whole.append(name)
    assert len(whole) <= 1, "two guests run"
    host, _, guest = killed.partition("'s ")
    if host == "destination":
        assert "destination" not in whole
        handed_over = told["source"]["report"]["handed_over"] > 0
        assert whole == ([] if handed_over else ["source"]), "before the package the guest lives on at the source"
    else:
        assert "source" not in whole
        assert guest or whole == (["destination"] if isinstance(last, Eof) else [])


HOSTS, GUESTS = ("source", "destination"), ("source's guest", "destination's guest")
CASES: list[tuple[str, str | int]] = (
    [(killed, n) for killed in HOSTS + GUESTS for n in range(1, MOST_MESSAGES)]
    if EVERY
    else [(killed, name) for killed in HOSTS for name in BOUNDARIES]
)


@pytest.mark.slow_but("source-within postcopy", "destination-within precopy", "destination-the end")
@pytest.mark.parametrize(("killed", "boundary"), CASES)
def test_the_guest_after_a_host_is_killed(killed: str, boundary: str | int) -> None:
    if isinstance(boundary, int):
        told, last = run(killed, lambda _, count: count == boundary, "first-pass")
        reached = last is not None
    else:
        told, last = run(killed, BOUNDARIES[boundary](), "at-once" if "postcopy" in boundary else "first-pass")
        assert last is not None, "the boundary was reached"
        reached = True
        if killed == "destination" and boundary != "the end":
            assert (told["source"]["guest"] is not None) == (boundary in BEFORE_THE_SWITCH)
    if reached and not (killed.startswith("destination") and isinstance(last, Eof)):
        judge(killed, told, last)
