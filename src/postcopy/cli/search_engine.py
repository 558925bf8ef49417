"""Which driver searches, as `--engine` names it."""

from __future__ import annotations

from enum import StrEnum


class SearchEngine(StrEnum):
    """Which driver searches."""

    AUTO = "auto"
    COMPILED = "compiled"
    INTERPRETED = "interpreted"
