"""The functional test for QEMU's tree passes on the installed QEMU, and fails where a log is spoilt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from postcopy.recording.pair import NOT_TRACED, TRACED

CONTRIB = Path(__file__).parents[2] / "contrib" / "qemu"
STAND_IN = Path(__file__).parent / "stand_in"


def run(tmp_path: Path, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One test of the file, as unittest runs it."""
    script = tmp_path / "test_migration_conforms.py"
    for file in ("test_migration_conforms.py", "migration-trace-events"):
        shutil.copy(CONTRIB / file, tmp_path)
    command = [sys.executable, "-m", "unittest", f"{script.stem}.MigrationConforms.{name}"]
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu is not None
    own = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(STAND_IN), *sys.path]),
        "MESON_BUILD_ROOT": str(tmp_path),
        "QEMU_TEST_QEMU_BINARY": qemu,
    }
    environment = {**os.environ, **own, **environment}
    return subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_precopy", "test_postcopy", "test_postcopy_preempt"])
def test_migrations_of_the_installed_qemu_conform(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, name)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
    assert "skipped" not in done.stderr


@pytest.mark.slow
def test_a_log_with_a_second_run_fails_the_test(tmp_path: Path) -> None:
    """The destination's log says that RUN came twice: a command stands between, and writes the line once more."""
    spoils = tmp_path / "bin" / "postcopy"
    spoils.parent.mkdir()
    real = Path(sys.executable).parent / "postcopy"
    spoils.write_text(f'#!/bin/sh\nsed -i /loadvm_postcopy_handle_run/p "$4"\nexec {real} "$@"\n')
    spoils.chmod(0o755)
    done = run(tmp_path, "test_postcopy", PATH=os.pathsep.join([str(spoils.parent), os.environ["PATH"]]))
    assert done.returncode == 1
    assert "FAILED" in done.stderr


def test_the_test_switches_on_the_events_that_recordings_have() -> None:
    lines = (CONTRIB / "migration-trace-events").read_text(encoding="utf-8").split()
    assert lines == [*TRACED, *(f"-{pattern}" for pattern in NOT_TRACED)]


def test_the_readme_names_what_there_is() -> None:
    readme = (CONTRIB / "README.md").read_text(encoding="utf-8")
    assert all(file.name in readme for file in CONTRIB.iterdir() if file.name != "README.md")
