"""Prints the lowest versions that pyproject.toml allows, as `pip install` takes them: ``typer==0.28 rich==13.8 ...``.

`make lowest` installs them in an environment of their own and tries the commands with them. A floor that does not work
is raised.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest(requirements: list[str]) -> list[str]:
    """Each requirement with its floor as the only version.

    Raises:
        ValueError: a requirement has no floor.
    """
    pinned = []
    for requirement in requirements:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement)
        if match is None:
            raise ValueError(f"{requirement}: write NAME>=VERSION")
        pinned.append(f"{match[1]}=={match[2]}")
    return pinned


if __name__ == "__main__":
    print(" ".join(lowest(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"])))
