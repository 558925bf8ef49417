"""`postcopy suite` as a command: processes, exit codes, files, what is not asked again, and watching."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from postcopy.api.schema_names import Schema
from postcopy.suites.entries import Found
from postcopy.suites.running import run as run_all
from postcopy.suites.suite_file import read_suite
from tests.cli.conftest import Run, refused, run
from tests.cli.test_schemas import strict

__all__ = ["run"]

PAGE = (Path(__file__).parents[2] / "docs/suites.md").read_text(encoding="utf-8")
TINY = """
from postcopy.language import Flag, Machine, Protocol, Thread, action, require


class Worker(Machine):
    '''Does its work once.'''

    worker = Thread("worker")
    done = Flag("the work is done", False)

    @action(worker)
    def works(self) -> None:
        '''does the work'''
        require(not self.done)
        self.done = True


class Once(Protocol):
    '''A tiny protocol.'''

    only = Worker

    @staticmethod
    def may_rest(state):
        '''when the work is done'''
        return state.only.done
"""
STUCK = TINY.replace("return state.only.done", "return not state.only.done")
SMALL = '[[check]]\nname = "tiny"\nprotocol = "tiny.py"\npages = 1\nin_flight = 1\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a suite of one small question."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "suite.toml").write_text(SMALL)
    return tmp_path


def test_what_is_as_expected_ends_with_0_and_what_is_not_with_12(folder: Path, run: Run) -> None:
    done = run("suite", "suite.toml")
    assert (done.code, done.err) == (0, "")
    assert "✓ tiny: holds: all states explored" in done.out
    assert done.out.endswith("suite: 1 question: 1 as expected\n")
    again = run("suite", "suite.toml", "--changed")
    assert again.out == "suite: 1 question: 1 as expected; 1 not asked again, since nothing has changed\n"
    (folder / "tiny.py").write_text(STUCK)
    broken = run("suite", "suite.toml", "--changed", "--junit", "out.xml", "--html", "out.html", "--reports", "pages")
    assert broken.code == 12
    assert "✗ tiny: expected: holds; found: deadlock" in broken.out
    assert "Whatever still has to happen, some thread can move" in broken.out
    case = next(ElementTree.parse(folder / "out.xml").iter("testcase"))
    assert case.attrib["file"] == "tiny.py"
    line = (folder / "tiny.py").read_text().splitlines()[int(case.attrib["line"]) - 1]
    assert line.strip() == "require(not self.done)"
    assert "was holds, as expected" in (folder / "out.html").read_text()
    assert 'href="pages/tiny.html"' in (folder / "out.html").read_text()
    assert "Counterexample to" in (folder / "pages/tiny.html").read_text()


def test_pages_take_the_place_of_no_file_that_the_user_has_written(folder: Path, run: Run) -> None:
    (folder / "pages").mkdir()
    (folder / "pages" / "tiny.html").write_text("My own page.\n")
    assert "--reports" in refused(run, "suite", "suite.toml", "--reports", "pages")
    (folder / ".postcopy").mkdir()
    (folder / ".postcopy" / ".gitignore").write_text("mine\n")
    assert run("suite", "suite.toml", "--reports", "pages", "--force").code == 0
    assert (folder / "pages" / "tiny.html").read_text() == "My own page.\n"  # nothing is violated
    assert (folder / ".postcopy" / ".gitignore").read_text() == "mine\n"


def test_what_cannot_be_asked_ends_with_2_and_what_is_late_with_75(folder: Path, run: Run) -> None:
    (folder / "suite.toml").write_text('[[check]]\nname = "a"\nprotocol = "Postcpy"\n')
    done = run("suite", "suite.toml", "--github")
    assert done.code == 2
    assert "! a: there is no protocol Postcpy; did you mean Postcopy?" in done.out
    assert "::error title=suite%3A a::there is no protocol Postcpy" in done.out
    (folder / "suite.toml").write_text('[[check]]\nname = "b"\nprotocol = "Postcopy"\nin_flight = 1\nseconds = 0.001\n')
    late = run("suite", "suite.toml", "--json")
    assert late.code == 75
    assert json.loads(late.out)["judged"][0]["found"]["sentence"].startswith("inconclusive: 0.001 seconds were over")


def test_a_process_that_ends_is_an_error_of_its_question_alone(folder: Path, run: Run) -> None:
    (folder / "dies.py").write_text("import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(9)\n")
    (folder / "suite.toml").write_text(SMALL + '[[check]]\nname = "dies"\nprotocol = "dies.py"\n')
    done = run("suite", "suite.toml", "--jobs", "2")
    assert done.code == 2
    assert "! dies: its process ended with code 9: last words" in done.out
    assert "✓ tiny" in done.out


def test_what_a_file_prints_does_not_disturb_the_answer(folder: Path, run: Run) -> None:
    (folder / "tiny.py").write_text(TINY + "\nprint('{hello')\n")
    assert run("suite", "suite.toml").code == 0


def test_what_is_printed_as_json_is_what_its_schema_says(folder: Path, run: Run) -> None:
    (folder / "tiny.py").write_text(STUCK)
    printed = json.loads(run("suite", "suite.toml", "--json").out)
    jsonschema.validate(printed, strict(Schema.SUITE))
    assert printed["judged"][0]["status"] == "not as expected"


@pytest.mark.slow
def test_files_beside_a_protocol_count_as_read(folder: Path, run: Run) -> None:
    (folder / "beside.py").write_text("NUMBER = 1\n")
    (folder / "tiny.py").write_text("from beside import NUMBER\n" + TINY)
    assert run("suite", "suite.toml").code == 0
    assert "1 not asked again" in run("suite", "suite.toml", "--changed").out
    (folder / "beside.py").write_text("NUMBER = 2\n")
    assert "asked again" not in run("suite", "suite.toml", "--changed").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.toml",), "cannot read none.toml: No such file or directory"),
        (("suite.toml", "--junit", "out.txt"), "--junit out.txt: the name has to end in .xml"),
        (("suite.toml", "--html", "tiny.py"), "--html tiny.py: the name has to end in .html"),
        (("suite.toml", "--markdown", "tiny.py"), "--markdown tiny.py is there already, and postcopy has not written"),
        (("suite.toml", "--max-memory", "1M"), "tiny may take 1,024 MiB, and all together 1 MiB"),
        (("suite.toml", "--watch", "--json"), "--watch goes on for ever: leave --json away"),
    ],
)
def test_mistakes_on_the_command_line(folder: Path, run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(run, "suite", *arguments)


def waited(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether something happens in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_a_change_while_the_suite_runs_is_not_missed(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import pathlib, time\nfirst = not pathlib.Path('begun').exists()\npathlib.Path('begun').touch()\n"
        "while first and not pathlib.Path('go').exists():\n    time.sleep(0.05)\n" + TINY
    )
    (folder / "suite.toml").write_text(SMALL.replace("tiny.py", "slow.py"))
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "postcopy", "suite", "suite.toml", "--watch"], stdout=file, stderr=file
        )
    try:
        assert waited(lambda: (folder / "begun").exists())
        (folder / "suite.toml").write_text(SMALL.replace("tiny.py", "slow.py") + 'expect = "deadlock"\n')
        (folder / "go").touch()
        assert waited(lambda: "1 not as expected" in output.read_text())
    finally:
        process.kill()
        process.wait()


def test_watching_asks_again_what_has_changed(folder: Path) -> None:
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "postcopy", "suite", "suite.toml", "--watch"], stdout=file, stderr=file
        )
    try:
        assert waited(lambda: "1 as expected" in output.read_text())
        (folder / "tiny.py").write_text(STUCK)
        assert waited(lambda: "1 not as expected" in output.read_text())
        (folder / "suite.toml").write_text(SMALL + 'expect = "deadlock"\n')
        assert waited(lambda: "1 not asked again" in output.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.wait()


def asleep(folder: Path, number: int) -> None:
    """A suite of questions that never come to an end."""
    (folder / "sleeps.py").write_text("import time\ntime.sleep(600)\n")
    questions = (f'[[check]]\nname = "{n}"\nprotocol = "sleeps.py"\nmax_memory = "1G"\n' for n in range(number))
    (folder / "suite.toml").write_text("".join(questions))


@pytest.mark.parametrize(("jobs", "memory", "most"), [(2, 8, 2), (4, 3, 3), (4, 1, 1)])
def test_no_more_run_than_jobs_and_memory_allow_and_none_stays_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, memory: int, most: int
) -> None:
    asleep(folder, 4)
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    def alarm(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.7)
    answers: list[Found] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all(
                read_suite(folder / "suite.toml").entries, jobs, memory << 30, lambda _, found: answers.append(found)
            )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert answers == []
    assert [process.returncode for process in started] == [-signal.SIGKILL] * most


def test_a_proof_is_ended_when_its_time_is_over(folder: Path) -> None:
    asleep(folder, 1)
    text = (folder / "suite.toml").read_text().replace("check", "prove") + "seconds = 0.5\n"
    (folder / "suite.toml").write_text(text)
    found: list[Found] = []
    run_all(read_suite(folder / "suite.toml").entries, 1, 1 << 30, lambda _, each: found.append(each))
    assert [(each.verdict, each.sentence) for each in found] == [
        ("inconclusive", "inconclusive: 0.5 seconds were over")
    ]


@pytest.mark.slow
def test_the_suite_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = re.findall(r"save this as `suite\.toml` beside it:\n\n```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "suite.toml").write_text(text)
    assert "`postcopy new my_change.py`" in PAGE
    assert run("new", "my_change.py").code == 0
    done = run("suite", "suite.toml")
    assert done.code == 0, done.out
    assert done.out.endswith("my change: 5 questions: 4 as expected, 1 accepted\n")
