"""Real QEMUs migrate through a monitor, live: it raises no alarm, and the guest is intact. Skipped without QEMU."""

from __future__ import annotations

from pathlib import Path

import pytest

from live_runs import run_once, table
from postcopy.monitor.compiled import Compiled
from postcopy.recording.record import INSTALLED
from postcopy.recording.scenarios import ScenarioName
from tests.recording.test_real_qemu import pytestmark as needs_qemu

pytestmark = needs_qemu


@pytest.mark.parametrize(
    "scenario",
    [ScenarioName.IMMEDIATE, ScenarioName.PREEMPT, ScenarioName.RECOVER, ScenarioName.LOSSY_RECOVER],
)
def test_no_false_alarm_live(scenario: ScenarioName, compiled: Compiled, tmp_path: Path) -> None:
    run = run_once(tmp_path / "kept", scenario, INSTALLED, compiled)
    assert run.failed == "", run.recording
    (status,) = run.ended.migrations
    assert (status.verdict, status.phase, run.alarms) == ("conforms", "completed", []), status
    assert status.by_state["sent"] == status.pages
    assert f"| {scenario} | 1 | 0 | 0 | 0 |" in "\n".join(table(INSTALLED, compiled, [run]))
