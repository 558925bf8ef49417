"""A protocol from nothing goes through every command by its file's name, and is asked nothing of the document's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

SMALLEST = '''"""The smallest protocol from nothing."""

from postcopy.language import Flag, Machine, Protocol, Thread, View, action, require


class M(Machine):
    """One flag."""

    t = Thread("t")
    done = Flag("it is done")

    @action(t)
    def does(self) -> None:
        """does it"""
        require(not self.done)
        self.done = True


class C(Protocol):
    """Does it."""

    m = M

    @staticmethod
    def may_rest(state: View) -> bool:
        """Done."""
        return bool(state.m.done)
'''
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


def test_only_its_own_properties_are_asked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "nothing.py"
    file.write_text(SMALLEST, encoding="utf-8")
    record = json.loads(run("check", str(file), *SIZE, "--json").out)
    assert [each["name"] for each in record["properties"]] == ["no-deadlock"]
