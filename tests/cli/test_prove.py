"""`postcopy prove`: what it prints and how it exits. What it proves is tested in tests/prover."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from postcopy.api.progress import OfProof
from postcopy.catalogue.properties import asked_of
from postcopy.model.postcopy import Postcopy
from postcopy.prover.completion import as_it_is
from postcopy.prover.verdicts import can_be_asked
from tests.cli.conftest import Run

ASKED = asked_of(Postcopy)
SAFE = len([p for p in ASKED if can_be_asked(p)])
RUNS, WITNESSES = sum(p.of_runs for p in ASKED), sum(p.is_witness for p in ASKED)
NOT_ASKED = f"Not asked: {RUNS} of liveness, {WITNESSES} witnesses."

HARMLESS = '''
from postcopy.language import Flag
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source


class Counts(Postcopy):
    """Remembers that it has pinged."""

    class source(Source):
        """Remembers it."""

        pinged = Flag("the destination has been pinged")

        def pings(self) -> None:
            """pings the destination and remembers it"""
            super().pings()
            self.pinged = True
'''


@pytest.mark.slow(first=True)
def test_the_protocol_is_proved_for_every_size_with_a_line_for_each_obligation(run: Run) -> None:
    result = run("prove", "--details")
    assert result.code == 0
    text = " ".join(result.out.split())
    count = re.search(r"(\d+) of (\d+) obligations proved in \d+ s", text)
    assert count is not None
    lines = [line for line in result.out.splitlines() if re.fullmatch(r" *\S.*  proved  \d+\.\d\d s", line)]
    assert len(lines) == int(count[1]) == int(count[2])
    assert text.endswith(
        f"Proved: {SAFE} of {SAFE} safety properties of Postcopy for any number of pages, host pages of any size and "
        f"channels of any length, and every step after the handover brings its end closer. {NOT_ASKED}"
    )


@pytest.mark.unmeasured
def test_the_protocol_is_proved_at_a_size(run: Run) -> None:
    result = run("prove", "--pages", "1", "--in-flight", "1")
    assert result.code == 0
    assert result.out.count("✓") == SAFE
    assert " ".join(result.out.split()).endswith(
        f"Proved by k-induction with the invariant: {SAFE} of {SAFE} safety properties of Postcopy at 1 page, "
        f"1 message in flight. {NOT_ASKED}"
    )


@pytest.mark.unmeasured
def test_a_fault_is_refuted_with_the_run_that_shows_it(run: Run) -> None:
    result = run("prove", "--pages", "1", "--fault", "no-discards", "--property", "no-stale-device-read")
    assert result.code == 12
    assert "Counterexample to “The device load reads no stale page”" in result.out
    words = " ".join(result.out.split())
    assert "Refuted: no-discards violates no-stale-device-read; the run is shown." in words
    assert "✓" not in words


@pytest.mark.slow
def test_what_is_not_inductive_is_not_proved_and_says_why(run: Run) -> None:
    result = run("prove", "--pages", "1", "--in-flight", "1", "--method", "k-induction")
    assert result.code == 75
    words = " ".join(result.out.split())
    assert "the explorer does not reach its first state" in words
    assert words.count("not inductive") > 20
    assert "Not proved: no-page-sent-twice" in words
    assert "Proved by k-induction: 15 of 41 safety properties" in words


@pytest.mark.slow
def test_json_has_all_that_is_printed(run: Run) -> None:
    found = json.loads(run("prove", "--pages", "1", "--in-flight", "1", "--json").out)
    assert (found["verdict"], found["pages"], found["method"]) == ("proved", 1, "k-induction with the invariant")
    assert found["counterexample"] is None
    assert found["obstacles"] == []
    answers = Counter(p["verdict"] for p in found["properties"])
    assert answers == {"proved": SAFE, "not asked": len(ASKED) - SAFE}


@pytest.mark.slow  # most goals are those of the document's protocol
def test_a_change_of_ones_own_is_proved_for_every_size(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "counts.py"
    file.write_text(HARMLESS, encoding="utf-8")
    result = run("prove", f"{file}:Counts", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert (found["verdict"], found["ends"]) == ("proved", "proved")
    assert {o["status"] for o in found["obligations"]} == {"proved"}
    assert "source.pings" in {o["action"] for o in found["obligations"]}


def test_when_z3_gives_up_nothing_is_proved(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant in ("NARROW", "WIDE"):
        monkeypatch.setattr(f"postcopy.prover.goal_solver.{constant}", 10)
    monkeypatch.setattr("postcopy.prover.session.refute", lambda *_: [])
    monkeypatch.setattr("postcopy.prover.session.find", lambda *_: None)
    monkeypatch.setattr("postcopy.api.proving.complete", as_it_is)
    result = run("prove", "--property", "no-two-guests", "--no-cache")  # where another test's answers may be
    assert result.code == 75
    words = " ".join(result.out.split())
    assert "Proved: 0 of 1 safety property" in words
    assert "z3 gave up" in words


def test_the_lemmas_are_proved_and_each_catches_a_mistake(run: Run) -> None:
    result = run("prove", "--bitmaps")
    assert result.code == 0
    assert "NOT caught" not in result.out
    assert result.out.count("Caught:") == 9
    text = " ".join(result.out.split())
    assert text.endswith("Proved: 9 lemmas for all words of 64 pages and host pages of 1 to 64 target pages.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--in-flight", "2"], "--in-flight, --host-page and --method go with --pages"),
        (["--pages", "1", "--method", "spaced"], "there is no method spaced; did you mean spacer?"),
        (["--pages", "0"], "--pages 0 is out of range"),
        (["--fault", "no-discard"], "there is no fault no-discard; did you mean no-discards?"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, arguments: list[str], message: str) -> None:
    result = run("prove", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_the_progress_line_says_how_many_of_how_many_and_what_is_open() -> None:
    lines: list[str] = []
    line = OfProof(lines.append)
    line.expect(1200)
    line.done("one-place", proved=True)
    line.done("sends-bounded", proved=False)
    line.done("sends-bounded", proved=False)
    line.expect(50)
    line.done("states-forward", proved=False)
    line.done("assembled-is-placed-and-more", proved=False)
    assert lines == [
        "1 of 1,200 obligations",
        "2 of 1,200 obligations; open: sends-bounded",
        "3 of 1,200 obligations; open: sends-bounded",
        "4 of 1,250 obligations; open: sends-bounded, states-forward",
        "5 of 1,250 obligations; open: states-forward, assembled-is-placed-and-more and 1 more",
    ]
