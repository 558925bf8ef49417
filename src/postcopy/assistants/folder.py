"""The folder that an assistant works in: which of its texts name files, and that these lie in it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from postcopy.catalogue.options import is_term
from postcopy.catalogue.tables import BY_NAME
from postcopy.errors import UsageError


def inside(folder: Path, name: str) -> Path:
    """The file of a name, with symbolic links followed.

    Args:
        folder: the folder, with symbolic links followed.
        name: the name, from the folder.

    Raises:
        UsageError: it is absolute, or leads out of the folder.
    """
    if "\0" in name or Path(name).is_absolute():
        raise UsageError(f"{name!r} is refused: name files from the folder {folder}, such as change.py")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise UsageError(f"{name!r} is refused: it leads out of the folder {folder}; copy the file into it")
    return path


def protocol_inside(folder: Path, text: str) -> str:
    """A protocol's text in which each file is named in full: names of the catalogue, files in the folder, and options,
    with ``+`` between them.

    Args:
        folder: the folder, with symbolic links followed.
        text: the text, as the assistant writes it.

    Raises:
        UsageError: a file leads out of the folder, or has a ``+`` in its name.
    """
    parts = text.split("+")
    for begin, end in combinations(range(len(parts) + 1), 2):
        *names, last = parts[begin:end]
        joined = "+".join((*names, last.partition(":")[0]))
        if names and ":" not in "".join(names) and "\0" not in joined and (folder / joined).exists():
            raise UsageError(f"{joined!r} is refused: a file is named without + here; rename it")
    return "+".join(_part(folder, part) for part in parts)


def _part(folder: Path, part: str) -> str:
    if part in BY_NAME or is_term(part):
        return part
    file, colon, name = part.partition(":")
    if not (Path(file).suffix or "/" in file or "\0" in file or (folder / file).exists()):
        return part  # a name that there is not: the catalogue says what was meant
    return f"{inside(folder, file)}{colon}{name}"
