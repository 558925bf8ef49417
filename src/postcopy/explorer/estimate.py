"""How many states a search will have in all, from how its levels have grown so far.

A level has the states that are first reached after so many steps. Levels grow, and later they shrink; in between they
may shrink and grow again, where one phase of a protocol ends and another begins. So while levels grow, only a number
can be said below which it will not stay; when they shrink, a range, by three fits of the logarithms of the last ratios.
Both are guesses. docs/performance.md has how far they were from the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_LEVELS = 14
"""With fewer levels, or fewer states, nothing is said."""

LEAST_STATES = 10_000

WINDOWS = (5, 8, 12)
"""Over how many of the last ratios lines are fitted."""

_GROWING = 0.03
"""Mean logarithm of the last ratios from which on levels grow."""

_AT_LEAST = 1.5
"""While levels grow, there will be so many times the states that there are: more than a third is still to come."""

_LOWER, _UPPER, _MARGIN = 0.7, 1.5, 0.03
"""By what the lowest and the highest guess of what is to come are stretched, and the least share of what there is that
a range is wide."""

_FAR = 3.0
"""Where the fits differ by more than this factor, no upper end is given."""


@dataclass(frozen=True)
class Estimate:
    """How many states there will be.

    Attributes:
        least: at least so many.
        most: at most so many; None where nothing can be said.
    """

    least: int
    most: int | None


def estimate(levels: Sequence[int]) -> Estimate | None:
    """Guess how many states there will be.

    Args:
        levels: how many states there are after at most 0, 1, 2, … steps.

    Returns:
        The guess, or None where it is too early.
    """
    if len(levels) < LEAST_LEVELS or levels[-1] < LEAST_STATES:
        return None
    sizes = [after - before for before, after in pairwise(levels)]
    ratios = [math.log(after / before) for before, after in pairwise(sizes) if before and after]
    seen, last = levels[-1], sizes[-1]
    if len(ratios) < max(WINDOWS):
        return None
    if sum(ratios[-4:]) / 4 > _GROWING:
        return Estimate(int(_AT_LEAST * seen), None)
    guesses = [_to_come(last, ratios[-window:]) for window in WINDOWS]
    known = [guess for guess in guesses if guess is not None]
    if len(known) < len(WINDOWS) or max(known) > _FAR * max(min(known), _MARGIN * seen):
        return Estimate(seen + last // 2, None)
    if max(known) < _MARGIN * seen:
        return Estimate(seen, int(seen + _MARGIN * seen))
    return Estimate(int(seen + _LOWER * min(known)), int(seen + max(_UPPER * max(known), _MARGIN * seen)))


def _to_come(last: int, ratios: Sequence[float]) -> float | None:
    """The states of all levels behind the last one, if the logarithms of ratios go on along a line; None where these do
    not fall, or not enough for an end."""
    middle, mean = (len(ratios) - 1) / 2, sum(ratios) / len(ratios)
    spread = sum((i - middle) ** 2 for i in range(len(ratios)))
    slope = sum((i - middle) * (ratio - mean) for i, ratio in enumerate(ratios)) / spread
    ratio = mean + slope * middle
    slope = min(slope, 0.0)
    if ratio > -0.02 and slope == 0.0:
        return None
    size, total = float(last), 0.0
    for _ in range(1000):
        ratio += slope
        size *= math.exp(ratio)
        total += size
        if size < 1:
            return total
    return None
