"""A protocol is said by its name, its file, or several with + between them, wherever a command wants one."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.loading import load
from postcopy.cli.options import complete_protocol
from postcopy.model.faults import FAULTS
from tests.cli.conftest import CHANGE, Run, refused
from tests.composed import EAGER, LOCK, RELEASE

SMALL = ("--pages", "1", "--in-flight", "1")
SEARCH = (*SMALL, "--property", "loading-costs-no-guest")
"""Finds a violation of `switch-at-package` soon."""


@pytest.fixture(autouse=True)
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with files of a user, in which the test runs."""
    for name, text in (("mine", CHANGE), ("lock", LOCK), ("release", RELEASE), ("eager", EAGER)):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_is_the_protocol_of_its_option(run: Run) -> None:
    assert load("no-discards") == load(fault="no-discards") == ("no-discards", FAULTS["no-discards"])
    assert load("recovery") == load(change="recovery") == ("recovery", CHANGES["recovery"])
    assert load("pauses-in-precopy") == load(bug="pauses-in-precopy")
    result = run("check", "no-discards", *SMALL, "--property", "no-stale-device-read", "--engine", "interpreted")
    assert "known to violate" in result.out


COMMANDS = [
    ("check", "{}", *SMALL, "--no-liveness"),
    ("simulate", "{}", *SMALL, "--walks", "3"),
    ("graph", "out.dot", "{}", "--force"),
    ("export", "promela", "{}", *SMALL),
    ("export", "tla", "{}", *SMALL),
    ("list", "actions", "{}"),
    ("list", "properties", "{}"),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_every_command_takes_a_composition(run: Run, command: tuple[str, ...]) -> None:
    result = run(*(word.format("switch-at-package+lock.py") for word in command))
    assert result.code in (0, 12), result.err
    assert result.err == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [("prove", "{}", "--pages", "1", "--property", "no-two-guests"), ("diff", "Postcopy", "{}", "--pages", "1")],
)
def test_so_do_those_that_take_longer(run: Run, command: tuple[str, ...]) -> None:
    result = run(*(word.format("switch-at-package+lock.py") for word in command))
    assert result.code in (0, 12, 30), result.err
    assert "lock.py" in "".join(result.out.split())


