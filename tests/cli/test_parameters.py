"""Options as records: sizes, choices, contradictions, and the order of arguments."""

from __future__ import annotations

import ast
import importlib
import resource
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer

from postcopy.api.check_settings import CONTRADICTIONS, CheckSettings
from postcopy.api.memory import PROGRAM
from postcopy.api.sizes import size_of
from postcopy.cli import memory
from postcopy.cli.commands import COMMANDS
from postcopy.cli.parameters import choice
from postcopy.cli.taking import takes
from postcopy.errors import UsageError
from postcopy.explorer.results import Engine as Driver
from tests.cli.conftest import Run, refused

CLI = Path(__file__).parents[2] / "src" / "postcopy" / "cli"
PLAIN = CheckSettings()
CONTRADICTING = (
    replace(PLAIN, count=0),
    replace(PLAIN, count=2, all_properties=True),
    replace(PLAIN, checkpoint=Path("a"), resume=Path("b")),
    replace(PLAIN, resume=Path("a"), engine=Driver.INTERPRETED),
    replace(PLAIN, disk=Path(), cluster=2),
    replace(PLAIN, small_table=True, disk=Path()),
    replace(PLAIN, small_table=True, engine=Driver.INTERPRETED),
    replace(PLAIN, cluster=2, workers=2),
    replace(PLAIN, cluster=2, engine=Driver.INTERPRETED),
    replace(PLAIN, disk=Path("no", "such", "directory")),
    replace(PLAIN, workers=2, engine=Driver.INTERPRETED),
    replace(PLAIN, workers=65),
    replace(PLAIN, cluster=5000),
    replace(PLAIN, seconds=0.0),
    replace(PLAIN, checkpoint_every=-1.0),
)
"""For each contradiction in the table an example that it catches first."""


@pytest.mark.parametrize("number", range(len(CONTRADICTIONS)))
def test_each_contradiction_catches_what_no_earlier_one_does(number: int) -> None:
    caught = [why for contradicts, why in CONTRADICTIONS if contradicts(CONTRADICTING[number])]
    assert caught[:1] == [CONTRADICTIONS[number][1]]


def test_options_that_are_left_alone_contradict_nothing() -> None:
    assert len(CONTRADICTING) == len(CONTRADICTIONS)
    assert not any(contradicts(PLAIN) for contradicts, _ in CONTRADICTIONS)


def read_in(path: Path) -> set[str]:
    """The names of attributes that are read in a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def records() -> Iterator[tuple[str, type]]:
    """The records of options that the commands declare, with the files that declare them."""
    for path in sorted(CLI.glob("*.py")):
        module = importlib.import_module(f"postcopy.cli.{path.stem}")
        for kind in vars(module).values():
            if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__:
                yield path.stem, kind


@pytest.mark.parametrize(("file", "record"), list(records()), ids=lambda given: getattr(given, "__name__", given))
def test_every_option_is_read(file: str, record: type) -> None:
    shared = read_in(CLI / "selection.py") | read_in(CLI / "confirming.py")
    read = read_in(CLI / f"{file}.py") | shared
    assert [option.name for option in fields(record) if option.name not in read] == []


@pytest.mark.parametrize(
    ("text", "size"), [("1M", 1 << 20), ("4g", 4 << 30), ("16T", 16 << 40), ("2MiB", 2 << 20), ("1048576", 1 << 20)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text, "max_memory", "1M", "16T") == size


@pytest.mark.parametrize("text", ["", "M", "1X", "1.5G", "-1M", "1K", "17T", "9" * 30, "१M"])
def test_what_is_no_size_or_out_of_range(text: str) -> None:
    with pytest.raises(UsageError, match=r"max_memory=.*: a size from 1M to 16T"):
        size_of(text, "max_memory", "1M", "16T")


def test_a_size_may_have_to_be_a_multiple() -> None:
    assert size_of("64K", "size", "64K", "64G", 4096) == 65536
    with pytest.raises(UsageError, match="a multiple of 4096 bytes"):
        size_of("65537", "size", "64K", "64G", 4096)


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, kw_only=True)
class Base:
    """Options that another record inherits."""

    target: Annotated[str | None, typer.Argument()] = None


@dataclass(frozen=True, kw_only=True)
class Painting(Base):
    """A record with a required argument behind an optional one."""

    colour: Annotated[Colour, choice(Colour, "colour", help="the colour")]
    seen: Annotated[list[str] | None, typer.Option("--seen")] = None


def test_required_arguments_come_first_and_a_choice_is_a_member() -> None:
    taken = []

    @takes(Painting)
    def paint(asked: Painting) -> int:
        """Paint."""
        taken.append(asked)
        return 3

    app = typer.Typer(add_completion=False)
    app.command()(paint)
    assert app(["green", "wall", "--seen", "a", "--seen", "b"], standalone_mode=False) == 3
    assert taken == [Painting(colour=Colour.GREEN, target="wall", seen=["a", "b"])]
    with pytest.raises(UsageError, match="there is no colour gren; did you mean green"):
        app(["gren"], standalone_mode=False)


def test_every_command_has_a_module_and_a_help_of_its_own(run: Run) -> None:
    assert all((CLI / f"{entry.name}.py").exists() for entry in COMMANDS)
    for entry in COMMANDS:
        said = " ".join(run(entry.name, "--help").out.split())
        assert entry.help.split(",")[0].split(":")[0] in said
    assert "No such command 'chekc'. Did you mean 'check'?" in refused(run, "chekc")


def test_states_take_no_more_than_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {resource.RLIM_INFINITY: 4 << 30, 8 << 30: 4 << 30, 2 << 30: (2 << 30) - PROGRAM, 1 << 20: 1 << 20}
    for limit, states in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert memory.memory_for_states("4G") == states
        said = f"postcopy: states may take {states >> 20:,} MiB and not 4,096: the system allows no more (ulimit -v)\n"
        assert capsys.readouterr().err == (said if states < 4 << 30 else "")
    with pytest.raises(UsageError, match=r"may have 1 MiB of memory \(ulimit -v\), and needs 1,024 at least"):
        memory.require_memory()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 30, 1 << 30))
    memory.require_memory()
