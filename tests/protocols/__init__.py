"""Tiny protocols, each in a file of its own: tests import it, or give its text to a command."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType


def text_of(protocol: ModuleType) -> str:
    """The text of the file of a protocol of this folder."""
    assert protocol.__file__ is not None
    return Path(protocol.__file__).read_text(encoding="utf-8")
