"""Random runs of a protocol."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from postcopy.language.concrete import successors
from postcopy.language.instance import Instance, State

MISHAPS = re.compile("dies|cancels|loses|gives_up|to_finish_in_precopy")
"""What ends a run early: taken now and then only."""


def walk(instance: Instance, runs: int, steps: int, seed: int) -> Iterator[State]:
    """The states of some random runs."""
    choose = random.Random(seed)
    for _ in range(runs):
        state = choose.choice(instance.initial_states())
        for _ in range(steps):
            yield state
            found = list(successors(instance, state))
            calm = [step for step in found if not MISHAPS.search(step.action.name) and step.state != state]
            if not found:
                break
            state = choose.choice(calm if calm and choose.random() < 0.97 else found).state