@pytest.mark.parametrize(
    "command",
    [
        ["check"],
        ["prove"],
        ["simulate"],
        ["graph", "out.dot"],
        ["explore"],
        ["export", "promela"],
        ["list", "properties"],
        ["diff", "Postcopy"],
        ["trace", "run.itf.json"],
        ["replay", "run.itf.json"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_says_what_was_meant(run: Run, command: list[str]) -> None:
    assert "there is no protocol recovry; did you mean recovery?" in refused(run, *command, "recovry")
    assert "there is no protocol preemt; did you mean preempt?" in refused(run, *command, "recovery+preemt")
    assert "recovery is named twice" in refused(run, *command, "recovery+preempt+recovery")
    assert "both replace the action source.sends_background_page" in refused(run, *command, "eager.py+mine.py")


def test_names_that_are_none(run: Run) -> None:
    assert "postcopy list faults shows what there is, and so do changes, history, qemu and others" in refused(
        run, "check", "xyzzy"
    )
    assert "there is no protocol ;" not in refused(run, "check", "recovery+")
    assert "cannot read none.py" in refused(run, "check", "recovery+none.py")
    assert "it is a directory" in refused(run, "check", "recovery+/tmp")
    assert "give it without --change, which takes one name" in refused(run, "check", "--change", "recovery+preempt")
    assert "give it without --fault, which takes one name" in refused(run, "check", "--fault", "recovery")


def test_the_class_is_said_where_a_file_has_several(run: Run, saved: Path) -> None:
    (saved / "cpus.py").write_text(
        "from postcopy.model.postcopy import Postcopy\n"
        'class Three(Postcopy):\n    """Three."""\n    cpus = 3\nclass One(Postcopy):\n    """One."""\n    cpus = 1\n'
    )
    says = "cpus.py: say which class, FILE.py:Class: it has Three, One"
    assert says in refused(run, "check", "cpus.py")
    assert says in refused(run, "check", "recovery+cpus.py")
    assert says in refused(run, "check", "cpus.py+preempt")
    assert "cpus.py has no protocol Two: it has Three, One" in refused(run, "check", "cpus.py:Two+preempt")
    assert "both define cpus" in refused(run, "check", "cpus.py:One+cpus.py:Three")
    assert run("list", "actions", "cpus.py:One+preempt").code == 0


def test_a_plus_in_a_name_of_a_file_is_no_composition(run: Run, saved: Path) -> None:
    (saved / "c++").mkdir()
    (saved / "c++" / "a+b.py").write_text(CHANGE)
    assert run("list", "actions", "c++/a+b.py").code == 0
    assert run("list", "actions", "preempt+c++/a+b.py:MyChange").code == 2, "both replace an action"
    assert run("list", "actions", "c++/a+b.py+lock.py").code == 0


# -- stored runs ------------------------------------------------------------------------------------------------------


@pytest.mark.unmeasured
def test_the_run_of_a_composition_of_names_is_shown_again_by_its_name(run: Run, saved: Path) -> None:
    run("check", "switch-at-package+no-discards", *SEARCH, "--trace", "run.itf.json")
    assert "switch-at-package+no-discards" in (saved / "run.itf.json").read_text()
    result = run("trace", "run.itf.json")
    assert result.code == 0
    assert "SwitchAtPackage+NoDiscards, 1 page" in result.out
    assert run("trace", "run.itf.json", "switch-at-package+no-discards").out == result.out
    assert "was made with another version of the model" in refused(run, "trace", "run.itf.json", "preempt")


@pytest.mark.unmeasured
def test_no_file_is_run_because_a_run_names_it(run: Run, saved: Path) -> None:
    run("check", "switch-at-package+mine.py", *SEARCH, "--trace", "run.itf.json")
    (saved / "mine.py").write_text("raise SystemExit('it was run')\n" + CHANGE)
    said = refused(run, "trace", "run.itf.json")
    assert "a file that is not run because a trace names it: give switch-at-package+mine.py:MyChange, too" in said
    (saved / "mine.py").write_text(CHANGE)
    assert run("trace", "run.itf.json", "switch-at-package+mine.py").code == 0


def test_other_texts_in_a_run_s_file_load_nothing(run: Run, saved: Path) -> None:
    run("check", "switch-at-package+no-discards", *SEARCH, "--trace", "run.itf.json")
    stored = saved / "run.itf.json"
    text = stored.read_text()
    (saved / "sub").mkdir()
    (saved / "sub" / "mine").write_text("raise SystemExit('it was run')\n")
    for name in ("switch-at-package+", "+", "switch-at-package+preempt+sub/mine", "mine.py+preempt", "a:b"):
        stored.write_text(text.replace("switch-at-package+no-discards", name))
        said = refused(run, "trace", str(stored))
        assert "there is no protocol" in said or "is not run because a trace names it" in said


@pytest.mark.unmeasured
def test_the_markdown_of_a_run_says_how_to_find_it_again(run: Run, saved: Path) -> None:
    run("check", "switch-at-package+no-discards", *SEARCH, "--trace", "run.md")
    assert "postcopy check switch-at-package+no-discards" in (saved / "run.md").read_text()
    run("check", "switch-at-package+mine.py", *SEARCH, "--trace", "other.md")
    assert "postcopy check" not in (saved / "other.md").read_text()


# -- completion -------------------------------------------------------------------------------------------------------


def test_the_shell_completes_names_and_files_also_after_a_plus(saved: Path) -> None:
    (saved / "sub").mkdir()
    (saved / "sub" / "more.py").write_text(CHANGE)
    assert complete_protocol("recovery-") == ["recovery-with-preempt"]
    assert complete_protocol("loc") == ["lock.py"]
    assert complete_protocol("recovery+loc") == ["recovery+lock.py"]
    assert complete_protocol("recovery+sub") == ["recovery+sub/"]
    assert complete_protocol("sub/") == ["sub/more.py"]
    assert complete_protocol(f"{saved}/sub/m") == [f"{saved}/sub/more.py"]
    assert {"recovery", "lock.py", "sub/", "Postcopy"} <= set(complete_protocol(""))
    assert complete_protocol("nowhere/x") == []
