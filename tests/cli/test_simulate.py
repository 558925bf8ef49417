"""postcopy simulate: what it says, its exit codes, the JSON object, and that the seed alone decides."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from postcopy.explorer.simulation.walk import Walker
from tests.cli.conftest import CHANGE, Run, refused

SMALL = ("--pages", "2", "--in-flight", "1")
KEYS = {
    "protocol", "pages", "in_flight", "host_page", "seed", "verdict", "violated", "expected", "walks", "steps",
    "deepest", "depth_limit", "distinct_states", "seconds", "properties", "actions", "never_fired",
    "impossible_at_this_size", "found_in", "counterexample",
}  # fmt: skip


def test_nothing_found_is_no_failure_and_no_proof(run: Run) -> None:
    result = run("simulate", *SMALL, "--walks", "200")
    assert result.code == 0
    assert result.err == ""
    flat = " ".join(result.out.split())
    assert "no violation found in 200 walks of seed 1, which proves nothing" in flat
    assert "holds" not in flat
    assert "! not reached: " in flat


def test_json_has_all_that_was_found(run: Run) -> None:
    found = json.loads(run("simulate", *SMALL, "--walks", "200", "--seed", "5", "--json").out)
    assert set(found) == KEYS
    assert (found["verdict"], found["violated"], found["counterexample"]) == ("nothing found", None, None)
    assert (found["walks"], found["seed"], found["pages"]) == (200, 5, 2)
    assert {p["answer"] for p in found["properties"]} == {"not seen violated", "reached", "not reached"}
    assert all((p["walks"] > 0) == (p["answer"] == "reached") for p in found["properties"] if p["kind"] == "sometimes")


def test_a_violation_is_told_as_check_tells_it_and_can_be_kept_and_replayed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.itf.json"
    result = run("simulate", "--fault", "cancel-after-switch", "--pages", "5", "--trace", str(file))
    assert result.code == 12
    flat = " ".join(result.out.split())
    assert "Violated: Never do two guests run" in flat
    shown = re.search(
        r"violated: Never do two guests run \(no-two-guests\), shown by a run of (\d+) steps \(walk ", flat
    )
    assert shown is not None
    assert "known to violate: no-two-guests - found" in flat
    replayed = run("trace", str(file))
    assert replayed.code == 0
    assert replayed.out.splitlines()[1] == f"CancelAfterSwitch, 5 pages, 4 messages in flight; {shown[1]} steps"
    story = replayed.out.rstrip("\n")
    assert f"{story}\n\nviolated: Never do two guests run" in result.out, "the story stands before the last sentence"


def test_a_deadlock_has_its_own_exit_code(run: Run) -> None:
    result = run("simulate", "--fault", "no-return-path", *SMALL, "--json")
    assert result.code == 11
    found = json.loads(result.out)
    assert (found["verdict"], found["violated"]) == ("deadlock", "no-deadlock")
    assert found["found_in"] >= len(found["counterexample"]["steps"])


def test_a_fault_that_only_whole_runs_show_is_not_expected_to_be_found(run: Run) -> None:
    result = run("simulate", "--fault", "endless-scan", *SMALL, "--walks", "50")
    assert result.code == 0
    assert "expected" not in result.out


@pytest.mark.unmeasured
def test_one_property_of_a_change_of_ones_own(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "my_change.py"
    file.write_text(CHANGE)
    result = run("simulate", f"{file}:MyChange", "--pages", "3", "--property", "no-page-sent-twice", "--json")
    assert result.code == 12
    assert json.loads(result.out)["violated"] == "no-page-sent-twice"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--seed", "-1"), "--seed -1: a whole number from 0 on"),
        (("--seed", "x"), "--seed"),
        (("--depth", "0"), "--depth 0: a whole number from 1 on"),
        (("--walks", "0"), "--walks 0: a whole number from 1 on"),
        (("--walks", "many"), "--walks"),
        (("--seconds", "0"), "--seconds 0: a time greater than 0"),
        (("--seconds", "-3"), "--seconds -3"),
        (("--seconds", "nan"), "--seconds nan"),
        (("--walks", "1", "--seconds", "1"), "give --walks or --seconds, not both"),
        (("--pages", "17"), "--pages 17 is out of range: 1 to 16"),
        (("--fault", "no-discard"), "did you mean no-discards?"),
        (("--trace", "run.pdf"), "has to end in"),
        (("--property", "the-migration-ends"), "the-migration-ends is about runs without end"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(run: Run, options: tuple[str, ...], says: str) -> None:
    assert says in refused(run, "simulate", *options)


def interrupt_after(walks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Walker.walk

    def interrupted(self: Walker) -> object:
        if self.walks >= walks:
            raise KeyboardInterrupt
        return plain(self)

    monkeypatch.setattr(Walker, "walk", interrupted)


def test_ctrl_c_reports_what_it_has(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(50, monkeypatch)
    result = run("simulate", *SMALL)
    assert result.code == 75
    assert "interrupted: no violation found in 50 walks of seed 1" in " ".join(result.out.split())


def test_ctrl_c_while_it_shortens_shows_the_run_as_far_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from postcopy.explorer.simulation.shorten import Replay

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Replay, "breaking", interrupted)
    result = run("simulate", "--fault", "late-start-acts", *SMALL, "--json")
    assert result.code == 12
    found = json.loads(result.out)
    assert len(found["counterexample"]["steps"]) == found["found_in"]


def test_the_seed_alone_decides(tmp_path: Path) -> None:
    """Two processes with other hashes of strings find the same."""
    command = [
        sys.executable,
        "-c",
        "from postcopy.cli.main import main; main()",
        "simulate",
        "--fault",
        "cpus-run-on",
        *SMALL,
        "--json",
    ]
    found = []
    for salt in ("1", "2"):
        process = subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=False
        )
        assert process.returncode == 12, process.stderr
        found.append(json.loads(process.stdout) | {"seconds": None})
    assert found[0] == found[1]
