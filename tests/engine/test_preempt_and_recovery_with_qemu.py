"""Both connections between the engine and a real QEMU break in postcopy, and the migration goes on over two others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import run_to_qemu
from postcopy.engine.source_host import AT_ONCE, SourceOptions
from tests.engine.one_qemu import one_qemu
from tests.engine.test_preempt_with_qemu import PREEMPT, SOME, background_waits
from tests.engine.test_recovery_with_qemu import recovers, take_with_breaks
from tests.engine.test_with_qemu import SLOW, SOON, each_qemu, pages_that_differ, pytestmark, taken

__all__ = ["background_waits", "pytestmark"]


@pytest.mark.slow
@each_qemu
@pytest.mark.usefixtures("background_waits")
def test_a_guest_comes_and_goes_with_two_breaks_of_both_connections(program: str, tmp_path: Path) -> None:
    with one_qemu(program, vcpus=4) as source:
        source.set_up(*PREEMPT, **SLOW | {"max-postcopy-bandwidth": 1 << 18})
        source.boot()
        found = take_with_breaks(source, 2, preempt=True)
        guest = taken(found)
        assert source.qmp.status("completed", "failed") == "completed"
        assert pages_that_differ(guest, source, tmp_path) == (0, 416)
    counts = found.report.counts
    assert counts["acknowledged RESUME"] == len(found.report.breaks) == 2
    assert counts["accepted the connection for urgent pages again"] == 2
    assert counts["received an urgent host page"] > 0
    with one_qemu(program, "-incoming", "defer", vcpus=4) as other:
        other.set_up(*PREEMPT)
        port = other.listen()
        operator = threading.Thread(target=recovers, args=(other, port, 2))
        operator.start()
        options = SourceOptions(switch=AT_ONCE, timeout=SOON, recover=SOON, break_after=(1, 20), preempt=True)
        given = run_to_qemu(guest, options, Network(port=port, timeout=SOON), keep_log=False)
        operator.join(SOON)
        assert (given.report.outcome, given.report.why) == ("completed", ""), other.errors.read_text()
        counts = given.report.counts
        assert counts["got the acknowledgement of RESUME"] == len(given.report.breaks) == 2
        assert counts["opened the connection for urgent pages again"] == 2
        assert counts["served a request on the connection for urgent pages"] >= SOME
        assert other.check_guest().errors == 0
