"""What Typer reads of a command line, and how it ends."""

import pytest
import typer

from postcopy.cli import app
from postcopy.cli.exits import Exit
from postcopy.version import __version__


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call(["--version"]) == 0
    assert capsys.readouterr().out == f"postcopy {__version__}\n"


def test_a_mistake_is_one_line_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.call(["check", "--pages", "many"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--pages" in said


def test_what_is_broken_off_ends_as_an_interrupt_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(*_: object, **__: object) -> None:
        raise typer.Abort

    monkeypatch.setattr(app, "app", broken_off)
    assert app.call(["check"]) == Exit.INTERRUPTED
