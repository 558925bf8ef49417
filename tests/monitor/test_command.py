"""`postcopy monitor` as a process: what it says, and its three exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postcopy.cli.exits import Exit
from postcopy.monitor.addresses import address
from tests.monitor.ends import Destination, addresses, send
from tests.monitor.test_monitor import PRECOPY, spoilt

pytestmark = pytest.mark.slow


@contextmanager
def monitor(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], Destination, list[str]]]:
    """A monitor, the destination behind it, and what it says of its addresses."""
    _, there = addresses("unix", folder)
    destination = Destination(there, PRECOPY["source"], len(PRECOPY["destination"]))
    command = [sys.executable, "-m", "postcopy", "monitor", "--listen", "tcp:127.0.0.1:0", "--to", str(there), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(1 + ("--web" in options))]
        try:
            yield process, destination, said
        finally:
            process.kill()
    destination.close()


def test_conforms(tmp_path: Path) -> None:
    with monitor(tmp_path) as (process, _, said):
        answered = send(address(said[0].split()[2].rstrip(",")), PRECOPY["destination"], len(PRECOPY["source"]))
        out, _ = process.communicate(timeout=60)
    assert answered == PRECOPY["source"]
    assert process.returncode == Exit.OK
    assert out.startswith("conforms: nothing that has passed contradicts what QEMU does (completed;")


def test_refuted(tmp_path: Path) -> None:
    with monitor(tmp_path, "--stop") as (process, _, said):
        send(address(said[0].split()[2].rstrip(",")), spoilt(), len(PRECOPY["source"]))
        out, _ = process.communicate(timeout=60)
    assert process.returncode == Exit.VIOLATED
    assert "refuted: page pc.ram 0x10000000000, of the source (connection 0, byte" in out
    assert "why: block pc.ram has no page at 0x10000000000" in out


def test_unknown_after_a_signal_and_the_page_until_then(tmp_path: Path) -> None:
    with monitor(tmp_path, "--web", "0") as (process, _, said):
        with urllib.request.urlopen(said[1].split()[-1]) as answer:
            assert "Waiting for a connection" in answer.read().decode()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == Exit.INCONCLUSIVE
    assert out.startswith("unknown: nothing has passed that says what memory there is")


def test_what_is_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    from postcopy.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["monitor", "--listen", "tcp:here", "--to", "unix:/there"])
    assert ended.value.code == Exit.USAGE
    assert "tcp:here is no address" in capsys.readouterr().err
