"""Why mutants that no check notices need not be noticed: by hand, by the names of the mutants."""

from __future__ import annotations

import json
from pathlib import Path

REASONS: dict[str, str] = json.loads(Path(__file__).with_name("reasons.json").read_text(encoding="utf-8"))
"""The reasons, from `reasons.json`."""
