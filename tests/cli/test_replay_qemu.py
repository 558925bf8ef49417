"""`postcopy replay --qemu`: what the command says where there is nothing to replay on, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from postcopy.api.replaying import QemuReplayResult
from postcopy.api.stored_runs import read_run
from postcopy.cli.exits import Exit
from postcopy.cli.main import main, with_value
from postcopy.cli.replay import exit_of
from postcopy.recording.record import INSTALLED
from postcopy.replay.results import Answer, End, Replayed, ReplayResult, StepResult
from tests.recording.test_real_qemu import userfaultfd_is_there
from tests.replay.test_ends import GONE, PAUSED, STANDS

STORY = "counterexamples/refusal-costs-no-guest.itf.json"


def complains(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["replay", *arguments])
    assert ended.value.code == Exit.USAGE
    return capsys.readouterr().err


def test_there_is_no_such_qemu(capsys: pytest.CaptureFixture[str]) -> None:
    assert "install qemu-system-x86, or use tools/get-qemu" in complains(capsys, STORY, "--qemu", "/no/qemu")


def test_a_program_that_is_no_qemu(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no QEMU" in complains(capsys, STORY, "--qemu", "/bin/echo")


def test_the_run_stands_before_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert "stands before" in complains(capsys, STORY, "--qemu", STORY)


def test_times_are_for_qemus(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --qemu" in complains(capsys, STORY, "--times", "3")


def test_a_run_of_another_system_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no model of QEMU" in complains(capsys, "counterexamples/criu-lazy-pages.itf.json", "--qemu", "/no/qemu")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["replay", "F", "--qemu"], ["replay", "F", "--qemu", "Q"]),
        (["replay", "F", "--qemu", "--json"], ["replay", "F", "--qemu", "Q", "--json"]),
        (["replay", "F", "--qemu", "P"], ["replay", "F", "--qemu", "P"]),
        (["record", "F", "--qemu"], ["record", "F", "--qemu"]),
        (["replay", "F"], ["replay", "F"]),
    ],
)
def test_the_option_may_stand_alone(given: list[str], read: list[str]) -> None:
    assert with_value(given, "replay", "--qemu", "Q") == read


def attempt(end: End, answer: Answer, because: str) -> Replayed:
    step = StepResult(1, "source.pings", answer, "so it was")
    return Replayed(
        steps=(step,), end=end, afterwards=End(STANDS, GONE), reproduced=bool(because), because=because, seconds=1
    )


@pytest.mark.parametrize(
    ("answer", "because", "code"),
    [
        (Answer.FOLLOWED, "the guest is lost", Exit.OK),
        (Answer.REFUSED, "the guest is lost", Exit.OK),
        (Answer.REFUSED, "", Exit.REFUSED),
        (Answer.NOT_FAITHFUL, "", Exit.INCONCLUSIVE),
    ],
)
def test_the_exit_code_says_what_came(answer: Answer, because: str, code: Exit) -> None:
    made = (attempt(End(STANDS, PAUSED), answer, because),)
    result = ReplayResult(qemu="1.2.3", protocol="qemu-11", violated="no-guest-lost", attempts=made)
    shown = QemuReplayResult("qemu-11", read_run(Path(STORY), None)[1], result)
    assert exit_of(shown) == code
    text = str(shown)
    assert f"1 {answer}" in text
    assert "once all is let through, destination: QEMU has ended with 1" in text
    assert ("reproduced in 1 of 1: the guest is lost" if because else "not reproduced in any of 1") in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(INSTALLED) is None, reason="needs QEMU")
@pytest.mark.skipif(not userfaultfd_is_there(), reason="needs userfaultfd for QEMU")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(sent: signal.Signals) -> None:
    with tempfile.TemporaryDirectory(prefix="left-") as short:  # a path of a socket has to be short
        interrupted(sent, short)
        assert not list(Path(short).iterdir())


def interrupted(sent: signal.Signals, directory: str) -> None:
    command = [sys.executable, "-m", "postcopy", "replay", STORY, "--qemu"]
    given = {**os.environ, "TMPDIR": directory}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given)
    deadline = time.monotonic() + 60
    while len(children := qemus_of(process.pid)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def qemus_of(parent: int) -> list[int]:
    """The processes of QEMU that this one has started."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = each.read_text().split(" ", 1)
            if int(rest.rpartition(")")[2].split()[1]) == parent and "qemu" in (each.parent / "comm").read_text():
                found.append(int(pid))
        except OSError:
            continue
    return found
