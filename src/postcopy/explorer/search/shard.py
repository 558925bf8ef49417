"""The states of a compiled search, or one part of them, and the workers that expand them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.calling_convention import BLOCK, REST_BIT
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.findings import Findings, Question
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.records import Outboxes, Store, Wanted
from postcopy.explorer.search.status import (
    AT,
    COUNT,
    DETAIL,
    ENDED,
    FOUND,
    HEAD,
    LEVEL_END,
    STATUS,
    WITNESSES,
    Status,
)
from postcopy.explorer.search.worker import LINE, Worker, lines

_One = TypeVar("_One")

_ENTRY = 4
"""Bytes of an entry of the table."""

_FIRST_BITS, _MOST_BITS = 16, 31
_OUTBOX = 1 << 17

_PIECE = 4 * BLOCK
"""States that one of several workers takes at once."""


class Shard:
    """States, how they are found again, and the workers that expand them. The states may be one part of all.

    Memory is taken as it is needed: the arrays for all states that `max_bytes` allows are reserved at once, but the
    system gives them page by page. The table begins small and grows in its place, so that memory is touched once.

    Args:
        machine: what it runs on.
        question: what is looked for.
        number: which part of all states.
        shards: of how many.
        max_bytes: memory that this part may take.
        outbox: how many states for another part may wait until it enters them.
        workers: threads that expand states together.
        alone_until: until there are so many states, one of them works alone.

    Attributes:
        machine: what it runs on.
        states, parents, table, bits, shared: see `records.Store`.
        outboxes: what other parts have to enter, one of each worker.
        control: where the search stands (see `status`); int64[7].
        fired, first: those of all workers together; see `records.Notes`.
        after: the words after the last step that was found to violate a property.
        workers: the workers.
    """

    def __init__(
        self,
        machine: Machine,
        question: Question,
        number: int,
        shards: int,
        max_bytes: int,
        outbox: int = _OUTBOX,
        workers: int = 1,
        alone_until: int = 0,
    ) -> None:
        self.machine, self.question, self.max_bytes = machine, question, max_bytes
        self.code, self.loop = machine
        self.number, self.shards = np.uint64(number), np.uint64(shards)
        self.workers = [Worker(machine) for _ in range(workers)]
        self.pool, self.alone_until = ThreadPoolExecutor(workers) if workers > 1 else None, alone_until
        self.wanted = Wanted(question.step_bits, question.state_bits, question.witness_bits, question.deadlock)
        words, most = self.code.words, self.code.most
        self.piece = BLOCK if workers == 1 or shards > 1 else _PIECE  # an outbox has to have room for a piece
        self.reserve = workers * (int(self.loop.CHUNK) + self.piece // BLOCK * most)
        self.per_state = 8 * words + 4
        self.bits = self._first_bits = max(_FIRST_BITS, (2 * self.reserve).bit_length())
        capacity, self.most_bits = self._most()
        capacity = min(max(capacity, self.reserve + len(question.initial) + 1), (2**31 - 1) // shards)
        self.states = np.empty((capacity, words), dtype=np.int64)
        self.parents = np.empty(capacity, dtype=np.int32)
        self.table = lines(_ENTRY << self.most_bits).view(np.uint32)
        self.shared = lines(2 * LINE).view(np.int64)
        self.control = np.zeros(WITNESSES + 1, dtype=np.int64)
        self.fired = np.zeros(2 * self.code.leaves, dtype=np.uint64)
        self.first = np.full(REST_BIT, -1, dtype=np.int64)
        self.after: Words = ()
        outbox = most + outbox if shards > 1 else 1
        self.outboxes = [
            Outboxes(
                np.zeros((shards, outbox, words + 1), dtype=np.int64),
                np.zeros(shards, dtype=np.uint64),
                self.number,
                self.shards,
            )
            for _ in self.workers
        ]

    @property
    def status(self) -> Status:
        """How it stands."""
        return Status(int(self.control[STATUS]))

    @property
    def store(self) -> Store:
        """The states and what finds them, for the loop."""
        return Store(self.states, self.parents, self.table, np.uint64(self.bits), self.shared)

    def begin(self) -> None:
        """Enter those initial states that belong here."""
        initial = np.array(self.question.initial, dtype=np.uint64).T.copy().view(np.int64)
        self.loop.canonical(self.code.addresses, initial, np.uint64(initial.shape[1]))
        rows = np.vstack([initial, np.full(initial.shape[1], -1)]).T.copy()
        ids = np.arange(len(rows))
        if self.shards > 1:
            self.loop.number(rows, len(ids), self.shards, np.zeros(self.shards, dtype=np.int64), ids)
        self.take(rows[ids % int(self.shards) == int(self.number)])
        self.control[LEVEL_END] = self.control[COUNT]

    def row(self, place: int) -> tuple[tuple[int, ...], int]:
        """A state and its parent's number."""
        return words_of(self.states[place]), int(self.parents[place])

    def report(self) -> Report:
        """How it stands."""
        return Report(self.control, self.fired, self.first, self.bytes, self.after)

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return int(
            self.control[COUNT] * self.per_state + self._table_bytes + sum(each.rows.nbytes for each in self.outboxes)
        )

    def _most(self) -> tuple[int, int]:
        """As many states as the memory allowed holds, and the bits of the table that finds them."""
        eighths = int(self.loop.EIGHTHS)
        return max(
            (min((1 << bits) // 8 * eighths, (self.max_bytes - (_ENTRY << bits)) // self.per_state), bits)
            for bits in range(self._first_bits, _MOST_BITS + 1)
        )

    @property
    def _room(self) -> int:
        """How many numbers may be taken for states before the workers begin their last pieces."""
        return min(len(self.parents), (1 << self.bits) // 8 * int(self.loop.EIGHTHS)) - self.reserve

    @property
    def _table_bytes(self) -> int:
        return _ENTRY << self.bits

    def run(self, steps: int) -> None:
        """Expand at most about that many states of the level, unless an outbox or the memory allowed is full."""
        end = int(min(self.control[HEAD] + steps, self.control[LEVEL_END]))
        while True:
            self.shared[self.loop.TAKEN], self.shared[self.loop.GIVEN] = self.control[COUNT], self.control[HEAD]
            workers = self._busy
            self._each(workers, lambda number, worker: self._expand(number, worker, end))
            self._close_gaps(workers)
            self._sum_up(workers, end)
            if self.status != Status.FULL or not self._grow():
                return

    @property
    def _busy(self) -> list[Worker]:
        """Those that there is work for."""
        return self.workers if self.control[COUNT] >= self.alone_until else self.workers[:1]

    def _each(self, workers: list[Worker], do: Callable[[int, Worker], None]) -> None:
        """Let all work at once."""
        if self.pool is None or len(workers) == 1:
            do(0, workers[0])
        else:
            list(self.pool.map(do, range(len(workers)), workers))

    def each(self, do: Callable[[_One], None], each: list[_One]) -> None:
        """Do something for each of some things, as many at once as there are workers."""
        list(self.pool.map(do, each) if self.pool is not None else map(do, each))

    def _expand(self, number: int, worker: Worker, end: int) -> None:
        worker.notes.control[WITNESSES] = self.control[WITNESSES]
        self.loop.run(
            self.code.addresses, self.store, worker.scratch, worker.notes, self.outboxes[number], self.wanted,
            self.piece, end, self._room, len(self._busy) == 1,
        )  # fmt: skip

    def sent(self, to: int) -> list[npt.NDArray[np.int64]]:
        """What is on its way to another shard: states with their parents' numbers behind them."""
        return [each.rows[to, : int(each.filled[to])] for each in self.outboxes if each.filled[to]]

    def forget_sent(self) -> None:
        """Empty the outboxes."""
        for each in self.outboxes:
            each.filled[:] = 0

    def _close_gaps(self, workers: list[Worker]) -> None:
        """Give the last states the numbers that were taken and not used, and those of what was found follow them."""
        notes = [worker.notes for worker in workers]
        gaps = np.array(sorted(tuple(each.numbers) for each in notes), dtype=np.int64)
        found = np.array([[*each.first, each.control[AT]] for each in notes], dtype=np.int64)
        top = self.shared[self.loop.TAKEN]
        self.control[COUNT] = self.loop.close_gaps(self.store, gaps, top, found.reshape(-1))
        for worker, (*first, at) in zip(workers, found, strict=True):
            worker.notes.first[:], worker.notes.numbers[:] = first, 0
            if worker.status == Status.STATE:
                worker.notes.control[AT] = at

    def _sum_up(self, workers: list[Worker], end: int) -> None:
        """Make one status of those of all workers, and note what they have found."""
        self._note(workers)
        stopped = [worker for worker in workers if worker.status in FOUND]
        heads = (int(worker.notes.control[HEAD]) for worker in stopped)
        head = min(int(self.shared[self.loop.GIVEN]), end, *heads)
        self.control[HEAD] = head
        if stopped:
            self._stop(min(stopped, key=lambda worker: int(worker.notes.control[HEAD])))
        elif head < end:
            self.control[STATUS] = max(worker.status for worker in workers)
        else:
            self.control[STATUS] = Status.LEVEL if head == self.control[LEVEL_END] else Status.RUNNING

    def _note(self, workers: list[Worker]) -> None:
        for notes in (worker.notes for worker in workers):
            self.fired += notes.fired
            self.control[WITNESSES] |= notes.control[WITNESSES]
            nearer = (notes.first >= 0) & (self.first < 0)
            self.first[nearer] = notes.first[nearer]
            notes.fired[:], notes.first[:] = 0, -1

    def _stop(self, worker: Worker) -> None:
        """Take over what a worker found that ends the search."""
        for what in (STATUS, AT, DETAIL):
            self.control[what] = worker.notes.control[what]
        self.after = words_of(worker.scratch.out[:, 0])
        if worker.status == Status.STATE and len(self.workers) == 1:
            self.control[COUNT] = worker.notes.control[AT] + 1

    def take(self, rows: npt.NDArray[np.int64]) -> bool:
        """Enter states sent by others, with their parents' numbers behind them; False where that ends the search."""
        workers = self._busy
        parts, came = np.array_split(rows, len(workers)), [0] * len(workers)

        def enter(number: int, worker: Worker) -> None:
            control = worker.notes.control
            control[STATUS], control[WITNESSES] = Status.RUNNING, self.control[WITNESSES]
            came[number] = self.loop.receive(
                self.code.addresses, self.store, worker.scratch, worker.notes, parts[number], np.uint64(came[number]),
                self.wanted, self._room, len(workers) == 1,
            )  # fmt: skip

        while True:
            self.shared[self.loop.TAKEN] = self.control[COUNT]
            self._each(workers, enter)
            self._close_gaps(workers)
            self._note(workers)
            stopped = [worker for worker in workers if worker.status == Status.STATE]
            if stopped:
                self._stop(stopped[0])
                return False
            if all(worker.status != Status.FULL for worker in workers):
                return True
            if not self._grow():
                self.control[STATUS] = Status.FULL
                return False

    def restore(
        self,
        states: npt.NDArray[np.int64],
        parents: npt.NDArray[np.int64],
        control: list[int],
        fired: list[int],
        first: list[int],
    ) -> bool:
        """Stand where such a shard stood; False where the memory allowed does not suffice."""
        known = len(states)
        if known + self.reserve > len(self.parents):
            return False
        self.states[:known], self.parents[:known] = states, parents
        self.control[:], self.fired[:], self.first[:] = control, fired, first
        if self.status == Status.FULL:
            self.control[STATUS] = Status.RUNNING
        return self._fill()

    def change(self, number: int, control: npt.NDArray[np.int64]) -> bool:
        """Become another of the shards, whose states and parents have been put in place of this one's.

        False where the memory allowed does not suffice for it.
        """
        self.bits, self.number = self._first_bits, np.uint64(number)
        self.outboxes = [each._replace(shard=self.number) for each in self.outboxes]
        self.control[:], self.first[:] = control, -1
        return self._fill()

    def _fill(self) -> bool:
        """Make the table for all states that there are; False where the memory allowed does not suffice."""
        count = int(self.control[COUNT])
        while count > self._room and self.bits < self.most_bits:
            self.bits += 1
        if count > self._room:
            return False
        loop, workers, bits = self.loop, self._busy, np.uint64(self.bits)
        alone = len(workers) == 1

        def part(whole: int, number: int) -> tuple[int, int]:
            return whole * number // len(workers), whole * (number + 1) // len(workers)

        self._each(workers, lambda number, _: loop.clear(self.table, *part(1 << self.bits, number)))
        self._each(workers, lambda number, _: loop.fill(self.table, bits, self.states, *part(count, number), alone))
        return True

    def _grow(self) -> bool:
        """Make room; False where the memory allowed does not suffice."""
        if int(self.control[COUNT]) + self.reserve > len(self.parents) or self.bits == self.most_bits:
            return False
        self.bits += 1
        return self._fill()


@dataclass
class Report:
    """How a shard stands, in values that can be sent to another process.

    Attributes:
        control: its numbers (see `status`); int64[7].
        fired: for each leaf, how often it was taken, and behind that how often that changed something;
            uint64[2 * leaves].
        first: for each bit of a witness, the place of the first state that reaches it, or -1; int64[bits].
        bytes: memory in use.
        after: the words after the last step that was looked at.
    """

    control: npt.NDArray[np.int64]
    fired: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int64]
    bytes: int
    after: Words


def judge(controls: Sequence[npt.NDArray[np.int64]]) -> tuple[Status, bool]:
    """How a search level by level stands when its shards have entered all that was sent.

    Where it goes on, all shards' numbers are brought up to date: the witnesses that any has reached, so that none notes
    a later one, and the next level where this one is done.

    Returns:
        The status of the search, and whether it goes on to the next level.
    """
    for each in controls:
        if each[STATUS] in ENDED:
            return Status(int(each[STATUS])), False
    reached = int(np.bitwise_or.reduce([each[WITNESSES] for each in controls]))
    for each in controls:
        each[WITNESSES] = reached
    if any(each[HEAD] < each[LEVEL_END] for each in controls):
        return Status.RUNNING, False
    if all(each[HEAD] == each[COUNT] for each in controls):
        return Status.DONE, False
    for each in controls:
        each[LEVEL_END] = each[COUNT]
    return Status.RUNNING, True


def gather(status: Status, depth: int, reports: Sequence[Report]) -> Findings:
    """What a search has found, from the reports of all its shards."""
    shards = len(reports)
    fired, changed = halves(np.sum([each.fired for each in reports], axis=0))
    first: dict[int, int] = {}
    for number, each in enumerate(reports):
        for bit, at in enumerate(each.first):
            if at >= 0 and bit not in first:
                first[bit] = int(at) * shards + number
    states = sum(int(each.control[COUNT]) for each in reports)
    found = Findings(
        status=status,
        states=states,
        transitions=sum(fired),
        depth=depth,
        frontier=states - sum(int(each.control[HEAD]) for each in reports),
        fired=fired,
        changed=changed,
        witnesses=sum(1 << bit for bit in first),
        first=first,
        bytes=sum(each.bytes for each in reports),
    )
    if status in FOUND:
        number, each = next((i, r) for i, r in enumerate(reports) if r.control[STATUS] in ENDED)
        found.at = int(each.control[AT]) * shards + number
        found.detail = int(each.control[DETAIL])
        if status == Status.STEP:
            found.after = each.after
    return found


def halves(fired: npt.NDArray[np.uint64]) -> tuple[list[int], list[int]]:
    """For each leaf how often it was taken, and how often that changed something."""
    counts: list[int] = fired.tolist()
    leaves = len(counts) // 2
    return counts[:leaves], counts[leaves:]


def words_of(row: npt.NDArray[np.int64]) -> Words:
    """A row of states as the words that it packs."""
    return tuple(int(word) & (1 << 64) - 1 for word in row)
