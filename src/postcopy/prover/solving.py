"""How z3 is called, and which of its answers count as a proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import reduce
from typing import Any

import z3

QUICK, NARROW, WIDE = 1_000_000, 20_000_000, 80_000_000
"""How much z3 may work on a question, in its own units (some two million a second): unlike seconds, these do not
depend on what else the machine does."""

EXACT = 100_000_000
"""The same for a question at a size, where nothing is left out."""


class Status(Enum):
    """What z3 has said of an obligation."""

    PROVED = auto()
    OPEN = auto()
    """z3 has found what looks like a counterexample."""
    UNKNOWN = auto()
    """z3 has given up: too much work."""


def z3_solver(seed: int, work: int) -> Any:
    """A solver that instantiates quantifiers by matching only, with fixed random choices and bounded work.

    It leaves Ctrl-C to Python: z3 would take it for its own and answer "unknown".
    """
    solver = z3.SimpleSolver()
    options = {"auto_config": False, "mbqi": False, "random_seed": seed, "rlimit": work, "ctrl_c": False}
    for option, value in options.items():
        solver.set(option, value)
    return solver


def status_of(solver: Any, assumptions: Sequence[Any] = ()) -> Status:
    """Whether z3 refutes its assertions under the assumptions. Nothing but "unsat" counts as proved."""
    answer = solver.check(*assumptions)
    if answer == z3.unsat:
        return Status.PROVED
    return Status.OPEN if answer == z3.sat or "incomplete" in solver.reason_unknown() else Status.UNKNOWN


def worse(a: Status, b: Status) -> Status:
    """A counterexample says more than giving up, and both say more than a proof."""
    return next((s for s in (Status.OPEN, Status.UNKNOWN) if s in (a, b)), Status.PROVED)


def worst(found: Iterable[Status]) -> Status:
    """The worst of several answers."""
    return reduce(worse, found, Status.PROVED)
