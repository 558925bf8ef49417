"""What the process of a question answers, and the guard that it names, in this process."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from postcopy.api.checking import check
from postcopy.model.postcopy import Postcopy
from postcopy.suites.entries import Kind
from postcopy.suites.guards import class_of, guard_of
from postcopy.suites.worker import answer
from tests.cli.conftest import CHANGE
from tests.suites.test_command import STUCK, TINY
from tests.suites.test_outputs import entry


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with small protocols."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "stuck.py").write_text(STUCK)
    return tmp_path


def line_of(file: str, line: int) -> str:
    """What stands in a line of a file."""
    return Path(file).read_text(encoding="utf-8").splitlines()[line - 1].strip()


def test_a_check_names_the_guard_and_the_files_that_it_read(folder: Path) -> None:
    sound = answer(entry(protocol="tiny.py"))
    assert (sound.verdict, sound.violated, sound.states) == ("holds", [], 2)
    assert line_of(sound.file, sound.line) == "class Once(Protocol):"
    assert str(folder / "tiny.py") in sound.reads
    stuck = answer(entry(protocol="stuck.py"), folder / "page.html")
    assert (stuck.verdict, stuck.violated) == ("deadlock", ["no-deadlock"])
    assert line_of(stuck.file, stuck.line) == "require(not self.done)"
    assert (Path(stuck.page), "Counterexample to" in (folder / "page.html").read_text()) == (folder / "page.html", True)


def test_a_proof_and_walks(folder: Path) -> None:
    proof = answer(entry(kind=Kind.PROVE, protocol="tiny.py", arguments={"pages": 1, "in_flight": 1}))
    assert (proof.verdict, proof.states) == ("proved", 0)
    refuted = answer(entry(kind=Kind.PROVE, protocol="stuck.py", arguments={"pages": 1, "in_flight": 1}))
    assert (refuted.verdict, refuted.violated) == ("refuted", ["no-deadlock"])
    walks = answer(entry(kind=Kind.SIMULATE, protocol="stuck.py", arguments={"pages": 1, "walks": 3}))
    assert (walks.verdict, walks.violated) == ("deadlock", ["no-deadlock"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no luck')\n", "no luck"),
        (TINY.replace("require(not self.done)", "require(not self.dnoe)"), "done"),
        ("", "it has no class that is a Protocol"),
    ],
)
def test_an_error_in_a_file_is_an_answer(folder: Path, text: str, said: str) -> None:
    (folder / "mine.py").write_text(text)
    found = answer(entry(protocol="mine.py"))
    assert found.verdict == "error"
    assert said in found.sentence
    assert "\n" not in found.sentence


def test_a_lack_of_memory_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("postcopy.suites.worker.check", full)
    assert answer(entry(protocol="tiny.py")).verdict == "inconclusive"


def test_the_guard_is_that_of_the_change_and_not_of_what_it_changes(folder: Path) -> None:
    (folder / "change.py").write_text(CHANGE)
    broken = check("change.py:MyChange", pages=1, in_flight=1, liveness=False, engine="interpreted")
    assert broken.counterexample is not None
    place = guard_of(broken.counterexample)
    assert Path(place.file).name == "change.py"
    assert line_of(str(folder / place.file), place.line) == "require(self.phase == Phase.POSTCOPY)"
    assert line_of(*class_of(Postcopy)).startswith("class Postcopy(")


def test_more_arguments_go_to_the_function(folder: Path) -> None:
    found = answer(entry(protocol="stuck.py", arguments={"pages": 1, "properties": ["no-deadlock"]}))
    assert found.violated == ["no-deadlock"]
    wrong = answer(msgspec.structs.replace(entry(protocol="tiny.py"), arguments={"pages": 1, "engine": "fast"}))
    assert wrong.sentence == "there is no engine fast: auto, compiled, interpreted"


def test_a_name_that_is_expected_and_that_there_is_not_is_an_error_and_no_finding(folder: Path) -> None:
    for expected in (entry(protocol="tiny.py", violates=["no-dedlock"]), entry(accepted={"no-dedlock": "known"})):
        found = answer(expected)
        assert (found.verdict, found.sentence) == (
            "error",
            "there is no property no-dedlock; did you mean no-deadlock?",
        )
