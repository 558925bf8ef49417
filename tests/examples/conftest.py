"""The examples by name, and the command line run in their repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.language import Protocol
from tests.cli.conftest import run

__all__ = ["ROOT", "example", "run"]

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def example(target: str) -> type[Protocol]:
    """A protocol of a file of `examples/`, e.g. ``two_phase_commit.py``."""
    return load(str(ROOT / "examples" / target))[1]
