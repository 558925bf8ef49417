"""`postcopy conform --wire` and `--trace`: verdicts, exit codes, the run that is kept, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from tests.cli.conftest import Run, refused

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "tests" / "conformance" / "captures" / "7.2-late-start.jsonl"
LOGS = [
    str(ROOT / "tests" / "conformance" / "traces" / f"7.2-precopy.{side}.log.gz") for side in ("source", "destination")
]


def test_a_wire_that_conforms(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "run.txt"
    found = run("conform", "--wire", str(CAPTURE), "--against", "qemu-11", "--keep", str(kept))
    assert found.code == 0, found
    assert found.out.startswith("conforms to qemu-11")
    assert "not to be seen: what pages hold" in found.out
    assert "source.ends_precopy: end of precopy" in kept.read_text(encoding="utf-8")


def test_a_wire_that_is_refuted(run: Run, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.jsonl"
    lines = CAPTURE.read_text(encoding="utf-8").splitlines()
    spoilt.write_text("\n".join(line for line in lines if '"OPEN_RETURN_PATH"' not in line), encoding="utf-8")
    found = run("conform", "--wire", str(spoilt), "--against", "qemu-11")
    assert found.code == 12, found
    assert "first that nothing explains: PING 1, of the source" in found.out
    assert "it is not source.pings, migration/savevm.c:qemu_savevm_send_ping" in found.out


def test_traces_that_conform_as_json(run: Run) -> None:
    found = run("conform", "--trace", *LOGS, "--against", "qemu-11", "--json")
    assert found.code == 0, found
    record = json.loads(found.out)
    schema = json.loads((ROOT / "docs" / "schemas" / "conform-qemu.json").read_text(encoding="utf-8"))
    jsonschema.validate(record, schema)
    assert record["verdict"] == "conforms"
    assert record["explained"] == record["observations"]


def test_what_does_not_go_together_is_refused(run: Run) -> None:
    assert "only one of them" in refused(run, "conform", "--wire", str(CAPTURE), "--exhaustive")
    assert "go with --wire and --trace" in refused(run, "conform", "run.jsonl", "--against", "qemu-11")
    assert "a recording says its own size" in refused(run, "conform", "--wire", str(CAPTURE), "--pages", "2")


def test_what_is_no_recording_is_refused(run: Run, tmp_path: Path) -> None:
    assert "holds no recorded wire" in refused(run, "conform", "--wire", str(tmp_path))
    none = tmp_path / "none.jsonl"
    none.write_text("no JSON\n", encoding="utf-8")
    assert "is no recorded wire" in refused(run, "conform", "--wire", str(none))
    assert "has no trace events" in refused(run, "conform", "--trace", str(none), str(none))
