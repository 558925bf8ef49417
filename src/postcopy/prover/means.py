"""With what a proof is made: processes, kept answers, random choices."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from postcopy.cache import Cache


@dataclass(frozen=True)
class Means:
    """With what a proof is made.

    Attributes:
        seed: of z3's random choices.
        workers: how many processes ask z3. 0: this one does, and Ctrl-C has to wait for z3.
        cache: where answers are kept. What is found there is not asked again; None: everything is asked.
        expect: called with the number of obligations before they are asked.
    """

    seed: int = 0
    workers: int = 0
    cache: Cache | None = None
    expect: Callable[[int], None] = lambda _: None


HERE = Means()
"""This process, and nothing that is kept."""


def cores() -> int:
    """How many processes can work at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
