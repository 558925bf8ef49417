"""Where there is no Linux, as on macOS, all works but what migrates a real guest, and that says so in one line.

Simulated: `tests/installation/elsewhere.py` takes away what Linux alone has. It cannot show that the machine code of
another system is right, nor that packages can be installed there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests/installation/elsewhere.py"

REFUSED = {
    "run": "a guest process needs Linux",
    "run --memory software": "a guest process needs Linux",
    "run source 127.0.0.1:4444": "a guest process needs Linux",
    "run destination --listen 127.0.0.1:0": "a guest process needs Linux",
    "record recorded --qemu ./qemu": "real QEMUs are driven on Linux only",
    "replay no-discards.itf.json --qemu ./qemu": "real QEMUs are driven on Linux only",
}
WORK = {
    "check --pages 1 --in-flight 1": 0,
    "check --pages 1 --in-flight 1 --fault no-discards --report page.html --trace run.itf.json --force": 12,
    "list faults": 0,
    "docs language": 0,
    "schema run": 0,
    "schema conform": 0,
    "run --help": 0,
    "new my_change.py": 0,
    "replay no-discards.itf.json": 0,
}
WORK_TOO = {
    "check --pages 2 --in-flight 1 --engine compiled --property no-deadlock": 0,
    "check --pages 2 --in-flight 1 --engine compiled --workers 2 --property no-deadlock": 0,
    "check --pages 2 --in-flight 1 --engine compiled --small-table --property no-deadlock": 0,
    "check --pages 2 --in-flight 1 --engine compiled --disk . --property no-deadlock": 0,
    "simulate --walks 20": 0,
    "prove --pages 1 --property no-two-guests": 0,
    "prove --property no-two-guests": 0,
    "diff Postcopy preempt --pages 1 --in-flight 1": 0,
    "graph states.svg --pages 1 --in-flight 1": 0,
    "export promela": 0,
    "conform --exhaustive --pages 1": 0,
    "suite suite.toml": 0,
}


def elsewhere(folder: Path, *commands: str) -> list[dict[str, Any]]:
    """Run commands one after the other where Linux is not: their exit codes, and what they said."""
    (folder / "no-discards.itf.json").write_text((ROOT / "counterexamples/no-discards.itf.json").read_text())
    (folder / "suite.toml").write_text('[[check]]\nprotocol = "Postcopy"\npages = 1\nin_flight = 1\n')
    (folder / "qemu").write_text("#!/bin/sh\necho QEMU emulator version 11.1.0\n")
    (folder / "qemu").chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *commands], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_migrates_a_real_guest_refuses_in_one_line(tmp_path: Path) -> None:
    for found, why in zip(elsewhere(tmp_path, *REFUSED), REFUSED.values(), strict=True):
        assert found["code"] == 2, found
        *before, last = found["err"].splitlines()
        assert last.startswith(f"postcopy: {why}")
        assert not [line for line in before if not line.startswith("waiting on")]


def test_the_rest_works(tmp_path: Path) -> None:
    found = elsewhere(tmp_path, *WORK)
    assert {each["command"]: each["code"] for each in found} == WORK


@pytest.mark.slow
def test_searches_in_machine_code_and_proofs_work_too(tmp_path: Path) -> None:
    found = elsewhere(tmp_path, *WORK_TOO)
    assert {each["command"]: each["code"] for each in found} == WORK_TOO, found


GONE = """
import sys
sys.path.insert(0, {folder!r})
from elsewhere import take_away
take_away()
import ctypes, os, socket
for attempt in (
    lambda: os.memfd_create("x"),
    lambda: os.sched_getaffinity(0),
    lambda: ctypes.CDLL(None).fallocate,
    lambda: ctypes.CDLL(None).prctl,
    lambda: open("/proc/self/status"),
    lambda: os.open("/proc/self/pagemap", os.O_RDONLY),
    lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET),
):
    try:
        attempt()
        print("there")
    except (AttributeError, OSError):
        print("gone")
print(ctypes.CDLL(None).syscall(323, 1), ctypes.CDLL(None).memcpy is not None, open(os.devnull).read() == "")
"""


def test_what_is_taken_away_is_gone() -> None:
    program = GONE.format(folder=str(SCRIPT.parent))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [*["gone"] * 7, "-1 True True"]
