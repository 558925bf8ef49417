"""Where a counterexample goes wrong in an author's text: the file and line of the guard that let the step pass."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from textwrap import dedent
from types import FunctionType
from typing import NamedTuple

from postcopy.language.concrete import Transition
from postcopy.language.protocol import Protocol
from postcopy.language.python_values import plain_function
from postcopy.language.trace import Trace

_PACKAGE = Path(__file__).parents[1]


class Place(NamedTuple):
    """A line of a file; no file where there is none."""

    file: str = ""
    line: int = 0


def guard_of(run: Trace) -> Place:
    """The guard of the last step whose action stands in a user's own file; of the last step, if none does; the
    protocol's class, if there is no step."""
    functions = [function for step in run.steps if (function := _action(run, step)) is not None]
    own = [f for f in functions if _PACKAGE not in Path(f.__code__.co_filename).resolve().parents]
    chosen = own or functions
    return _guard(chosen[-1]) if chosen else class_of(run.instance.protocol)


def class_of(protocol: type[Protocol]) -> Place:
    """Where a protocol is defined."""
    try:
        return Place(inspect.getsourcefile(protocol) or "", inspect.getsourcelines(protocol)[1])
    except (OSError, TypeError):
        return Place()


def _action(run: Trace, step: Transition) -> FunctionType | None:
    machine = (run.instance.machines | run.instance.ghosts).get(step.action.machine)
    return plain_function(getattr(machine, step.action.method, None))


def _guard(function: FunctionType) -> Place:
    """The last `require` of an action, or the line of its ``def``, where it has none of its own."""
    code = function.__code__
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return Place(code.co_filename, code.co_firstlineno)
    guards = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "require"
    ]
    begins = next((node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), 1)
    return Place(code.co_filename, first + (max(guards) if guards else begins) - 1)
