"""Rows of results in a JSON file: those of real QEMUs, which are measured here and there, and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)


def kept_rows(file: Path, kind: type[Row]) -> list[Row]:
    """The rows of a file; none where there is no file.

    Args:
        file: where they are.
        kind: what a row is.
    """
    rows: list[Row] = msgspec.json.decode(file.read_bytes(), type=list[kind]) if file.exists() else []  # type: ignore[valid-type]
    return rows


def keep_row(file: Path, new: Row, place: Callable[[Row], Any]) -> None:
    """Put a row into a file, in the place of an older one.

    Args:
        file: where the rows are.
        new: the row.
        place: what rows are ordered by; two with the same are of the same.
    """
    rows = [each for each in kept_rows(file, type(new)) if place(each) != place(new)]
    rows = sorted([*rows, new], key=place)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
