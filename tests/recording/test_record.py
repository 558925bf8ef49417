"""A scenario from its start to the files that it leaves, with a program that stands for QEMU."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from postcopy.cli.main import main
from postcopy.recording import pair, qmp
from postcopy.recording.errors import RecordingError
from postcopy.recording.record import Recording, record, version_of
from postcopy.recording.scenarios import SCENARIOS, Scenario, ScenarioName, setting_of
from postcopy.recording.wire_files import read_chunks


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "PATIENCE", 10.0)
    monkeypatch.setattr(qmp, "PATIENCE", 10.0)


def short(name: str) -> Recording:
    return msgspec.json.decode((Path(name) / "recording.json").read_bytes(), type=Recording)


def test_what_is_kept(fake: str, tmp_path: Path) -> None:
    made = record(tmp_path / "kept", ScenarioName.IMMEDIATE, fake, 2)
    assert short(str(tmp_path / "kept")) == made
    assert made.guest_is_intact
    assert (made.qemu, made.what_failed, made.setting.memory) == ("1.2.3", "", 2)
    assert made.source.statuses == ("active", "postcopy-active", "completed")
    assert made.destination.statuses == ("active", "completed")
    assert (made.source.runs, made.destination.runs, made.destination.errors) == (False, True, 0)
    chunks = list(read_chunks(tmp_path / "kept"))
    assert b"".join(chunk.data for chunk in chunks) == b"streamendgot it"
    assert {(chunk.connection, chunk.to) for chunk in chunks} == {(0, "destination"), (0, "source")}
    entries = [msgspec.json.decode(line) for line in (tmp_path / "kept" / "qmp.jsonl").read_bytes().splitlines()]
    assert {"side", "t"} <= set.intersection(*(set(entry) for entry in entries))
    commands = [entry["command"] for entry in entries if entry["side"] == "source" and "command" in entry]
    assert commands[:2] == ["qmp_capabilities", "query-migrate-capabilities"]
    assert commands[4:6] == ["migrate", "migrate-start-postcopy"]
    for side in pair.SIDES:
        assert (tmp_path / "kept" / f"{side}.log").read_text().split() == ["migrate_set_state", "ram_save_page"]
        assert (tmp_path / "kept" / f"{side}.console").read_text() == ".."


@pytest.mark.parametrize(
    ("fault", "failed", "intact"),
    [
        ("dies at migrate-start-postcopy", "migrate-start-postcopy is refused: QEMU is gone", False),
        ("refuses migrate-start-postcopy", "migrate-start-postcopy is refused: {'desc': 'no'}", True),
        ("is silent at migrate-start-postcopy", "migrate-start-postcopy is refused: no answer in", True),
        ("the guest stands still", "", False),
        ("the guest finds errors", "", False),
        ("both run", "", False),
    ],
)
def test_what_goes_wrong_is_part_of_the_recording(
    fault: str, failed: str, intact: bool, fake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", fault)
    monkeypatch.setattr(pair, "PATIENCE", 1.0)
    monkeypatch.setattr(qmp, "PATIENCE", 5.0 if "silent" not in fault else 1.0)
    made = record(tmp_path / "kept", ScenarioName.IMMEDIATE, fake, 2)
    assert failed in made.what_failed if failed else not made.what_failed
    assert made.guest_is_intact is intact
    if fault.startswith("dies"):
        assert made.source.exit == 3


def test_scenarios_that_cut_and_kill(fake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(both: pair.Pair) -> None:
        both.migrate()
        both.kill("destination")
        both.proxy.hold("destination")
        both.proxy.cut()
        both.source.status("postcopy-paused", within=0.1)

    monkeypatch.setitem(SCENARIOS, ScenarioName.KILL, Scenario("", steps))
    made = record(tmp_path / "kept", ScenarioName.KILL, fake, 2)
    assert made.destination.exit == -9
    assert "not postcopy-paused: 0 s have passed" in made.what_failed


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("is no QEMU", "is no QEMU: it says 'cat"),
        ("dies at migrate-set-capabilities", "QEMU is gone"),
        ("refuses migrate-set-parameters", "migrate-set-parameters is refused"),
    ],
)
def test_without_a_migration_there_is_no_recording(
    fault: str, why: str, fake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", fault)
    with pytest.raises(RecordingError, match=why):
        record(tmp_path / "kept", program=fake)
    assert not (tmp_path / "kept" / "recording.json").exists()


def test_a_program_that_is_missing_or_a_directory_that_is_used(fake: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no-such-qemu does not start: install .* or use tools/get-qemu"):
        version_of("no-such-qemu")
    with pytest.raises(RecordingError, match="is not empty: a recording gets a directory of its own"):
        record(tmp_path, program=fake)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("", 0, "destination: active → completed; the guest runs and has found all pages as it had written them"),
        ("the guest finds errors", 12, "the guest runs and has found 3 pages wrong"),
        ("the guest stands still", 12, "the guest runs and stands still"),
        ("dies at migrate-start-postcopy", 3, "QEMU has ended with 3"),
    ],
)
def test_the_command(
    fault: str,
    code: int,
    said: str,
    fake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FAULT", fault)
    monkeypatch.setattr(pair, "PATIENCE", 1.0)
    with pytest.raises(SystemExit) as ended:
        main(["record", str(tmp_path / "kept"), "--qemu", fake, "--scenario", "immediate", "--memory", "2"])
    assert ended.value.code == code
    out = capsys.readouterr().out
    assert said in out
    assert ("the scenario did not come to its end" in out) == fault.startswith("dies")


def test_every_scenario_has_an_entry_and_a_setting() -> None:
    assert list(SCENARIOS) == list(ScenarioName)
    page = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
    for name, scenario in SCENARIOS.items():
        setting = setting_of(scenario, 4)
        assert setting.vcpus == scenario.vcpus
        assert (setting.rate is None) == (name is not ScenarioName.THROTTLED)
        assert f"| `{name}` |" in page


class Script:
    """Writes down what a scenario does to a pair."""

    def __init__(self, done: list[str], name: str = "") -> None:
        self._done, self._name = done, name

    def __getattr__(self, name: str) -> Script:
        return Script(self._done, f"{self._name}.{name}" if self._name else name)

    def __call__(self, *arguments: object) -> None:
        self._done.append(" ".join([self._name, *map(str, arguments)]))


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("default", "migrate, wait 2, switch, end"),
        ("immediate", "migrate, switch, end"),
        ("precopy", "migrate, end"),
        ("recover", "migrate, wait 2, switch, wait 0.5, proxy.cut, recover, end"),
        (
            "lossy-recover",
            "migrate, wait 2, switch, wait 0.5, proxy.hold destination, wait 0.2, proxy.cut, recover, end",
        ),
        ("cancel", "migrate, wait 1, source migrate_cancel, end"),
        ("kill", "migrate, wait 1, kill destination, end"),
        ("refused", "migrate, end"),
        ("missing-device", "migrate, wait 1, source migrate-start-postcopy, source.status postcopy-paused failed"),
    ],
)
def test_what_a_scenario_does(name: ScenarioName, steps: str) -> None:
    done: list[str] = []
    SCENARIOS[name].steps(Script(done))  # type: ignore[arg-type]
    assert ", ".join(done) == steps


def test_a_destination_lacks_what_a_scenario_gives_to_the_source_alone(fake: str, tmp_path: Path) -> None:
    both = setting_of(SCENARIOS[ScenarioName.REFUSED], 2)
    device = setting_of(SCENARIOS[ScenarioName.MISSING_DEVICE], 2).source_arguments
    setting = msgspec.structs.replace(both, source_arguments=("-name", "more"))
    with pair.Pair(fake, setting, tmp_path) as made:
        commands = made.commands
    assert commands["source"].count("more") == 1
    assert "more" not in commands["destination"]
    assert device == ("-device", "virtio-rng-pci")
    entries = [msgspec.json.decode(line) for line in (tmp_path / "qmp.jsonl").read_bytes().splitlines()]
    set_ = {its["side"]: str(its) for its in entries if its.get("command") == "migrate-set-capabilities"}
    assert "postcopy-ram" in set_["source"]
    assert "postcopy-ram" not in set_["destination"]
    assert "return-path" in set_["destination"]
