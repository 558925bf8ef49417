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


class Milestones:
    """The states of some levels of a search with tags, by which a run to a later state is found.

    Args:
        store: the states of the search, or those of one of several processes.
        number: which process.
        count: of how many. A tag is a state's place in its process's part of the milestone, times `count`, plus the
            number of the process.
    """

    def __init__(self, store: SmallStore, number: int = 0, count: int = 1) -> None:
        self.store, self.number, self.count = store, number, count
        self._kept: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self) -> None:
        """Make a milestone of the level that is about to be expanded."""
        begin, end = (int(self.store.control[which]) for which in (HEAD, COUNT))
        tables = self.store.tables
        self._kept.append((tables.queue[begin:end].copy(), tables.tags[begin:end].copy()))
        tables.tags[begin:end] = np.arange(end - begin) * self.count + self.number

    def place(self, begin: int, state: npt.NDArray[np.int64]) -> int | None:
        """Where in the queue, from a place on, a state stands."""
        pair = self.store.pair_of(state)
        if pair is None:
            return None
        queue = self.store.tables.queue[begin : int(self.store.control[COUNT])]
        found = np.flatnonzero(queue == np.uint64(pair))
        return begin + int(found[0]) if len(found) else None

    def at(self, place: int) -> tuple[int, int]:
        """The pair at a place of the queue, and its tag."""
        return int(self.store.tables.queue[place]), int(self.store.tables.tags[place])

    def of(self, which: int, tag: int) -> tuple[int, int]:
        """The pair that a tag says of a milestone, which lies here, and its tag of the milestone before."""
        pairs, tags = self._kept[which]
        return int(pairs[tag // self.count]), int(tags[tag // self.count])


def asked_again(question: Question) -> Question:
    """What a search is asked that is made again, only to find a run: nothing but its states, and memory for tags."""
    for_tags = question.max_bytes // (2 * _SHARE)
    return replace(
        question, state_bits=0, step_bits=0, witness_bits=0, deadlock=False, max_bytes=question.max_bytes + for_tags
    )


def interval_of(question: Question, states: int) -> int:
    """Levels from one milestone to the next, where a search has so many states."""
    return max(INTERVAL, -(-_KEPT * _SHARE * states // question.max_bytes))


class _Again:
    """The search made again, up to a state of a level.

    Args:
        machine: what it runs on.
        question: what the search was asked.
        interval: levels from one milestone to the next.
        workers: threads that expand states together.
    """

    def __init__(self, machine: Machine, question: Question, interval: int, workers: int) -> None:
        asked = asked_again(question)
        self.store = SmallStore(machine, asked, asked.max_bytes, tagged=True, workers=workers)
        self.interval, self.milestones = interval, Milestones(self.store)
        self.store.begin()

    def through(self, state: npt.NDArray[np.int64], depth: int) -> list[int]:
        """The pairs of an initial state, of a state of each milestone, and of the state itself, on one run."""
        control, milestones = self.store.control, self.milestones
        for level in range(depth):
            if level % self.interval == 0:
                milestones.keep()
            self._expand_level(state if level == depth - 1 else None)
            control[LEVEL_END] = control[COUNT]
        at = milestones.place(int(control[HEAD]), state)
        assert at is not None, "a state that the search has found is not found again"
        pair, tag = milestones.at(at)
        found = [pair]
        for which in reversed(range(len(milestones))):
            pair, tag = milestones.of(which, tag)
            found.append(pair)
        return found[::-1]

    def _expand_level(self, state: npt.NDArray[np.int64] | None) -> None:
        """Expand the level; or as much of it as is needed to find a state of the next one."""
        control, looked_at = self.store.control, 0
        while control[HEAD] < control[LEVEL_END]:
            self.store.run(max(STRETCH, int(control[LEVEL_END] - control[HEAD]) // 64))
            if state is not None and self.milestones.place(int(control[LEVEL_END]) + looked_at, state) is not None:
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
    interval = interval_of(question, states)
    again, row = _Again(machine, question, interval, workers), np.array(state, dtype=np.uint64).view(np.int64)
    return joined(machine, again.store.words(np.array(again.through(row, depth), dtype=np.uint64)), interval)


def joined(machine: Machine, through: npt.NDArray[np.uint64], interval: int) -> list[Words]:
    """The packed states of a run through an initial state, states of milestones, and its last one.

    Args:
        machine: what the search ran on.
        through: uint64[states, words].
        interval: levels from one milestone to the next.
    """
    rows = through.view(np.int64)
    run = [words_of(rows[0])]
    for begin, end in pairwise(rows):
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
