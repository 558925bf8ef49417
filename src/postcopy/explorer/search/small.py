"""The search with the small table: in memory, in about a third of the bytes a state (docs/performance.md).

It finds what the ordinary search finds; with one worker, in the same order. It keeps no state's parent: a run to a
state is found by searching again (see `small_path`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.checkpoint import Values
from postcopy.explorer.search.findings import Findings, Question
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.shard import halves
from postcopy.explorer.search.small_checkpoint import SavedSmall
from postcopy.explorer.search.small_path import run_to
from postcopy.explorer.search.small_store import SmallStore
from postcopy.explorer.search.status import COUNT, DETAIL, ENDED, FOUND, HEAD, LEVEL_END, Status
from postcopy.explorer.search.worker import ALONE_UNTIL


@dataclass(frozen=True)
class Noted:
    """A state to which a run may be asked for.

    Attributes:
        state: its packed words.
        depth: steps of the shortest run to it.
    """

    state: Words
    depth: int


class Small:
    """The search with the small table, a while at a time.

    An index of a state is its place in `noted`.

    Args:
        machine: what it runs on.
        question: what is looked for.
        workers: threads that expand states together.
        alone_until: until there are so many states, one of them works alone.
    """

    at_once = False

    def __init__(self, machine: Machine, question: Question, workers: int = 1, alone_until: int = ALONE_UNTIL) -> None:
        self.machine, self.question = machine, question
        self._new_store = partial(
            SmallStore, machine, question, question.max_bytes, workers=workers, alone_until=alone_until
        )
        self.store = self._new_store()
        self.part: SavedSmall | None = None
        self.depth = 0
        self.noted: list[Noted] = []
        self.first: dict[int, int] = {}
        self.found: Findings | None = None
        self.store.begin()
        self.status = self.store.status if self.store.status in ENDED else Status.RUNNING
        self._note(0)
        self.levels = [self.store.states]

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        left = steps
        while self.status == Status.RUNNING and left > 0:
            before = self._waiting
            self.store.run(left)
            left -= before - self._waiting
            self._note(self.depth + 1)
            self.status = self._judged()
        return self._findings()

    @property
    def _waiting(self) -> int:
        """States of this level that are still to be expanded."""
        return int(self.store.control[LEVEL_END] - self.store.control[HEAD])

    def _judged(self) -> Status:
        """How the search stands; where a level is done, the next one begins."""
        control, status = self.store.control, self.store.status
        if status in ENDED:
            return status
        if self._waiting <= 0:
            if control[COUNT] == control[LEVEL_END]:
                return Status.DONE
            control[LEVEL_END] = control[COUNT]
            self.depth += 1
            self.levels.append(self.store.states)
        return Status.RUNNING

    def _note(self, depth: int) -> None:
        """Note the witnesses that were reached for the first time, all by runs of so many steps."""
        for bit, pair in self.store.reached.items():
            if bit not in self.first:
                self.first[bit] = len(self.noted)
                self.noted.append(Noted(self._state(pair), depth))

    def _state(self, pair: int) -> Words:
        (words,) = self.store.words(np.array([pair], dtype=np.uint64)).tolist()
        return tuple(words)

    def _findings(self) -> Findings:
        if self.found is not None:
            return self.found
        store, control = self.store, self.store.control
        fired, changed = halves(store.fired)
        found = Findings(
            status=self.status,
            states=store.states,
            transitions=sum(fired),
            depth=self.depth,
            frontier=int(control[COUNT] - control[HEAD]),
            fired=fired,
            changed=changed,
            witnesses=sum(1 << bit for bit in self.first),
            first=self.first,
            bytes=store.bytes,
            levels=self.levels,
        )
        if self.status in FOUND:
            found.at, found.detail = len(self.noted), int(control[DETAIL])
            self.noted.append(Noted(self._state(store.found), self._depth_of_found))
            if self.status == Status.STEP:
                found.after = store.after
        if self.status != Status.RUNNING:
            self.found = found
        return found

    @property
    def _depth_of_found(self) -> int:
        """Steps to the state that ended the search: one of this level, or one that a step of it leads to."""
        begun = self.store.control[HEAD] > 0 or self.depth > 0 or self.store.fired.any()
        return self.depth + (self.status == Status.STATE and bool(begun))

    def give_up(self) -> None:
        """Give the memory of all states back. Nothing can be asked of them any more."""
        self.store.give_up()

    def path(self, at: int) -> list[Words]:
        """The packed states from an initial one to the one with this index. Searches again.

        Where there is no memory for two searches, the states of this one, which is over, are given up for it.

        Raises:
            NoMemoryForRun: the memory allowed does not suffice.
        """
        noted, states = self.noted[at], self.store.states
        if self.found is not None and 2 * self.store.bytes > self.question.max_bytes:
            self.store.give_up()
        return run_to(self.machine, self.question, noted.state, noted.depth, states, len(self.store.workers))

    @property
    def resumable(self) -> bool:
        """Whether all that was found is stored, so that another process can go on from it."""
        stored = self.store.begun and not self.store.is_pending
        return stored and self.status in (Status.RUNNING, Status.DONE, Status.FULL)

    def save(self, directory: Path) -> list[Values]:
        """Append what is new. It has to be called for the first time before `run`.

        Raises:
            OSError, UsageError: the disk does not take it.
        """
        self.part = self.part or SavedSmall(directory, self.store)
        noted = [[list(each.state), each.depth] for each in self.noted]
        return [self.part.save() | {"noted": noted, "first": sorted(self.first.items())}]

    def load(self, directory: Path, kept: list[Values], depth: int) -> bool:
        """Stand where the search stood; False where the memory allowed does not suffice.

        Raises:
            UsageError: the files are damaged.
        """
        (values,) = kept
        self.store = self._new_store(children=np.array(values["tree"], dtype=np.int64))
        self.part = SavedSmall(directory, self.store)
        self.status, self.depth, self.found = Status.RUNNING, depth, None
        self.noted = [Noted(tuple(state), steps) for state, steps in values["noted"]]
        self.first = dict(values["first"])
        loaded = self.part.load(values)
        control = self.store.control
        self.levels = [self.store.states - int(control[COUNT] - control[LEVEL_END])]
        return loaded

    def stored(self) -> list[Words]:
        """All packed states, in the order of the table."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words].

        Raises:
            UsageError: they were given up to find a run.
        """
        return self.store.words(self.store.pairs())
