"""The engine is an implementation of its own: it imports nothing of the model that it is held against.

It shares the errors of the command line, and the arithmetic of bitmaps: what to discard is written once and proved for
every bitmap, for the model and the engine alike.
"""

from __future__ import annotations

import subprocess
import sys


def test_the_engine_imports_neither_model_nor_explorer() -> None:
    program = (
        "import pkgutil, importlib, sys, postcopy.engine as e\n"
        "[importlib.import_module(f'postcopy.engine.{m.name}') for m in pkgutil.iter_modules(e.__path__)]\n"
        "print(sorted(m for m in sys.modules if m.startswith('postcopy.') and not m.startswith('postcopy.engine')))"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "['postcopy.bitmaps', 'postcopy.errors']"
