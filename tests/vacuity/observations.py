"""Mutants of the model: each drops one `self.observe(...)`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import pytest

from postcopy.language import NONE, Machine, PageSet
from postcopy.language.values import Whole
from postcopy.model import destination, source


class Site(NamedTuple):
    """A line of the model that observes something."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{Path(self.file).stem}:{self.text}"


def sites() -> list[Site]:
    """Every `self.observe(...)` of the two hosts, with the number of those before it that read alike."""
    found: list[Site] = []
    for module in (source, destination):
        file = inspect.getfile(module)
        for function in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(function, ast.FunctionDef):
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                found += [
                    Site(file, call.lineno, f"{function.name}:{ast.unparse(call.args[0])}")
                    for call in calls
                    if ast.unparse(call.func) == "self.observe"
                ]
    return found


@contextmanager
def without(site: Site, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """For a while, nothing is observed at this line."""
    observe = Machine.observe

    def forgetful(self: Machine, what: Enum, pages: PageSet | Whole = NONE) -> None:
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        if caller is None or (caller.f_code.co_filename, caller.f_lineno) != (site.file, site.line):
            observe(self, what, pages)

    with patch.context() as patched:
        patched.setattr(Machine, "observe", forgetful)
        yield
