"""Every command of the tutorial does what the tutorial says, in its order."""

import re
import shlex
from pathlib import Path

import pytest

from postcopy.cli.main import main

TUTORIAL = (Path(__file__).parents[1] / "docs/tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
CODES = {"holds": 0, "violated": 12, "deadlock": 11, "": 0}
INSTALLATION = "pip install -e ."
"""What continuous integration runs itself."""


@pytest.mark.slow(first=True)
def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for kind, text in BLOCK.findall(TUTORIAL):
        if kind == "python":
            assert (tmp_path / "my_change.py").exists()
            (tmp_path / "my_change.py").write_text(text, encoding="utf-8")
            continue
        for line in text.splitlines():
            command, _, answer = (part.strip() for part in line.partition("#"))
            if command == INSTALLATION:
                continue
            with pytest.raises(SystemExit) as done:
                main(shlex.split(command)[1:])
            printed = capsys.readouterr()
            assert (done.value.code or 0) == CODES[answer], (command, printed.err)
            assert "never taken" not in printed.out
            assert "not reachable" not in printed.out
            ran.append(command)
            if command == "postcopy diff Postcopy my_change.py":
                assert "my_change.py:MyChange does nothing that Postcopy cannot do" in printed.out
                assert "Postcopy does nothing that my_change.py:MyChange cannot do" in printed.out
    assert (tmp_path / "lazy.svg").read_text().startswith("<svg")
    assert "Counterexample to" in (tmp_path / "lazy.html").read_text()
    assert {line.split()[1] for line in ran} >= {"check", "new", "diff", "trace"}
    assert "postcopy diff Postcopy my_change.py" in ran
