"""An error of a step is shown with the run that leads to it, in every format, as a violation is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

HEAD = '''"""A protocol with an error in a step."""

from postcopy.language import Channel, Count, Flag, Machine, Protocol, Receives, Sends, Thread, View, action, require
from enum import Enum, auto


class Letter(Enum):
    A = auto()


class M(Machine):
    t = Thread("t")
    wire = Sends("wire")
    back = Receives("wire")
    n = Count("a number", 0, 2)
    on = Flag("a flag")

    @action(t)
    def begins(self) -> None:
        """begins"""
        require(not self.on)
        self.on = True

    @action(t)
    def takes(self) -> None:
        """takes a letter"""
        self.back.receive(Letter.A)

    @action(t)
    def acts(self) -> None:
        """acts"""
        require(self.on)
        {statements}


class P(Protocol):
    m = M
    wire = Channel(Letter)

    @staticmethod
    def may_rest(state: View) -> bool:
        """Always."""
        return True
'''
RANGE, ROOM = "numbers-stay-in-range", "messages-have-room"
LEAVES = "m.n leaves its range 0 to 2"
CASES = {
    "too high": ("self.n += 1", RANGE, LEAVES, 4),
    "too low": ("self.n -= 1", RANGE, LEAVES, 2),
    "in two steps": ("self.n += 1\n        self.n += 1", RANGE, LEAVES, 3),
    "no room": ("self.wire.send(Letter.A)", ROOM, "wire may be full here: require room() before sending A", 3),
    "room for one": (
        "require(self.wire.room())\n        self.wire.send(Letter.A)\n        self.wire.send(Letter.A)",
        ROOM,
        "wire may be full here: require room(2) before sending A",
        2,
    ),
    "both": ("self.n += 1\n        self.wire.send(Letter.A)", ROOM, "wire may be full here: require room()", 3),
}
SIZE = ("--pages", "1", "--in-flight", "1")


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, str, int]:
    """A file with an error, the property that it violates, what is said of it, and the steps of a shortest run."""
    statements, prop, message, steps = CASES[request.param]
    file = tmp_path / "errs.py"
    file.write_text(HEAD.format(statements=statements), encoding="utf-8")
    return str(file), prop, message, steps


def test_a_check_shows_the_run_to_an_error_in_every_format(
    case: tuple[str, str, str, int], run: Run, tmp_path: Path
) -> None:
    file, prop, message, steps = case
    trace, page = tmp_path / "run.itf.json", tmp_path / "run.html"
    result = run("check", file, *SIZE, "--trace", str(trace), "--report", str(page))
    assert result.code == 12
    said = " ".join(result.out.split())
    assert message in said
    assert f"({prop}), shown by a shortest run of {steps} step" in said
    assert f"Step {steps} (t: acts) breaks it." in said
    assert prop in page.read_text(encoding="utf-8")
    replayed = run("trace", str(trace), file)
    assert replayed.code == 0
    assert message in " ".join(replayed.out.split())
    record = json.loads(run("check", file, *SIZE, "--json").out)
    assert (record["verdict"], record["violated"]) == ("violated", prop)
    assert len(record["counterexample"]["steps"]) == steps
    assert message in record["counterexample"]["contradiction"]


def test_a_simulation_shows_the_run_to_an_error(case: tuple[str, str, str, int], run: Run) -> None:
    file, prop, message, steps = case
    result = run("simulate", file, "--walks", "20", *SIZE)
    assert result.code == 12
    said = " ".join(result.out.split())
    assert message in said
    assert f"({prop}), shown by a run of {steps} step" in said


def test_more_counterexamples_end_with_an_error(case: tuple[str, str, str, int], run: Run) -> None:
    file, prop, *_ = case
    result = run("check", file, *SIZE, "--all-properties", "--json")
    assert result.code == 12
    assert json.loads(result.out)["violated"] == prop


def test_a_text_that_asks_for_no_room_is_refused_where_no_run_shows_why(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "errs.py"
    statements = "require(self.n == 0)\n        self.n = 1\n        self.wire.send(Letter.A)"
    file.write_text(HEAD.format(statements=statements), encoding="utf-8")
    for command in (("check", str(file), *SIZE), ("simulate", str(file), "--walks", "5", *SIZE)):
        result = run(*command)
        assert result.code == 2
        assert "in acts: wire may be full here: require room() before sending A" in result.err
