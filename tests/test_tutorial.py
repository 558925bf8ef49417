"""Every command of the tutorials does what they say, in their order, and prints what they quote."""

import re
import shlex
from pathlib import Path

import pytest

from postcopy.cli.main import main

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("quickstart.md", "tutorial.md", "tutorial-qemu.md")
BLOCK = re.compile(r"```(sh|python|text)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`(\w+\.py)`")
NOT_RUN = re.compile(r"<!-- not run: [^>]+ -->\n+```.*?```", re.DOTALL)
CODES = {"holds": 0, "violated": 12, "deadlock": 11, "": 0}
INSTALLATION = "pip install -e ."
"""What continuous integration runs itself."""


def run_through(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Do all that a page says: save its files, run its commands, and look for what it quotes in what they print.

    A program replaces the file that was named last before it.

    Returns:
        The output of each command.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    printed: dict[str, str] = {}
    for block in BLOCK.finditer(NOT_RUN.sub("", text)):
        kind, content = block.groups()
        if kind == "python":
            (folder / FILE.findall(text[: block.start()])[-1]).write_text(content, encoding="utf-8")
        elif kind == "text":
            said = [line.rstrip() for output in printed.values() for line in output.splitlines()]
            assert set(content.splitlines()) <= set(said)
        else:
            printed |= run_commands(content, capsys)
    return printed


def run_commands(lines: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Run the commands of a block, each of which ends with the code of the verdict that stands behind it."""
    printed = {}
    for line in lines.splitlines():
        command, _, answer = (part.strip() for part in line.partition("#"))
        if command == INSTALLATION:
            continue
        with pytest.raises(SystemExit) as done:
            main(shlex.split(command)[1:])
        captured = capsys.readouterr()
        assert (done.value.code or 0) == CODES[answer], (command, captured.err)
        printed[command] = captured.out
    return printed


@pytest.mark.slow(first=True)
def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    printed = run_through("tutorial.md", tmp_path, capsys)
    assert not any("never taken" in output or "not reachable" in output for output in printed.values())
    diff = printed["postcopy diff Postcopy my_change.py"]
    assert "my_change.py:MyChange does nothing that Postcopy cannot do" in diff
    assert "Postcopy does nothing that my_change.py:MyChange cannot do" in diff
    assert (tmp_path / "lazy.svg").read_text().startswith("<svg")
    assert "Counterexample to" in (tmp_path / "lazy.html").read_text()
    assert {command.split()[1] for command in printed} >= {"check", "new", "diff", "trace"}


@pytest.mark.slow
def test_the_quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    printed = run_through("quickstart.md", tmp_path, capsys)
    assert {command.split()[1] for command in printed} == {"check", "new", "diff", "prove"}
    assert "The device load reads no stale page" in printed["postcopy check --fault no-discards --report page.html"]
    assert "Counterexample to" in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_the_tutorial_for_a_patch_to_qemu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = run_through("tutorial-qemu.md", tmp_path, capsys)
    assert {command.split()[1] for command in printed} == {"check", "new", "trace"}
    assert "no thread can move" in next(output for command, output in printed.items() if "patch.py+" in command)
    assert (tmp_path / "blocked.svg").read_text().startswith("<svg")
