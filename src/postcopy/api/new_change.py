"""`new`: a starting point for a change of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from postcopy.api.asking import path_of, texts, unless_none
from postcopy.api.template import TEMPLATE
from postcopy.api.template_on import template_on
from postcopy.errors import UsageError


class NewChange(NamedTuple):
    """A file that was written.

    Attributes:
        path: the file.
        check: the command that checks it, at a size that is answered soon.
    """

    path: Path
    check: str


def new(file: str | Path, on: str | None = None) -> NewChange:
    """Write a commented starting point for a change of one's own.

    Args:
        file: where; the name ends in .py, and there is no such file yet.
        on: the protocol to change, by its name in the catalogue; None for the document's.

    Raises:
        UsageError: the name ends in something else, the file is there, or cannot be written; or there is no such
            protocol, or no class of it that a file can import.
    """
    path = path_of("file", file)
    unless_none(texts, on=on)
    if path.suffix != ".py":
        raise UsageError(f"{path}: the name has to end in .py")
    text, size = (TEMPLATE, "") if on is None else template_on(on)
    try:
        with path.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already: choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return NewChange(path, f"postcopy check {path}{size}")
