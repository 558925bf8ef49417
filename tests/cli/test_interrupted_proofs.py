"""Ctrl-C ends a proof within a second, wherever it is, and leaves nothing behind; a proof ends with its verdict."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from postcopy.cache import user_cache

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


@pytest.mark.one_in(4)
@pytest.mark.slow_but("1.0-as-a-terminal-does-every-size", "1.0-as-kill-does-at-a-size")
@pytest.mark.parametrize("arguments", [EVERY_SIZE, IN_PROCESS, SPACER], ids=["every-size", "at-a-size", "spacer"])
@pytest.mark.parametrize("whole_group", [True, False], ids=["as-a-terminal-does", "as-kill-does"])
@pytest.mark.parametrize("after", [0.0, 0.3, 1.0, 2.0, 5.0])  # an idle core reads for 3 s at most, then z3 is asked
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


def printed(process: subprocess.Popen[str]) -> str:
    """All that a process prints. Its last line is out when it ends, or a moment before."""
    assert process.stdout is not None
    lines, last = [], time.monotonic()
    while line := process.stdout.readline():
        lines.append(line)
        last = time.monotonic()
    process.wait(60)
    assert time.monotonic() - last < MOST * slowness()
    return "".join(lines)


@pytest.mark.slow
def test_an_interrupted_proof_goes_on_where_it_was_and_ends_with_its_verdict(tmp_path: Path) -> None:
    """Of the answers that are missing, it takes most from where another test has asked the same."""
    with started(EVERY_SIZE, tmp_path) as process:
        while len(list(tmp_path.glob("answers_*"))) < 3:
            time.sleep(0.1)
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    kept = {file: file.read_bytes() for file in tmp_path.glob("answers_*")}
    for number, file in enumerate(sorted(user_cache().directory.glob("answers_*"))):
        if number % 8 and not (tmp_path / file.name).exists():
            shutil.copy(file, tmp_path)
    with started(EVERY_SIZE, tmp_path) as again:
        out = printed(again)
        assert again.stderr is not None
        assert (again.returncode, again.stderr.read()) == (0, "")
    assert re.search(
        r"Proved: (\d+) of \1 safety properties of Postcopy for any number of pages", " ".join(out.split())
    )
    assert all(file.exists() for file in kept)


@pytest.mark.slow
def test_a_proof_ends_with_its_counterexample(tmp_path: Path) -> None:
    with started(("prove", "--pages", "1", "--fault", "no-discards"), tmp_path) as process:
        assert "Refuted" in printed(process)
