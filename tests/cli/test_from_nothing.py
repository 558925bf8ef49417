"""A protocol from nothing goes through every command by its file's name, and is asked nothing of the document's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postcopy.cli.exits import Exit
from tests.cli.conftest import Run, refused
from tests.protocols import smallest, text_of

SMALLEST = text_of(smallest)
SIZE = ("--pages", "1", "--in-flight", "1")
COMMANDS = {
    "check": ("check", "FILE", *SIZE),
    "check without liveness": ("check", "FILE", *SIZE, "--no-liveness", "--json"),
    "simulate": ("simulate", "FILE", "--walks", "5", *SIZE),
    "prove": ("prove", "FILE"),
    "prove at a size": ("prove", "FILE", *SIZE),
    "diff": ("diff", "FILE", "FILE", *SIZE),
    "graph": ("graph", "HERE/graph.dot", "FILE", *SIZE),
    "list properties": ("list", "properties", "FILE"),
    "list actions": ("list", "actions", "FILE"),
    "export tla": ("export", "tla", "FILE", *SIZE),
    "export promela": ("export", "promela", "FILE", *SIZE),
    "export aut": ("export", "aut", "FILE", *SIZE),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_it(command: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "nothing.py"
    file.write_text(SMALLEST, encoding="utf-8")
    arguments = [a.replace("FILE", str(file)).replace("HERE", str(tmp_path)) for a in COMMANDS[command]]
    result = run(*arguments)
    assert result.code == 0, result.err
    assert "source" not in result.out
    assert "destination" not in result.out


@pytest.fixture
def stuck(run: Run, tmp_path: Path) -> tuple[str, str]:
    """The file of one that is stuck in the end, and its stored counterexample."""
    file, stored = tmp_path / "stuck.py", tmp_path / "stuck.itf.json"
    file.write_text(SMALLEST.replace("return bool(state.m.done)", "return False"), encoding="utf-8")
    assert run("check", str(file), *SIZE, "--trace", str(stored)).code == Exit.DEADLOCK
    return str(file), str(stored)


def test_its_counterexample_is_told_again(run: Run, stuck: tuple[str, str]) -> None:
    told = run("trace", stuck[1], stuck[0])
    assert told.code == 0
    assert "it is done: no → yes" in told.out
    assert "After step 1 no thread can move" in told.out
    assert "source" not in told.out
    assert "destination" not in told.out


def test_its_counterexample_is_not_told_where_its_file_is_not_given(run: Run, stuck: tuple[str, str]) -> None:
    file, stored = stuck
    assert f"a file that is not run because a trace names it: give {file}:C, too" in refused(run, "trace", stored)


def test_no_engine_is_driven_along_its_counterexample(run: Run, stuck: tuple[str, str]) -> None:
    assert refused(run, "replay", stuck[1], stuck[0]) == (
        "postcopy: C is not derived from Postcopy, so no engine can be driven along its runs: the engine is one of the "
        "document's protocol\n"
    )


def test_conform_says_what_it_takes_instead_of_it(run: Run, stuck: tuple[str, str]) -> None:
    file, stored = stuck
    for target in (file, f"{file}:C"):
        said = refused(run, "conform", target)
        assert f"{target} is a protocol, and conform takes a LOG of the engine (postcopy run with --log)" in said
        assert "against the document's protocol and no other" in said
    assert f"{stored} is a stored run, and conform takes a LOG of the engine: postcopy replay" in refused(
        run, "conform", stored
    )


def test_only_its_own_properties_are_asked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "nothing.py"
    file.write_text(SMALLEST, encoding="utf-8")
    record = json.loads(run("check", str(file), *SIZE, "--json").out)
    assert [each["name"] for each in record["properties"]] == ["no-deadlock"]
