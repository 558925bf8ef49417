"""The connection between the engine and a real QEMU breaks in postcopy, and the migration goes on over another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import FromQemu, run_from_qemu, run_to_qemu
from postcopy.engine.source import Phase, SourceCore
from postcopy.engine.source_host import AT_ONCE, SourceOptions
from postcopy.recording.errors import RecordingError
from tests.engine.one_qemu import OneQemu, one_qemu
from tests.engine.test_with_qemu import SLOW, SOON, each_qemu, pages_that_differ, pytestmark, taken

__all__ = ["pytestmark"]


def take_with_breaks(qemu: OneQemu, breaks: int, *, preempt: bool = False) -> FromQemu:
    """Take the guest of a QEMU whose operator pauses the migration in postcopy, and resumes it, so often."""
    ports: list[int] = []
    found: list[FromQemu] = []
    ready, missing = threading.Event(), threading.Event()

    class Missing(DestinationCore):
        """Says when the guest runs here and pages are missing."""

        def fault(self, page: int, who: str = "") -> Sequence[Output]:
            missing.set()
            if self.preempt:
                time.sleep(0.02)  # what is asked for comes at once, and nothing would be left to break off
            return super().fault(page, who)

    def announce(_host: str, port: int) -> None:
        ports.append(port)
        ready.set()

    def run() -> None:
        network = Network(timeout=SOON, patience=SOON, recover=SOON, preempt=preempt)
        found.append(run_from_qemu(network, keep_log=False, announce=announce, make_core=Missing))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(SOON)
        qemu.migrate(ports[0])
        missing.clear()
        qemu.qmp("migrate-start-postcopy")
        for _ in range(breaks):
            assert missing.wait(SOON)
            assert qemu.qmp.status("postcopy-active", "completed", "failed") == "postcopy-active"
            qemu.qmp("migrate-pause")
            assert qemu.qmp.status("postcopy-paused", "completed", "failed") == "postcopy-paused"
            missing.clear()
            resume(qemu, ports[0])
    finally:
        thread.join(2 * SOON)
    return found[0]


def resume(qemu: OneQemu, port: int) -> None:
    """As an operator does: again, until the destination listens."""
    for _ in range(20):
        with suppress(RecordingError):
            qemu.qmp("migrate", uri=f"tcp:127.0.0.1:{port}", resume=True)
            qemu.qmp.status("postcopy-active", "completed", within=2.0)
            return
        time.sleep(0.1)
    raise AssertionError("the migration does not go on")


@pytest.mark.slow
@each_qemu
def test_a_qemu_gives_its_guest_with_two_breaks(program: str, tmp_path: Path) -> None:
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **SLOW | {"max-postcopy-bandwidth": 1 << 18})
        source.boot()
        found = take_with_breaks(source, 2)
        guest = taken(found)
        assert source.qmp.status("completed", "failed") == "completed"
        assert pages_that_differ(guest, source, tmp_path) == (0, 416)
        assert found.report.counts["acknowledged RESUME"] == len(found.report.breaks) == 2
    with one_qemu(program, "-incoming", "defer") as other:
        other.set_up("postcopy-ram")
        port = other.listen()
        operator = threading.Thread(target=recovers, args=(other, port, 2))
        operator.start()
        options = SourceOptions(switch=AT_ONCE, timeout=SOON, recover=SOON, break_after=(300, 100))
        given = run_to_qemu(guest, options, Network(port=port, timeout=SOON), keep_log=False, make_core=Slow)
        operator.join(SOON)
        assert (given.report.outcome, given.report.why) == ("completed", ""), other.errors.read_text()
        assert given.report.counts["got the acknowledgement of RESUME"] == len(given.report.breaks) == 2
        assert other.check_guest().errors == 0


class Slow(SourceCore):
    """Takes some seconds for all pages: a QEMU pauses only once its guest runs."""

    def next_pages(self, most: int = 1) -> range:
        if self.phase is Phase.POSTCOPY:
            time.sleep(0.02)
        return super().next_pages(min(most, 4))


def recovers(qemu: OneQemu, port: int, breaks: int) -> None:
    """The operator of a QEMU that has paused lets it wait at the same port."""
    for _ in range(breaks):
        assert qemu.qmp.status("postcopy-paused", "failed", "completed") == "postcopy-paused"
        for _ in range(20):
            with suppress(RecordingError):
                qemu.qmp("migrate-recover", uri=f"tcp:127.0.0.1:{port}")
                break
            time.sleep(0.1)
        assert qemu.qmp.status("postcopy-active", "completed", "failed") != "failed"
