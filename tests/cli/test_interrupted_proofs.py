"""Ctrl-C ends a proof within a second, wherever it is, and leaves nothing behind; a proof ends with its verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

EVERY_SIZE = ("prove",)
IN_PROCESS = ("prove", "--pages", "12", "--in-flight", "5")
SPACER = ("prove", "--pages", "1", "--in-flight", "2", "--method", "spacer")

MOST = 1.0
"""Seconds that it may take, as processor time of an idle core."""


@contextmanager
def started(arguments: Sequence[str], cache: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, as far as it has loaded z3: before that it may hear no interrupt. The rest is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "postcopy", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "POSTCOPY_CACHE": str(cache)},
        start_new_session=True,
    ) as process:
        try:
            while process.poll() is None and not any("libz3" in maps for maps in files_of_children(process.pid)):
                time.sleep(0.02)
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def files_of_children(process: int) -> Iterator[str]:
    """What the processes have loaded that a process has started."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split():
            yield Path(f"/proc/{child}/maps").read_text(encoding="utf-8")


def slowness() -> float:
    """How much slower this machine is than an idle one, as far as other processes want its cores."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))


def running(group: int) -> list[int]:
    """The processes of a group that have not ended. The system may keep the entry of one that has for a while."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, its_group = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


@pytest.mark.slow_but("1.0-as-a-terminal-does-every-size", "1.0-as-kill-does-at-a-size")
@pytest.mark.parametrize("arguments", [EVERY_SIZE, IN_PROCESS, SPACER], ids=["every-size", "at-a-size", "spacer"])
@pytest.mark.parametrize("whole_group", [True, False], ids=["as-a-terminal-does", "as-kill-does"])
@pytest.mark.parametrize("after", [0.0, 0.3, 1.0, 2.0, 5.0, 8.0])
def test_an_interrupt_ends_a_proof(after: float, whole_group: bool, arguments: Sequence[str], tmp_path: Path) -> None:
    with started(arguments, tmp_path) as process:
        time.sleep(after)
        assert process.poll() is None, "the proof is too short for this test: make it longer"
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT) if whole_group else process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, "", "")
        while running(process.pid) and time.monotonic() - start < MOST * slowness():
            time.sleep(0.01)
        assert running(process.pid) == []
        assert time.monotonic() - start < MOST * slowness()


@pytest.mark.slow
def test_an_interrupted_proof_goes_on_where_it_was(tmp_path: Path) -> None:
    with started(EVERY_SIZE, tmp_path) as process:
        while len(list(tmp_path.glob("answers_*"))) < 3:
            time.sleep(0.1)
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    kept = {file: file.read_bytes() for file in tmp_path.glob("answers_*")}
    with started((*EVERY_SIZE, "--json"), tmp_path) as again:
        out, err = again.communicate(timeout=600)
    assert (again.returncode, err) == (0, "")
    assert '"verdict": "proved"' in out or '"verdict":"proved"' in out
    assert all(file.exists() for file in kept)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("prove",), ("prove", "--pages", "1", "--fault", "no-discards")])
def test_a_proof_ends_with_its_verdict(arguments: Sequence[str], tmp_path: Path) -> None:
    """The last line is out when the process ends, or a moment before."""
    with started(arguments, tmp_path) as process:
        assert process.stdout is not None
        last = time.monotonic()
        while process.stdout.readline():
            last = time.monotonic()
        process.wait(60)
        assert time.monotonic() - last < MOST * slowness()
