"""A shortest run to a state that a search with the small table has found, which keeps no parents.

The search is made again, up to the level of that state. The states of every so many levels are kept, milestones, and
each place of the queue has a tag: which of the states of the last milestone a run to it leads through. So the tags say
which milestones a run to the state leads through, and a small search between each two of them finds the steps.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.findings import NoMemoryForRun, Question
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.shard import words_of
from postcopy.explorer.search.small_store import STRETCH, SmallStore
from postcopy.explorer.search.status import COUNT, ENDED, HEAD, LEVEL_END
from postcopy.explorer.search.worker import Worker

INTERVAL = 8
"""Levels from one milestone to the next, where the memory allows it."""

_KEPT = 12
"""Bytes of a milestone's state: its pair and its tag."""

_SHARE = 16
"""What part of the memory allowed the milestones may take beside the search: one of so many."""


class _Again:
    """The search made again, up to a state of a level.

    Args:
        machine: what it runs on.
        question: what the search was asked.
        interval: levels from one milestone to the next.
        workers: threads that expand states together.
    """

    def __init__(self, machine: Machine, question: Question, interval: int, workers: int) -> None:
        anything = replace(question, state_bits=0, step_bits=0, witness_bits=0, deadlock=False)
        for_tags = question.max_bytes // (2 * _SHARE)
        self.store = SmallStore(machine, anything, question.max_bytes + for_tags, tagged=True, workers=workers)
        self.interval = interval
        self.milestones: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]] = []
        self.store.begin()

    def through(self, state: npt.NDArray[np.int64], depth: int) -> list[int]:
        """The pairs of an initial state, of a state of each milestone, and of the state itself, on one run."""
        control, tables = self.store.control, self.store.tables
        for level in range(depth):
            if level % self.interval == 0:
                self._keep()
            self._expand_level(state if level == depth - 1 else None)
            control[LEVEL_END] = control[COUNT]
        at = self._place(int(control[HEAD]), state)
        assert at is not None, "a state that the search has found is not found again"
        found, tag = [int(tables.queue[at])], int(tables.tags[at]) if self.milestones else -1
        for pairs, tags in reversed(self.milestones):
            found.append(int(pairs[tag]))
            tag = int(tags[tag])
        return found[::-1]

    def _place(self, begin: int, state: npt.NDArray[np.int64]) -> int | None:
        """Where in the queue, from a place on, a state stands."""
        pair = self.store.pair_of(state)
        if pair is None:
            return None
        queue = self.store.tables.queue[begin : int(self.store.control[COUNT])]
        found = np.flatnonzero(queue == np.uint64(pair))
        return begin + int(found[0]) if len(found) else None

    def _keep(self) -> None:
        """Make a milestone of the level that is about to be expanded."""
        begin, end = (int(self.store.control[which]) for which in (HEAD, LEVEL_END))
        tables = self.store.tables
        self.milestones.append((tables.queue[begin:end].copy(), tables.tags[begin:end].copy()))
        tables.tags[begin:end] = np.arange(end - begin)

    def _expand_level(self, state: npt.NDArray[np.int64] | None) -> None:
        """Expand the level; or as much of it as is needed to find a state of the next one."""
        control, looked_at = self.store.control, 0
        while control[HEAD] < control[LEVEL_END]:
            self.store.run(max(STRETCH, int(control[LEVEL_END] - control[HEAD]) // 64))
            if state is not None and self._place(int(control[LEVEL_END]) + looked_at, state) is not None:
                control[HEAD] = control[LEVEL_END]
            elif self.store.status in ENDED:
                raise NoMemoryForRun("the run to it has to be searched for again, and the memory does not suffice")
            looked_at = int(control[COUNT] - control[LEVEL_END])


def run_to(
    machine: Machine, question: Question, state: Words, depth: int, states: int, workers: int = 1
) -> list[Words]:
    """The packed states of a shortest run to a state.

    Args:
        machine: what the search ran on.
        question: what it was asked.
        state: its packed words.
        depth: steps to it.
        states: how many states the search had.
        workers: threads that expand states together.

    Raises:
        NoMemoryForRun: the memory allowed does not suffice.
    """
    interval = max(INTERVAL, -(-_KEPT * _SHARE * states // question.max_bytes))
    again, row = _Again(machine, question, interval, workers), np.array(state, dtype=np.uint64).view(np.int64)
    through = again.store.words(np.array(again.through(row, depth), dtype=np.uint64)).view(np.int64)
    run = [words_of(through[0])]
    for begin, end in pairwise(through):
        run += steps_between(machine, begin, end, interval)
    return run


def steps_between(machine: Machine, begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64], most: int) -> list[Words]:
    """The states behind `begin` on a shortest run to `end`, which has at most so many steps."""
    levels, parents = [begin[None, :]], [np.zeros(1, dtype=np.int64)]
    seen = _whole(levels[0])
    worker = Worker(machine)
    for _ in range(most):
        rows, origins = worker.successors(levels[-1])
        _, at = np.unique(_whole(rows), return_index=True)
        at = at[np.isin(_whole(rows[at]), seen, invert=True)]
        levels.append(rows[at])
        parents.append(origins[at])
        seen = np.concatenate([seen, _whole(levels[-1])])
        there = np.flatnonzero((levels[-1] == end).all(axis=1))
        if len(there):
            return _back(levels, parents, int(there[0]))
    raise AssertionError("a run that the search has found is not found again")


def _back(levels: list[npt.NDArray[np.int64]], parents: list[npt.NDArray[np.int64]], at: int) -> list[Words]:
    run = []
    for rows, origins in zip(levels[:0:-1], parents[:0:-1], strict=True):
        run.append(words_of(rows[at]))
        at = int(origins[at])
    return run[::-1]


def _whole(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Each row as one value, so that rows can be sorted."""
    return np.ascontiguousarray(rows).view(f"V{8 * rows.shape[1]}")[:, 0]
