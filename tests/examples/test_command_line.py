"""Every command takes a protocol from nothing by its file's name, and says nothing of postcopy about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from postcopy.model.postcopy import Postcopy
from tests.cli.conftest import Run, refused
from tests.protocols import smallest, text_of

SOUND = "examples/two_phase_commit.py"
VARIANTS = "examples/two_phase_commit_variants.py"
TOO_EARLY = f"{VARIANTS}:CommitsTooEarly"
CRASHES = f"{VARIANTS}:CoordinatorCrashes"
PROVED = "examples/two_phase_commit_proof.py"
FAST = ("--engine", "interpreted")

NOT_ITS = re.compile(r"guest|migrat|operator|handover|source\b|destination|\bR\d", re.IGNORECASE)
"""Words and rules of postcopy, which two-phase commit has none of."""

SMALLEST = text_of(smallest)


def test_the_smallest_protocol_from_nothing_is_checked_by_its_file_alone(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "smallest.py"
    file.write_text(SMALLEST)
    result = run("check", str(file), "--json", *FAST)
    assert result.code == 0
    found = json.loads(result.out)
    assert (found["verdict"], found["states"]) == ("holds", 2)
    assert [p["name"] for p in found["properties"]] == ["no-deadlock"]
    file.write_text(SMALLEST.replace("return bool(state.m.done)", "return False"))
    assert run("check", str(file), *FAST).code == 11


def test_check_holds(run: Run) -> None:
    result = run("check", SOUND, *FAST)
    assert result.code == 0
    assert "60 states, 113 transitions, depth 9" in result.out
    assert "holds: all states explored, no property violated" in result.out
    assert not NOT_ITS.search(result.out)


def test_check_finds_what_is_wrong_with_the_variants(run: Run) -> None:
    result = run("check", TOO_EARLY, *FAST)
    assert result.code == 12
    assert "shown by a shortest run of 6 steps" in " ".join(result.out.split())
    assert not NOT_ITS.search(result.out)
    result = run("check", CRASHES, *FAST)
    assert result.code == 11
    assert "something still has to happen" in " ".join(result.out.split())
    assert not NOT_ITS.search(result.out)
    result = run("check", CRASHES, "--property", "outcome-reaches-everyone", *FAST)
    assert result.code == 13
    assert not NOT_ITS.search(result.out)


def test_a_file_with_several_protocols_asks_for_the_class(run: Run) -> None:
    assert "say which class, FILE.py:Class: it has CommitsTooEarly, CoordinatorCrashes" in refused(
        run, "check", VARIANTS
    )


def test_a_property_of_postcopy_is_not_known(run: Run) -> None:
    assert "there is no property no-two-guests" in refused(run, "check", SOUND, "--property", "no-two-guests")


def test_a_stored_run_is_told_again_and_reported(run: Run, tmp_path: Path) -> None:
    stored, report = tmp_path / "run.itf.json", tmp_path / "report.html"
    assert run("check", TOO_EARLY, "--trace", str(stored), "--report", str(report), *FAST).code == 12
    told = run("trace", str(stored), TOO_EARLY)
    assert told.code == 0
    assert "decides to commit: one has prepared" in told.out
    assert "The transaction is carried out in part" in told.out
    assert not NOT_ITS.search(told.out)
    chart = tmp_path / "chart.svg"
    assert run("trace", str(stored), TOO_EARLY, "--svg", str(chart)).code == 0
    assert "PARTICIPANTS" in chart.read_text()
    assert "No participant commits where another aborts" in report.read_text()


def test_simulate(run: Run) -> None:
    assert run("simulate", SOUND, "--walks", "50").code == 0
    result = run("simulate", TOO_EARLY, "--walks", "50")
    assert result.code == 12
    assert "shown by a run of 6 steps" in " ".join(result.out.split())
    assert not NOT_ITS.search(result.out)


@pytest.mark.parametrize("form", ["svg", "dot", "html", "graphml"])
def test_graph(run: Run, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"states.{form}"
    result = run("graph", str(file), SOUND, "--pages", "2")
    assert result.code == 0
    assert "nodes for 46 states" in result.out
    assert "collecting" in file.read_text()
    if form == "dot":
        assert not NOT_ITS.search(file.read_text())


def test_a_graph_of_the_documents_protocol_is_drawn_as_before(run: Run, tmp_path: Path) -> None:
    assert Postcopy.drawn_by == ("source.phase", "destination.state")
    file = tmp_path / "states.dot"
    assert run("graph", str(file)).code == 0
    assert "boxes are source.phase, nodes are destination.state" in file.read_text()


def test_prove(run: Run) -> None:
    result = run("prove", PROVED, "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert found["verdict"] == "proved"
    proved = [p["name"] for p in found["properties"] if p["verdict"] == "proved"]
    assert proved == ["no-deadlock", "agreement", "outcome-is-final"]
    assert not NOT_ITS.search(found["sentence"])
    result = run("prove", TOO_EARLY)
    assert result.code == 12
    assert "violates agreement; the run is shown" in " ".join(result.out.split())
    assert run("prove", PROVED, "--pages", "2").code == 0


@pytest.mark.parametrize("form", ["promela", "tla", "aut"])
def test_export(run: Run, tmp_path: Path, form: str) -> None:
    file = tmp_path / ("TwoPhase.tla" if form == "tla" else f"states.{form}")
    assert run("export", form, SOUND, "-o", str(file)).code == 0
    text = file.read_text()
    assert "prepares" in text
    assert not NOT_ITS.search(text)


def test_diff(run: Run) -> None:
    result = run("diff", SOUND, TOO_EARLY, "--behaviour-pages", "2")
    assert result.code == 0
    said = " ".join(result.out.split())
    assert "actions changed coordinator.commits Properties whose verdict differs agreement: holds → violated" in said
    assert not NOT_ITS.search(result.out)


def test_list(run: Run) -> None:
    result = run("list", "properties", SOUND, "--json")
    assert [row["name"] for row in json.loads(result.out)][:2] == ["no-deadlock", "agreement"]
    assert not NOT_ITS.search(result.out)
    result = run("list", "actions", SOUND, "--json")
    assert len(json.loads(result.out)) == 8


def test_a_file_imports_those_beside_it_and_never_those_of_another_directory(run: Run, tmp_path: Path) -> None:
    for name, properties in (("one", ""), ("two", "\n    inapplicable = {'no-deadlock': 'a reason'}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beside.py").write_text(SMALLEST.replace("    m = M", f"    m = M{properties}"))
        (tmp_path / name / "mine.py").write_text("from beside import C\n\nclass Mine(C):\n    'Mine.'\n")
    asked = []
    for name in ("one", "two", "one"):
        found = json.loads(run("check", str(tmp_path / name / "mine.py"), "--json", *FAST).out)
        asked.append([p["name"] for p in found["properties"]])
    assert asked == [["no-deadlock"], [], ["no-deadlock"]]
