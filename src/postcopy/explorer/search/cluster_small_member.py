"""One process of a cluster's search with the small table: it owns one part of the states, as pairs of its own numbers.

What it sends to the others are whole words: its numbers mean nothing to them. It tells of places as if nothing had left
its queue, so that the leading process need not know which table its members have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.calling_convention import REST_BIT
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.machine_code import Plan
from postcopy.explorer.search.checkpoint import Values
from postcopy.explorer.search.findings import Question
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.shard import Report
from postcopy.explorer.search.small_checkpoint import SavedSmall
from postcopy.explorer.search.small_path import Milestones
from postcopy.explorer.search.small_store import SmallStore
from postcopy.explorer.search.status import AT, COUNT, FOUND, HEAD, LEVEL_END, STATUS, WITNESSES, Status

Rows = npt.NDArray[np.int64]
"""States on their way to another process, with their tags behind them where they have tags: int64[count, columns]."""


class SmallMember:
    """One process and its part of the states.

    Args:
        plan: what the kernel's machine code is made from; compiled here, or read from this machine's cache.
        question: what is looked for. Of its memory this process may use its share.
        number: which process.
        count: of how many.
        tagged: whether places of the queue have tags.
    """

    def __init__(self, plan: Plan, question: Question, number: int, count: int, tagged: bool = False) -> None:
        self.machine, self.question, self.number, self.count = machine_of(plan), question, number, count
        self.store = self._new_store(tagged=tagged)
        self.part: SavedSmall | None = None
        self.noted: list[Words] = []
        self.first = np.full(REST_BIT, -1, dtype=np.int64)

    def _new_store(self, **more: Any) -> SmallStore:  # noqa: ANN401  (as of SmallStore)
        share = self.question.max_bytes // self.count
        return SmallStore(self.machine, self.question, share, number=self.number, shards=self.count, **more)

    def begin(self) -> Report:
        """Enter those initial states that belong here."""
        self.store.begin()
        return self._report()

    def run(self, steps: int, level_end: int, reached: int) -> tuple[Report | Rows, ...]:
        """Expand at most about that many states of this level.

        Args:
            steps: how many.
            level_end: where the level ends here.
            reached: the witnesses that are known to be reachable.

        Returns:
            How this part stands, and what it has for each of the others.
        """
        store = self.store
        self._agree(level_end, reached)
        store.forget_sent()
        store.run(steps)
        return self._report(), *(store.sent(to).copy() for to in range(self.count))

    def take(self, *sent: Rows) -> Report:
        """Enter what the others have sent."""
        for rows in sent:
            if len(rows) and not self.store.take(np.array(rows)):  # Ray's own cannot be written to
                break
        return self._report()

    def _agree(self, level_end: int, reached: int) -> None:
        control = self.store.control
        control[LEVEL_END], control[WITNESSES] = level_end - self.store.shifted, reached

    def _report(self) -> Report:
        """How this part stands. States that may be asked for are noted, and named by their places there."""
        store = self.store
        for bit, pair in store.reached.items():
            if self.first[bit] < 0:
                self.first[bit] = self._note(pair)
        control = store.control.copy()
        control[[COUNT, HEAD, LEVEL_END]] += store.shifted
        if store.status in FOUND:
            control[AT] = self._note(store.found)
        return Report(control, store.fired, self.first, store.bytes, store.after)

    def _note(self, pair: int) -> int:
        self.noted.append(self._words(pair))
        return len(self.noted) - 1

    def _words(self, pair: int) -> Words:
        (words,) = self.store.words(np.array([pair], dtype=np.uint64)).tolist()
        return tuple(words)

    def state(self, place: int) -> Words:
        """A state that was noted."""
        return self.noted[place]

    def states(self) -> npt.NDArray[np.uint64]:
        """All states; uint64[count, words]. Raises as `SmallStore.pairs` does."""
        return self.store.words(self.store.pairs())

    def give_up(self) -> None:
        """Give the memory of all states back."""
        self.store.give_up()

    def save(self, directory: Path, level_end: int, reached: int) -> Values:
        """Append what is new to this part's files. Raises as `SavedSmall.save` does.

        Args:
            directory: where they are.
            level_end, reached: as of `run`.
        """
        self._agree(level_end, reached)
        self.part = self.part or SavedSmall(directory, self.store, self.number, self.count)
        dealt = self.store.tables.dealt.tolist()
        return self.part.save() | {"dealt": dealt, "noted": self.noted, "first": self.first.tolist()}

    def load(self, directory: Path, values: Values) -> Report | None:
        """Stand where such a part stood; None where the memory does not suffice. Raises as `SavedSmall.load` does."""
        tree, dealt = (np.array(values[name], dtype=np.int64) for name in ("tree", "dealt"))
        self.store = self._new_store(children=tree, dealt=dealt)
        self.part = SavedSmall(directory, self.store, self.number, self.count)
        self.noted, self.first[:] = [tuple(words) for words in values["noted"]], values["first"]
        return self._report() if self.part.load(values) else None


class SearchingMember(SmallMember):
    """One process of a search that is made again to find a run: it ends when a state is found (see `small_path`).

    Args:
        plan: what the kernel's machine code is made from.
        question: see `small_path.asked_again`.
        number: which process.
        count: of how many.
        state: the packed words of the state that a run is to lead to.
    """

    def __init__(self, plan: Plan, question: Question, number: int, count: int, state: Words) -> None:
        super().__init__(plan, question, number, count, tagged=True)
        self.wanted = np.array(state, dtype=np.uint64).view(np.int64)
        self.milestones = Milestones(self.store, number, count)
        self._looked_at = 0

    def _report(self) -> Report:
        report, store = super()._report(), self.store
        place = self.milestones.place(self._looked_at - store.shifted, self.wanted)
        if place is not None:
            report.control[STATUS], report.control[AT] = Status.STATE, place
        self._looked_at = int(report.control[COUNT])
        return report

    def keep(self) -> None:
        """Make a milestone of the level that is about to be expanded."""
        self.milestones.keep()

    def found(self, place: int) -> tuple[Words, int]:
        """The state at a place of the queue, and its tag."""
        pair, tag = self.milestones.at(place)
        return self._words(pair), tag

    def milestone(self, which: int, tag: int) -> tuple[Words, int]:
        """The state that a tag says of a milestone, and its tag of the milestone before."""
        pair, before = self.milestones.of(which, tag)
        return self._words(pair), before
