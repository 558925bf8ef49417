"""The files of docs/recipes.md: each is a Python block after the words that say its name."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/recipes.md"
_FILE = re.compile(r"Save this as `(\w+\.py)`[^`]*?```python\n(.*?)```", re.DOTALL)


def recipes() -> dict[str, str]:
    """The text of each file, by its name."""
    return dict(_FILE.findall(PAGE.read_text(encoding="utf-8")))


def save(directory: Path) -> None:
    """Write all files to a directory."""
    for name, text in recipes().items():
        (directory / name).write_text(text, encoding="utf-8")
