"""The engine is an implementation of its own: it imports nothing of the model that it is held against.

It shares the errors, which name settings as their readers write them, the reading of a user's files, and the arithmetic
of bitmaps: what to discard is written once and proved for every bitmap, for the model and the engine alike. A program
that the engine starts counts as the engine.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "src" / "postcopy" / "engine"
SHARED = {"postcopy.bitmaps", "postcopy.errors", "postcopy.input_files", "postcopy.surface"}


def test_the_engine_imports_neither_model_nor_explorer() -> None:
    program = (
        "import pkgutil, importlib, sys, postcopy.engine as e\n"
        "[importlib.import_module(f'postcopy.engine.{m.name}') for m in pkgutil.iter_modules(e.__path__)]\n"
        "print(sorted(m for m in sys.modules if m.startswith('postcopy.') and not m.startswith('postcopy.engine')))"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert found.strip() == str(sorted(SHARED))


def started_in(text: str) -> Iterator[str]:
    """The modules of this package that a file names in the programs that it starts: after ``-m``, or within ``-c``.

    Each list is looked through, whatever call it is passed to: a command may be put together before it is run. A
    program or a module that is not written there as a literal cannot be looked at, and is an error.
    """
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.List | ast.Tuple):
            continue
        for flag, program in zip(node.elts, node.elts[1:], strict=False):
            if not (isinstance(flag, ast.Constant) and flag.value in ("-c", "-m")):
                continue
            assert isinstance(program, ast.Constant), f"{ast.unparse(program)} is no literal"
            if flag.value == "-m":
                yield str(program.value)
            else:
                yield from imported_in(str(program.value))


def imported_in(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def beyond_the_engine(modules: Iterator[str]) -> set[str]:
    ours = {name for name in modules if name.split(".")[0] == "postcopy"}
    return {name for name in ours if not f"{name}.".startswith("postcopy.engine.")} - SHARED


@pytest.mark.parametrize("path", sorted(ENGINE.glob("*.py")), ids=lambda path: path.stem)
def test_the_engine_starts_no_program_beyond_itself(path: Path) -> None:
    text = path.read_text()
    assert not beyond_the_engine(started_in(text))
    assert not beyond_the_engine(imported_in(text)), "an import within a function is one too"


def test_programs_beyond_the_engine_are_found() -> None:
    whole = 'subprocess.Popen([sys.executable, "-c", "from postcopy.cli.main import main; main()", *arguments])'
    module = 'command = ["python", "-m", "postcopy", "run"]'
    assert beyond_the_engine(started_in(whole)) == {"postcopy.cli.main"}
    assert beyond_the_engine(started_in(module)) == {"postcopy"}
    with pytest.raises(AssertionError, match="name is no literal"):
        list(started_in('["python", "-m", name]'))


def test_the_programs_that_the_engine_starts_are_found() -> None:
    found = {name for path in ENGINE.glob("*.py") for name in started_in(path.read_text())}
    assert found == {f"postcopy.engine.{name}" for name in ("guest", "destination_process", "background_process")}
