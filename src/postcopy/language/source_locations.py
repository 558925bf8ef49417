"""Where in an author's files something stands, for messages: ``file:line, in method``."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType

_LANGUAGE = str(Path(__file__).parent) + os.sep
_LIBRARY = str(Path(dataclasses.__file__).parent)


@lru_cache(maxsize=1024)
def place(code: CodeType, line: int) -> str:
    """``file:line, in method`` as messages have it; a comprehension counts as the method around it."""
    inside = code.co_qualname.split(".<locals>.<")[0].rpartition(".")[2]
    return f"{os.path.basename(code.co_filename)}:{line}" + (f", in {inside}" if inside != "<module>" else "")


def location(frame: FrameType | None, actor: str | None, traceback: TracebackType | None = None) -> str:
    """`place` of the innermost frame that is not this package's own machinery."""
    candidates: list[tuple[CodeType, int]] = []
    while frame is not None:
        candidates.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    while traceback is not None:
        candidates.insert(0, (traceback.tb_frame.f_code, traceback.tb_lineno))
        traceback = traceback.tb_next
    for code, line in candidates:
        if not foreign(code.co_filename):
            return place(code, line)
    return actor or "specification"


def of_class(cls: type, name: str | None = None) -> str:
    """``file:line, in Class`` of a class, or of one of its attributes (looked for in its bases, too)."""
    for base in cls.__mro__ if name is not None else (cls,):
        if name is None or name in vars(base):
            try:
                lines, first = inspect.getsourcelines(base)
            except (OSError, TypeError):
                return base.__name__
            pattern = re.compile(rf"\s+(def |class )?{name}\b\s*[(:=]") if name else re.compile(r"\s*class ")
            line = next((n for n, text in enumerate(lines, first) if pattern.match(text)), first)
            file = (inspect.getsourcefile(base) or base.__module__).replace("\\", "/").rsplit("/", 1)[-1]
            return f"{file}:{line}, in {base.__name__}"
    return cls.__name__


def is_machinery(file: str) -> bool:
    """Whether a file belongs to the language: no error of a specification is reported at its lines."""
    return file.startswith(_LANGUAGE)


@cache
def foreign(file: str) -> bool:
    """Not written by an author of a specification: this package's machinery, or Python's own library."""
    library = file.startswith(_LIBRARY) and "site-packages" not in file
    return is_machinery(file) or file.startswith("<") or library
