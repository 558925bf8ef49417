"""Why mutants that no check notices need not be noticed: by hand, by the names of the mutants."""

from __future__ import annotations

import json
from pathlib import Path

REASONS: dict[str, str] = json.loads(Path(__file__).with_name("reasons.json").read_text(encoding="utf-8"))
"""The reasons, from `reasons.json`."""

OPEN: list[str] = json.loads(Path(__file__).with_name("open.json").read_text(encoding="utf-8"))
"""Mutants that survive although something should notice them: a property or a fault is still missing."""
