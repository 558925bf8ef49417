"""postcopy check: verdicts, exit codes, the JSON object."""

import json
from pathlib import Path

import pytest

from postcopy.catalogue.properties import DEFAULT
from postcopy.model.faults import FAULTS
from tests.cli.conftest import CHANGE, Run

KEYS = {
    "protocol", "pages", "in_flight", "symmetry", "verdict", "violated", "states", "transitions", "depth", "seconds",
    "properties", "actions", "counterexample",
}  # fmt: skip


@pytest.mark.unmeasured
def test_the_protocol_holds(run: Run) -> None:
    result = run("check")
    assert result.code == 0
    assert "holds: all states explored, no property violated" in result.out
    assert result.err == ""


@pytest.mark.unmeasured
def test_json_has_one_object_with_all_that_was_found(run: Run) -> None:
    result = run("check", "--pages", "1", "--in-flight", "1", "--json")
    found = json.loads(result.out)
    assert set(found) >= KEYS
    assert (found["protocol"], found["pages"], found["in_flight"], found["symmetry"]) == ("Postcopy", 1, 1, True)
    assert (found["verdict"], found["violated"], found["counterexample"]) == ("holds", None, None)
    assert [p["name"] for p in found["properties"]] == [p.name for p in DEFAULT]
    assert found["actions"]["source.sends_package"] > 0
    assert found["never_fired"] == []


@pytest.mark.unmeasured
def test_a_fault_is_a_safety_violation_with_a_story(run: Run) -> None:
    result = run("check", "--fault", "request-served-again", "--json")
    assert result.code == 12
    found = json.loads(result.out)
    assert (found["verdict"], found["violated"]) == ("violated", "no-page-sent-twice")
    steps = found["counterexample"]["steps"]
    assert steps[0]["thread"] == "operator"
    assert "sent before" in found["counterexample"]["contradiction"]


def test_a_deadlock_has_its_own_exit_code(run: Run) -> None:
    result = run("check", "--fault", "listen-waits-for-main")
    assert result.code == 11
    assert "deadlock (no-deadlock)" in result.out


@pytest.mark.unmeasured
def test_what_never_happens_has_its_own_exit_code_and_a_run_that_goes_on_for_ever(run: Run) -> None:
    result = run("check", "--fault", "endless-scan", "--in-flight", "1", "--json")
    assert result.code == 13
    found = json.loads(result.out)
    assert (found["verdict"], found["violated"]) == ("liveness violated", "the-migration-ends")
    run_of = found["counterexample"]
    assert [step["does"] for step in run_of["steps"][run_of["loop"] - 1 :]] == [
        "finds nothing dirty in this half of the bitmap, and goes on with the other"
    ] * 2
    assert "No thread is neglected" in run_of["contradiction"]
    answers = {p["name"]: p["answer"] for p in found["properties"]}
    assert (answers["no-deadlock"], answers["the-switch-happens"], answers["the-migration-ends"]) == (
        "holds", "holds", "violated",
    )  # fmt: skip
    assert found["liveness"]["promised_in_states"]["the-migration-ends"] > 0


def test_liveness_can_be_left_out(run: Run) -> None:
    found = json.loads(run("check", "--fault", "endless-scan", "--in-flight", "1", "--no-liveness", "--json").out)
    assert (found["verdict"], found["liveness"]) == ("holds", None)
    assert "eventually" not in {p["kind"] for p in found["properties"]}


def test_too_little_memory_for_liveness_leaves_the_rest_of_the_verdict(run: Run) -> None:
    result = run("check", "--in-flight", "1", "--max-memory", "3M", "--engine", "interpreted", "--json")
    assert result.code == 75
    found = json.loads(result.out)
    assert found["why"].startswith("liveness: ")
    answers = {p["name"]: p["answer"] for p in found["properties"]}
    assert (answers["no-two-guests"], answers["the-migration-ends"]) == ("holds", "unknown")


