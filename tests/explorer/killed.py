"""A search that is kept on disk as it goes, and dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.explorer.explore import Exploration


class Killed(Exception):
    """Ends a search in the middle, as if its process had died."""


def killed(made: Exploration, directory: Path, slices: int) -> Exploration:
    """Let a search die after so many slices, kept after each but the last."""
    made.keep(directory, 0)
    left = [slices]

    def report(_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    made._report = report
    with pytest.raises(Killed):
        made.run()
    return made
