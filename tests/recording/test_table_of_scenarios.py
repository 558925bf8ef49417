"""The table of real QEMUs and scenarios: what each recording was found to be. A new row takes an older one's place."""

from __future__ import annotations

from pathlib import Path

from documentation.qemu_scenarios import RESULTS, Judged, Row, judged, keep, kept
from postcopy.api.conforming import conform
from postcopy.errors import UsageError
from postcopy.recording.scenarios import ScenarioName

ROOT = Path(__file__).parents[2]
CONFORMS = Judged(verdict="conforms", against="qemu-11", observations=3)


def made(scenario: str, qemu: str, wire: Judged = CONFORMS) -> Row:
    return Row(scenario=scenario, qemu=qemu, date="2026-11-29", guest="", what_failed="", wire=wire, trace=CONFORMS)


def test_a_row_takes_the_place_of_an_older_one_and_stands_in_order(tmp_path: Path) -> None:
    results = tmp_path / "rows.json"
    refuted = Judged(verdict="refuted", why="RESUME is not acknowledged")
    for each in (made("kill", "11.1.3"), made("default", "11.1.3"), made("default", "7.2.22"), made("kill", "7.2.22")):
        keep(each, results)
    keep(made("kill", "11.1.3", refuted), results)
    assert [(row.scenario, row.qemu) for row in kept(results)] == [
        (scenario, qemu) for scenario in ("default", "kill") for qemu in ("7.2.22", "11.1.3")
    ]
    assert kept(results)[-1].wire == refuted


def test_what_is_no_recording_is_no_verdict(tmp_path: Path) -> None:
    try:
        conform(wire=tmp_path)
    except UsageError as error:
        found = judged(error)
    assert (found.verdict, found.why != "") == ("error", True)


def test_a_recording_that_does_not_conform_says_why() -> None:
    capture = ROOT / "tests/conformance/captures/7.2-recover.jsonl"
    right = judged(conform(wire=capture))
    assert (right.verdict, right.against, right.why) == ("conforms", "qemu-7.2", "")
    wrong = judged(conform(wire=capture, against="Postcopy"))
    assert wrong.verdict != "conforms"
    assert wrong.why


def test_all_scenarios_were_run_with_three_versions_and_none_is_refuted() -> None:
    rows = kept(ROOT / RESULTS)
    assert {(row.scenario, row.qemu.partition(".")[0]) for row in rows} == {
        (name.value, version) for name in ScenarioName for version in ("7", "10", "11")
    }
    assert not [row for row in rows if "refuted" in (row.wire.verdict, row.trace.verdict)]
