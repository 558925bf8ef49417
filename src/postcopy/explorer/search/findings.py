"""What a search is asked, what it finds, and what every driver of one can do.

Drivers visit the same states in the same order (level by level, in blocks of so many states, the successors of a block
by leaf, then by state, then by page) and know nothing of protocols.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from postcopy.errors import PostcopyError
from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.explorer.search.status import Status

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass
class Findings:
    """What a search has found so far.

    Attributes:
        status: how it stands.
        states: how many were stored.
        transitions: how many labelled steps were taken.
        depth: steps of the longest shortest path to a state seen.
        frontier: states still to be expanded.
        fired: for each leaf, how often it was taken.
        changed: for each leaf, how often that changed something.
        witnesses: bits of the witnesses reached.
        first: for each bit of a witness reached, the index of the first state that reaches it.
        at: index of the state in question (for STEP and WRONG: before the step).
        detail: for STATE the violated bits, for STEP and WRONG the step's label.
        after: for STEP the words after the step.
        bytes: memory in use.
        disk: bytes in files.
        levels: how many states there are after at most 0, 1, 2, … steps, as far as all of them are known; empty where
            the driver does not count them.
    """

    status: Status
    states: int
    transitions: int
    depth: int
    frontier: int
    fired: list[int]
    changed: list[int]
    witnesses: int
    first: dict[int, int]
    at: int = 0
    detail: int = 0
    after: Words = ()
    bytes: int = 0
    disk: int = 0
    levels: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """What a search looks for, in values that can be sent to another process.

    Attributes:
        initial: packed initial states.
        progress: for each action, whether it saves a state from being a deadlock.
        leaves: how many leaves the actions have.
        state_bits: bits of `examine` that must not be set.
        step_bits: properties of steps that must not be violated, as bits.
        witness_bits: bits of `examine` that should be set somewhere.
        deadlock: whether deadlocks are looked for.
        max_bytes: memory that may be used.
    """

    initial: list[Words]
    progress: list[bool]
    leaves: int
    state_bits: int
    step_bits: int
    witness_bits: int
    deadlock: bool
    max_bytes: int


def question_of(kernel: Kernel, max_bytes: int) -> Question:
    """What is asked of a kernel's instance."""
    bits = kernel.bits
    return Question(
        initial=kernel.initial,
        progress=kernel.progress,
        leaves=len(kernel.labels.leaves),
        state_bits=bits.states,
        step_bits=bits.steps,
        witness_bits=bits.witnesses,
        deadlock=bits.deadlock is not None,
        max_bytes=max_bytes,
    )


class NoMemoryForRun(PostcopyError):
    """Something was found, but the memory allowed does not suffice to find the run to it."""


class Search(Protocol):
    """A search that can be run a while at a time."""

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index.

        Raises:
            NoMemoryForRun: the run would have to be searched for again, and the memory allowed does not suffice.
        """

    def stored(self) -> list[Words]:
        """All packed states. For tests and graphs of small spaces."""

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""


@runtime_checkable
class GivesUp(Protocol):
    """A search that can do without its states once it is over."""

    def give_up(self) -> None:
        """Give the memory of all states back. Nothing can be asked of them any more."""


@dataclass(frozen=True)
class Space:
    """What a search has seen, with the kernel that it ran on.

    Attributes:
        kernel: the kernel.
        search: the search, which knows the states.
        findings: what it found.
    """

    kernel: Kernel
    search: Search
    findings: Findings


def follow(at: int, row: Callable[[int], tuple[Words, int]]) -> list[Words]:
    """The states from an initial one to the one with this index.

    Args:
        at: the index.
        row: a state and its parent's index, which is negative for an initial state.
    """
    states = []
    while at >= 0:
        words, at = row(at)
        states.append(words)
    return states[::-1]