def test_ctrl_c_while_liveness_is_checked_leaves_the_rest_of_the_verdict(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("postcopy.explorer.liveness.check._answers", interrupted)
    result = run("check", "--pages", "1", "--in-flight", "1")
    assert result.code == 75
    assert "inconclusive: interrupted before liveness was checked; all else holds" in " ".join(result.out.split())


def test_a_single_property_can_be_checked(run: Run) -> None:
    result = run("check", "--fault", "resync-in-postcopy", "--property", "no-write-overwritten", "--json")
    found = json.loads(result.out)
    assert [p["name"] for p in found["properties"]] == ["no-write-overwritten"]
    assert found["violated"] == "no-write-overwritten"


def test_the_document_itself_lacks_a_property_that_one_would_like(run: Run) -> None:
    assert run("check", "--property", "refusal-costs-no-guest").code == 12


def test_host_pages_of_two_target_pages(run: Run) -> None:
    found = json.loads(run("check", "--host-page", "2", "--in-flight", "1", "--json").out)
    assert found["verdict"] == "holds"
    assert found["impossible_at_this_size"] == []


@pytest.mark.unmeasured
def test_a_change_in_a_file_of_ones_own(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "my_change.py"
    file.write_text(CHANGE)
    result = run("check", f"{file}:MyChange", "--pages", "1", "--json")
    assert result.code == 12
    assert json.loads(result.out)["violated"] in (
        "no-page-sent-twice", "sends-bounded", "nothing-dirtied-after-switch", "only-dirty-pages-sent",
    )  # fmt: skip
    assert run("check", str(file), "--pages", "1").code == 12


@pytest.mark.slow
def test_symmetry_can_be_switched_off(run: Run) -> None:
    with_it = json.loads(run("check", "--in-flight", "1", "--json").out)
    without = json.loads(run("check", "--in-flight", "1", "--no-symmetry", "--json").out)
    assert with_it["verdict"] == without["verdict"] == "holds"
    assert with_it["states"] < without["states"]


@pytest.mark.slow
def test_it_says_what_one_stored_state_stands_for(run: Run, tmp_path: Path) -> None:
    page, size = tmp_path / "page.html", ("--pages", "1", "--in-flight", "1", "--no-liveness")
    every = (*size, "--vcpu-symmetry", "--reset-dead")
    told = " ".join(run("check", *every, "--report", str(page)).out.split())
    assert "page symmetry, vCPU symmetry, dead variables reset" in told
    assert "page symmetry, vCPU symmetry, dead variables reset" in page.read_text(encoding="utf-8")
    assert json.loads(run("check", *size, "--json").out)["reductions"] == ["page symmetry"]
    assert "  no symmetry" in run("check", *size, "--no-symmetry").out


def test_memory_exhausted_is_inconclusive_and_says_what_was_explored(run: Run) -> None:
    result = run("check", "--pages", "3", "--max-memory", "1M", "--engine", "interpreted", "--json")
    assert result.code == 75
    found = json.loads(result.out)
    assert found["verdict"] == "inconclusive"
    assert found["states"] > 1000
    assert found["frontier"] > 0
    assert "1 MiB" in found["why"]
    assert {p["answer"] for p in found["properties"] if p["kind"] != "sometimes"} == {"unknown"}


def test_ctrl_c_reports_what_it_has(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from postcopy.explorer.search.interpreted import Interpreted

    plain = Interpreted.run

    def interrupted(self: Interpreted, steps: int) -> object:
        if self.head > 1000:
            raise KeyboardInterrupt
        return plain(self, min(steps, 500))

    monkeypatch.setattr(Interpreted, "run", interrupted)
    result = run("check", "--engine", "interpreted")
    assert result.code == 75
    assert "inconclusive: interrupted before all states were seen" in result.out


@pytest.mark.parametrize("ending", ["itf.json", "md", "svg", "mmd"])
def test_the_counterexample_can_be_kept(run: Run, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"run.{ending}"
    assert run("check", "--fault", "no-return-path", "--trace", str(file)).code == 11
    assert any(word in file.read_text() for word in ("operator", "opening"))


def test_every_fault_is_listed_with_what_it_breaks(run: Run) -> None:
    listed = json.loads(run("list", "faults", "--json").out)
    assert [f["name"] for f in listed] == list(FAULTS)
    assert all(f["breaks"] for f in listed)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--disk", "nowhere"), "no such directory"),
        (("--disk", ".", "--cluster", "2"), "does not go with"),
        (("--disk", ".", "--engine", "interpreted"), "compiled"),
        (("--small-table", "--disk", "."), "--small-table does not go with --disk"),
        (("--small-table", "--engine", "interpreted"), "compiled"),
        (("--cluster", "2", "--workers", "2"), "leave --workers away"),
        (("--cluster", "2", "--engine", "interpreted"), "compiled"),
    ],
)
def test_what_does_not_go_with_a_disk_or_a_cluster_is_refused(run: Run, arguments: tuple[str, ...], why: str) -> None:
    result = run("check", *arguments)
    assert result.code == 2
    assert why in result.err


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_said_not_to_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    result = run("check", "--cluster", "2", "--pages", "1", "--in-flight", "1")
    assert result.code == 2
    assert "no Ray cluster at RAY_ADDRESS=127.0.0.1:1" in result.err


def test_steps_are_listed_so_that_one_can_read_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("list", "actions").out.splitlines()
    assert any("destination.cpu_reads" in line and "vCPU 0: reads a page" in line for line in lines)
    whole = json.loads(run("list", "actions", "--json").out)
    assert set(whole[0]) == {"name", "thread", "does", "rule", "qemu", "environment"}


@pytest.mark.unmeasured
def test_what_was_not_asked_is_said_beside_holds(run: Run) -> None:
    small = ("check", "--pages", "1", "--in-flight", "1")
    words = " ".join(run(*small, "--no-liveness").out.split())
    assert words.endswith("no property violated; not asked what must happen in the end")
    assert run(*small).out.endswith("holds: all states explored, no property violated\n")


def test_help_goes_from_the_protocol_over_the_search_to_what_is_shown(run: Run) -> None:
    said = run("check", "--help").out
    places = [said.index(part) for part in ("What to check", "--fault", "How to search", "--workers", "What to show")]
    assert places == sorted(places)
    commands = run("--help").out
    places = [commands.index(part) for part in ("Check a protocol", "Look closely", "Write a change", "Migrate a real")]
    assert places == sorted(places)
