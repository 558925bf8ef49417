"""One line for a Python error that a user's file raises while it is imported: what is missing, and what was meant."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from types import FrameType, ModuleType, TracebackType

from postcopy.language import Machine
from postcopy.language.threads import declared_threads
from postcopy.suggestions import did_you_mean

DOOR = "postcopy.language"
"""The module that has all that a user's file needs of the language."""

_CANNOT_EXTEND = re.compile(r"<enum '(\w+)'> cannot extend <enum '(\w+)'>")
"""What Python says of a subclass of an enumeration that has members."""

MOVED = frozenset(("postcopy.model.language", "postcopy.properties.language", "postcopy.language.declaring"))
"""Modules of earlier versions whose names `DOOR` has now."""


def explain(error: BaseException, source: str, file: str) -> str:
    """``line 3: ...``: an error that a file raised while it was run, in one line.

    Args:
        error: what was raised.
        source: the file's text.
        file: the name under which it was compiled.
    """
    frame, line = _innermost(error.__traceback__, file)
    if isinstance(error, ImportError):
        text = _missing_import(error, source, line)
    elif isinstance(error, NameError) and frame is not None:
        text = f"{error}{_meant_by(error.name or '', frame)}"
    elif isinstance(error, AttributeError) and isinstance(error.obj, type | ModuleType):
        text = f"{error.obj.__name__} has no attribute {error.name}{did_you_mean(error.name or '', dir(error.obj))}"
    elif isinstance(error, TypeError) and (names := _CANNOT_EXTEND.search(str(error))):
        more, base = names.groups()
        text = (
            f"class {more}({base}) would add members to an enumeration, which Python does not allow: write a second "
            f"enumeration, class {more}(Enum), and phase = Machine.phase.extended({more}, after=...) in the machine"
        )
    else:
        text = in_words(error)
    return f"line {line}: {text}" if line else text


def in_words(error: BaseException) -> str:
    """The kind of an error and what it says of itself, which the error's own class may be too broken to say."""
    try:
        said = str(error)
    except Exception:
        said = "it cannot say what is wrong, because its own __str__ fails"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _innermost(traceback: TracebackType | None, file: str) -> tuple[FrameType | None, int]:
    """The frame and the line of the file in which an error was raised, or no frame and 0."""
    frame, line = None, 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == file:
            frame, line = traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next
    return frame, line


def _missing_import(error: ImportError, source: str, line: int) -> str:
    module = error.name or ""
    if module in MOVED:
        names = ", ".join(_imported(source, module, line)) or "..."
        return f"there is no module {module} any more: write from {DOOR} import {names}"
    if isinstance(error, ModuleNotFoundError):
        return f"there is no module {module}"
    loaded = sys.modules.get(module)
    missing = [name for name in _imported(source, module, line) if not hasattr(loaded, name)]
    if loaded is None or not missing:
        return in_words(error)
    return f"{module} has no {missing[0]}{did_you_mean(missing[0], dir(loaded))}"


def _imported(source: str, module: str, line: int) -> list[str]:
    """The names that the import statement at a line takes from a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == module and node.lineno <= line <= (node.end_lineno or 0):
            return [name.name for name in node.names]
    return []


def _meant_by(name: str, frame: FrameType) -> str:
    """The end of a message about an undefined name: a thread of a base that goes by it, or the closest name in sight.

    A class body does not see the names of its bases: a subclass has to write ``Source.migration``.
    """
    for value in frame.f_globals.values():
        if isinstance(value, type) and issubclass(value, Machine) and name in declared_threads(value):
            return f"; did you mean {value.__name__}.{name}?"
    return did_you_mean(name, [*frame.f_locals, *frame.f_globals, *dir(builtins)])
