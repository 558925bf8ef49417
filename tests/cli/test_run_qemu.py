"""`run source --qemu` and `run destination --qemu`, each with the engine itself in the place of the QEMU.

Real QEMUs are in tests/engine/test_with_qemu.py.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.errors import EngineError
from postcopy.engine.kept_file import read_kept, write_kept
from postcopy.engine.messages import Advise, Pages
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import run_to_qemu
from postcopy.engine.source_host import AT_ONCE, NEVER, SourceHost, SourceOptions
from tests.cli.conftest import Result, Run, refused
from tests.engine.kept import OPENING, SOON, kept_guest, stream, take

DIGEST = kept_guest().digest()
ABOUT = f"guest: pc, 2 states of devices, 602 pages in 2 blocks, digest of all pages {DIGEST}"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file with a guest."""
    write_kept(tmp_path / "kept", kept_guest())
    return tmp_path / "kept"


def given(run: Run, kept: Path, *options: str, core: type[DestinationCore] = DestinationCore) -> Result:
    """What the command says that gives the guest away."""
    found: list[Result] = []

    def give(port: int) -> None:
        command = ("run", "source", "--qemu", "--devices-from", str(kept), "--timeout", str(SOON))
        found.append(run(*command, *options, f"127.0.0.1:{port}"))

    take(give, core)
    return found[0]


def test_a_guest_is_given_away(run: Run, kept: Path) -> None:
    result = given(run, kept)
    assert result.code == 0
    assert result.out.startswith(f"migration completed; the QEMU has the guest\n{ABOUT}\nsent: ")


def test_the_same_as_json_and_with_a_log(run: Run, kept: Path, tmp_path: Path) -> None:
    result = given(run, kept, "--json", "--log", str(tmp_path / "log.jsonl"), "--switch", "never")
    found = json.loads(result.out)
    assert (found["outcome"], found["kept"], found["guest"]["digest"]) == ("completed", False, DIGEST)
    assert found["precopy_bytes"] > 401 * 4096
    assert found["requests"] == 0
    steps = (tmp_path / "log.jsonl").read_text()
    assert "ended precopy" in steps
    assert "sent the package" not in steps


class Refuses(DestinationCore):
    """Cannot do postcopy."""

    def _advise(self, message: Advise) -> Sequence[Output]:
        self.capability = False
        return super()._advise(message)


def test_a_guest_that_is_refused_stays_in_the_file(run: Run, kept: Path) -> None:
    result = given(run, kept, core=Refuses)
    assert result.code == 1
    assert f"; the guest is still in {kept}, and in no QEMU" in result.out.splitlines()[0]
    assert result.out.startswith("migration failed: ")


class TakesNoPageInPostcopy(DestinationCore):
    """Fails after RUN or shortly before."""

    def _postcopy_pages(self, message: object) -> Sequence[Output]:
        raise EngineError("no")


def test_a_guest_that_may_have_run_is_not_given_to_another(run: Run, kept: Path) -> None:
    result = given(run, kept, core=TakesNoPageInPostcopy)
    assert result.code == 3
    assert f"the QEMU may have run the guest: do not give {kept} to another before you know" in result.out


def test_where_there_is_no_guest_and_no_qemu(run: Run, kept: Path, tmp_path: Path) -> None:
    source = ("run", "source", "--qemu", "--devices-from")
    assert "cannot reach 127.0.0.1:1: Connection refused" in refused(run, *source, str(kept), "127.0.0.1:1")
    assert "No such file or directory" in refused(run, *source, str(tmp_path / "none"), "127.0.0.1:1")
    (tmp_path / "text").write_text("My own work.\n")
    said = refused(run, *source, str(tmp_path / "text"), "127.0.0.1:1")
    assert "text holds no guest that could be given to a QEMU: stream offset 0: magic 0x4d79206f is not QEVM" in said


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def taken(
    run: Run, keep: Path, *options: str, switch: str = AT_ONCE, only: bytes = b"", spoil: Path | None = None
) -> Result:
    """What the command says that takes the guest, while another thread gives it, or only some bytes.

    Args:
        spoil: a directory that is gone before the guest comes.
    """
    port = free_port()

    def call() -> None:
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            try:
                caller = socket.create_connection(("127.0.0.1", port))
                caller.close()
                break
            except OSError:
                time.sleep(0.02)
        if spoil is not None:
            shutil.rmtree(spoil)
        if only:
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(only)
        else:
            run_to_qemu(kept_guest(), SourceOptions(switch=switch, timeout=SOON), Network(port=port), keep_log=False)

    thread = threading.Thread(target=call)
    thread.start()
    command = ("run", "destination", "--qemu", "--keep", str(keep), "--listen", f"127.0.0.1:{port}")
    result = run(*command, "--timeout", str(SOON), "--patience", str(SOON), *options)
    thread.join(2 * SOON)
    return result


def test_a_guest_is_taken(run: Run, tmp_path: Path) -> None:
    result = taken(run, tmp_path / "guest", switch=NEVER)
    assert result.code == 0
    assert result.err.startswith("waiting on 127.0.0.1:")
    assert result.out == f"migration completed; the guest is kept in {tmp_path / 'guest'}\n{ABOUT}\n"
    assert read_kept(tmp_path / "guest").digest() == DIGEST
    again = taken(run, tmp_path / "guest", "--json", "--log", str(tmp_path / "log.jsonl"))
    found = json.loads(again.out)
    assert (again.code, found["outcome"], found["kept"]) == (0, "completed", str(tmp_path / "guest")), "replaced"
    assert found["guest"]["digest"] == DIGEST
    assert "answered a later ping" in (tmp_path / "log.jsonl").read_text()


def test_requests_are_counted(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source is slow: each page is sent by itself, so that there is time to ask."""
    monkeypatch.setattr("postcopy.engine.source_host.CALM_BATCH", 1)
    monkeypatch.setattr("postcopy.engine.source_host.HURRIED_BATCH", 1)
    monkeypatch.setattr("postcopy.engine.source_host.SourceHost._contents", slowly(0.001))
    result = taken(run, tmp_path / "guest")
    assert result.code == 0
    assert "\nrequests: " in result.out
    assert result.out.endswith(" ms until the page was there\n")


def slowly(seconds: float) -> object:
    """Sends what is to be sent after a while."""
    contents = SourceHost._contents

    def wait(host: SourceHost, runs: Sequence[range]) -> list[Pages]:
        time.sleep(seconds)
        return contents(host, runs)

    return wait


def test_a_source_that_goes_away(run: Run, tmp_path: Path) -> None:
    result = taken(run, tmp_path / "guest", only=stream(OPENING))
    assert (result.code, result.out) == (
        1,
        "migration failed: the source closed the connection; the guest goes on at the source\n",
    )
    assert not (tmp_path / "guest").exists()


def test_a_guest_for_which_there_is_no_room(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    result = taken(run, tmp_path / "there" / "guest", spoil=tmp_path / "there")
    assert result.code == 3
    first, about = result.out.splitlines()[:2]
    assert first.startswith("migration completed: cannot write the guest to ")
    assert first.endswith("has stopped the guest, and can continue it (QMP: cont)")
    assert about == ABOUT
