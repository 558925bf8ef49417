"""Fixtures of several files."""

from __future__ import annotations

from tests.engine.certificates import certificates

__all__ = ["certificates"]
