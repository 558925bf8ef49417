"""docs/api.md: all Python on it runs, in its order, and prints what stands behind it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(.*?)```\s*(?:```text\n(.*?)```)?", re.DOTALL)


@pytest.mark.slow
def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == PAGE.count("```python")
    program = tmp_path / "page.py"  # a protocol's actions are read from a file
    program.write_text("\n".join(f"{code}\nprint('---')" for code, _ in blocks))
    names = {"__name__": "page", "__file__": str(program)}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program.read_text(), str(program), "exec"), names)
    said = printed.getvalue().split("---\n")
    assert [part.strip() for part in said[:-1]] == [expected.strip() for _, expected in blocks]
    assert "Counterexample to" in (tmp_path / "broken.html").read_text()
    assert (tmp_path / "broken.svg").read_text().startswith("<svg")
