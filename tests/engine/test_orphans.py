"""A guest ends with its host, however the host ends and whatever the guest is waiting for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from postcopy.engine.errors import GuestError
from postcopy.engine.memory import GuestProcess
from tests.engine import orphan
from tests.engine.live import SOFTWARE
from tests.engine.test_live import needs_uffd

ROOT = Path(__file__).parents[2]
MEMORY = [pytest.param("userfaultfd", marks=needs_uffd), "software"]


def gone(pid: int, within: float = 30.0) -> bool:
    end = time.monotonic() + within
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.slow_but("loads a device whose page is missing-userfaultfd", "loads a device, and is stopped-software")
@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("situation", orphan.SITUATIONS)
def test_a_guest_whose_host_is_killed_ends(situation: str, memory: str) -> None:
    command = [sys.executable, "-m", "tests.engine.orphan", memory, situation]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as host:
        assert host.stdout
        guest = int(host.stdout.readline())
        assert Path(f"/proc/{guest}").exists()
        host.send_signal(signal.SIGKILL)
    assert gone(guest), f"a guest that {situation} outlives its host"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGABRT, signal.SIGINT])
def test_a_guest_ends_with_its_host_by_any_signal(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.engine.orphan", "software", "loads a device whose page is missing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as host:
        assert host.stdout
        guest = int(host.stdout.readline())
        host.send_signal(how)
    assert gone(guest)


def test_a_guest_ends_with_the_thread_that_made_it() -> None:
    """That is what the kernel offers; the hosts make their guests in the thread that waits for the migration's end."""
    made: list[GuestProcess] = []
    maker = threading.Thread(target=lambda: made.append(GuestProcess(SOFTWARE, incoming=False)))
    maker.start()
    maker.join()
    (guest,) = made
    guest.wait_for_death()
    assert guest.lost == "the guest process is gone"
    with pytest.raises(GuestError, match="the guest process is gone"):
        guest.ask("stop")
    guest.close()
