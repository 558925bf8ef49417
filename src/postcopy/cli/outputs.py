"""Files that commands write. A path is looked at before any work is done, and only an earlier result is replaced."""

from __future__ import annotations

import os
from pathlib import Path

from postcopy.errors import UsageError

BEGINS: dict[str, str | tuple[str, ...]] = {
    ".md": "# Counterexample to",
    ".mmd": "sequenceDiagram",
    ".svg": ("<svg ", "<?xml "),
    ".json": '{\n "#meta"',
    ".html": "<!DOCTYPE html>",
    ".dot": "digraph ",
    ".graphml": "<graphml ",
    ".tla": "-----",
    ".cfg": "SPECIFICATION Spec\n",
    ".jsonl": '{"type":"postcopy-log"',
}
"""How a file begins that a command of this package writes, by the ending of its name."""

EXPORTS = ("/* ", "-----", "des (")
"""How an export begins, whatever its file is called."""


def check(path: Path, begins: str | tuple[str, ...] | None = None, *, option: str = "") -> None:
    """Refuse what could not be written in the end, before a long search begins.

    Args:
        path: where something will be written.
        begins: how an earlier result begins; None for what its ending says. Anything else that is there is somebody's
            own work, and stays.
        option: the option that named it, for the message.

    Raises:
        UsageError: it is a directory, or in none, or cannot be written, or holds something else.
    """
    name = f"{option} {path}".strip()
    if path.is_dir():
        raise UsageError(f"cannot write {name}: Is a directory")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {name}: there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"cannot write {name}: Permission denied")
    wanted = BEGINS[path.suffix] if begins is None else begins
    if path.is_file() and not _begins(path, (wanted,) if isinstance(wanted, str) else wanted):
        raise UsageError(f"{name} is there already, and postcopy has not written it: choose another name")


def _begins(path: Path, wanted: tuple[str, ...]) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    return not start or start.startswith(tuple(text.encode() for text in wanted))


def save(path: Path, text: str) -> None:
    """Write a text. Raises UsageError where that fails."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
