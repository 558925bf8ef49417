"""The tutorial in a notebook and in pytest: both run, and print what is kept."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from documentation.notebook import NOTEBOOK, executed, kept, printed

ROOT = Path(__file__).parents[2]
LARGEST = 40_000
"""Bytes that the notebook may have: texts alone."""


def code(notebook: object) -> list[str]:
    """The text of each cell with code."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of packages of notebooks
def test_the_notebook_runs_and_prints_what_is_kept() -> None:
    stored = nbformat.read(NOTEBOOK, as_version=4)
    run = executed()
    assert printed(run) == printed(stored), "out of date: python -m documentation.notebook"
    shown = [output.data for cell in run.cells for output in cell.get("outputs", ()) if "data" in output]
    assert [sorted(data) for data in shown] == [["text/html", "text/plain"]]
    assert "<iframe" in shown[0]["text/html"]
    assert "type=&quot;range&quot;" in shown[0]["text/html"]


def test_the_notebook_is_small_and_keeps_texts_alone() -> None:
    assert NOTEBOOK.stat().st_size < LARGEST
    stored = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(stored)
    assert stored == kept(nbformat.read(NOTEBOOK, as_version=4))
    assert "\x1b" not in "".join(printed(stored))


def test_a_page_in_an_output_is_left_out() -> None:
    cell = nbformat.v4.new_code_cell("x", outputs=[])
    data = {"text/plain": "<x>", "text/html": "<iframe>" * 1000}
    cell.outputs.append(nbformat.v4.new_output("execute_result", data=data, execution_count=1))
    cell.execution_count = 1
    assert printed(kept(nbformat.v4.new_notebook(cells=[cell]))) == ["<x>"]
    assert cell.outputs[0].data == {"text/plain": "<x>"}


def test_notebook_tests_and_tutorial_have_the_same_classes() -> None:
    """But for names: what the page replaces in one file has two names where both are kept."""
    of_notebook = ast.parse("\n".join(code(nbformat.read(NOTEBOOK, as_version=4))))
    of_tests = ast.parse((ROOT / "examples/lazy_source.py").read_text(encoding="utf-8"))
    page = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    classes = [
        {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.ClassDef)}
        for tree in (of_notebook, of_tests, ast.parse(page.replace("class MyChange", "class Patient")))
    ]
    assert classes[0] == classes[1]
    assert set(classes[0]) == {"Lazy", "Patient"}
    assert classes[2]["Patient"] == classes[0]["Patient"]


@pytest.mark.slow
def test_the_tutorial_in_pytest_passes() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "test_lazy_source.py"]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
