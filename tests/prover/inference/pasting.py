"""Text of found conjuncts, put into a file as a user would."""

from __future__ import annotations

import runpy
from pathlib import Path

from postcopy.language.properties import Property


def pasted(folder: Path, text: str, **there: object) -> dict[str, Property]:
    """The conjuncts of a text, by name.

    Args:
        folder: where the file is written.
        text: with its imports.
        there: what stands in the file already.
    """
    file = folder / "pasted.py"
    file.write_text(text, encoding="utf-8")
    found = runpy.run_path(str(file), init_globals=there)
    return {name: value for name, value in found.items() if isinstance(value, Property) and name not in there}
