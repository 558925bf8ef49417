"""The states that one worker of a compiled search owns, and the arrays that the loop works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.explorer import control, search
from postcopy.explorer.compiled import Machine
from postcopy.explorer.control import (
    AT,
    COUNT,
    DETAIL,
    FULL,
    HEAD,
    LEVEL,
    LEVEL_END,
    RUNNING,
    STATE,
    STATUS,
    WITNESSES,
)
from postcopy.explorer.search import Findings, Question
from postcopy.explorer.writing import BLOCK, REST_BIT

_ENTRY = 4
"""Bytes of an entry of the table."""

_FIRST_BITS, _MOST_BITS = 16, 31
_BOX = 1 << 17
_LINE = 64


class Shard:
    """The states that one worker owns.

    Memory is taken as it is needed: the arrays for all states that `max_bytes` allows are reserved at once, but the
    system gives them page by page. The table begins small and grows in its place, so that memory is touched once.

    Attributes:
        states: the states in the order of discovery; int64[capacity, words].
        parents: their parents' numbers, or -1; int32[capacity].
        table: what finds a state's number (see `loop`); uint32[entries].
        boxes: for each other shard, what it has to enter: states with their parents' numbers behind them;
            int64[shards, box, words + 1].
    """

    def __init__(
        self, machine: Machine, question: Question, number: int, shards: int, max_bytes: int, box: int = _BOX
    ) -> None:
        self.machine, self.question, self.max_bytes = machine, question, max_bytes
        self.number, self.shards = np.uint64(number), np.uint64(shards)
        words, most = machine.words, machine.most
        self.per_state = 8 * words + 4
        capacity = max(max_bytes // (self.per_state + _ENTRY), most + len(question.initial) + 1)
        capacity = min(capacity, (2**31 - 1) // shards)
        self.states = np.empty((capacity, words), dtype=np.int64)
        self.parents = np.empty(capacity, dtype=np.int32)
        self.bits = self._first_bits = max(_FIRST_BITS, (2 * most).bit_length())
        self.most_bits = min(max(self.bits, (max_bytes // _ENTRY).bit_length() - 1), _MOST_BITS)
        self.table = lines(_ENTRY << self.most_bits).view(np.uint32)
        self.block = np.zeros((words, BLOCK), dtype=np.int64)
        self.out = np.zeros((words, most), dtype=np.int64)
        self.hashes = np.zeros(most, dtype=np.uint64)
        self.every = np.arange(most, dtype=np.uint32)
        self.mine, self.theirs, self.came = (np.zeros(most, dtype=np.uint32) for _ in range(3))
        self.origin = np.zeros(most, dtype=np.uint32)
        self.label = np.zeros(most, dtype=np.int64)
        self.fired = np.zeros(len(question.progress), dtype=np.uint64)
        self.moved = np.zeros(BLOCK, dtype=np.uint64)
        self.lists = np.zeros(machine.rows * machine.row_length, dtype=np.uint32)
        self.items = np.zeros(machine.row_length, dtype=np.uint32)
        self.picks = np.zeros(machine.rows * machine.row_length, dtype=np.int64)
        self.seen = np.zeros(most, dtype=np.int64)
        self.first = np.full(REST_BIT, -1, dtype=np.int64)
        self.control = lines(8 * (WITNESSES + 1)).view(np.int64)
        box = most + box if shards > 1 else 1
        self.boxes = np.zeros((shards, box, words + 1), dtype=np.int64)
        self.filled = lines(8 * shards).view(np.uint64)  # no line is shared with what another worker writes to

    def begin(self) -> None:
        """Enter those initial states that belong here."""
        initial = np.array(self.question.initial, dtype=np.uint64).T.copy().view(np.int64)
        self.machine.loop.canonical(self.machine.code, initial, np.uint64(initial.shape[1]))
        rows = np.vstack([initial, np.full(initial.shape[1], -1)]).T.copy()
        ids = np.empty(len(rows), dtype=np.int64)
        self.machine.loop.number(rows, len(ids), self.shards, ids)
        self.take(rows[ids % int(self.shards) == int(self.number)])
        self.control[LEVEL_END] = self.control[COUNT]

    def row(self, place: int) -> tuple[tuple[int, ...], int]:
        """A state and its parent's number."""
        return words_of(self.states[place]), int(self.parents[place])

    def report(self) -> Report:
        """How it stands."""
        return Report(self.control, self.fired, self.first, self.bytes, words_of(self.out[:, 0]))

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return int(self.control[COUNT] * self.per_state + self._table_bytes + self.boxes.nbytes)

    @property
    def _room(self) -> int:
        """How many states the table may have."""
        return (1 << self.bits) // 8 * int(self.machine.loop.EIGHTHS)

    @property
    def _table_bytes(self) -> int:
        return _ENTRY << self.bits

    def run(self, steps: int) -> None:
        """Expand at most about that many states of the level, unless an outbox or the memory allowed is full."""
        question, machine = self.question, self.machine
        while True:
            machine.loop.run(
                machine.code, self.states, self.parents, self.table, np.uint64(self.bits), self.block, self.out,
                self.hashes, self.every, self.mine, self.theirs, self.came, self.origin, self.label, self.fired,
                self.moved, self.lists, self.items, self.picks, self.seen, self.first, self.control, self.boxes,
                self.filled, self.number, self.shards, question.step_bits, question.state_bits, question.witness_bits,
                question.deadlock, steps,
            )  # fmt: skip
            if self.control[STATUS] != FULL or not self._grow():
                return

    def receive(self, others: Sequence[Shard]) -> None:
        """Enter what the others have sent."""
        me = int(self.number)
        for other in others:
            if other is not self and not self.take(other.boxes[me, : int(other.filled[me])]):
                return

    def take(self, box: Any) -> bool:
        """Enter states sent by others, with their parents' numbers behind them; False where that ends the search."""
        question, at = self.question, 0
        while True:
            at = self.machine.loop.receive(
                self.machine.code, self.states, self.parents, self.table, np.uint64(self.bits), self.block,
                self.hashes, self.every, self.came, self.seen, self.first, self.control, box, np.uint64(at),
                np.uint64(len(box)), question.state_bits, question.witness_bits,
            )  # fmt: skip
            if self.control[STATUS] != FULL or not self._grow():
                return self.control[STATUS] not in (FULL, STATE)
            self.control[STATUS] = LEVEL

    def expand(self, states: Any, begin: int, end: int) -> int:
        """Make the successors of states and count them; those of one block are left in `out`, `origin` and `label`."""
        count = self.machine.loop.expand(
            self.machine.code, states, begin, end, self.block, self.out, self.origin, self.label, self.fired.copy(),
            self.moved, self.lists, self.items, self.picks,
        )  # fmt: skip
        return int(count)

    def deal(self, whole: Shard, ids: Any) -> None:
        """Take this shard's part of all states seen so far."""
        self.machine.loop.deal(
            whole.states, whole.parents, whole.control[COUNT], whole.control[HEAD], self.number, self.shards, ids,
            self.states, self.parents, self.control,
        )  # fmt: skip
        self._fill()

    def restore(self, states: Any, parents: Any, control_: list[int], fired: list[int], first: list[int]) -> bool:
        """Stand where such a shard stood; False where the memory allowed does not suffice."""
        known = len(states)
        if known + len(self.origin) > len(self.parents):
            return False
        self.states[:known], self.parents[:known] = states, parents
        self.control[:], self.fired[:], self.first[:] = control_, fired, first
        if self.control[STATUS] == FULL:
            self.control[STATUS] = RUNNING
        return self._fill()

    def change(self, number: int, control_: Any) -> bool:
        """Become another of the shards, whose states and parents have been put in place of this one's.

        False where the memory allowed does not suffice for it.
        """
        self.bits, self.number = self._first_bits, np.uint64(number)
        self.control[:], self.first[:] = control_, -1
        return int(self.control[COUNT]) + len(self.origin) <= len(self.parents) and self._fill()

    def _fill(self) -> bool:
        """Make the table for all states that there are."""
        count = int(self.control[COUNT])
        while count + len(self.origin) > self._room and self.bits < self.most_bits:
            self.bits += 1
        if count > self._room:
            return False
        self.machine.loop.fill(self.table, np.uint64(self.bits), self.states, count)
        return True

    def _grow(self) -> bool:
        """Make room; False where the memory allowed does not suffice."""
        count = int(self.control[COUNT])
        if count + len(self.origin) > len(self.parents):
            return False
        if self.bits == self.most_bits or count * self.per_state + 2 * self._table_bytes > self.max_bytes:
            return False
        self.bits += 1
        return self._fill()


@dataclass
class Report:
    """How a shard stands, in values that can be sent to another process.

    Attributes:
        control: its numbers (see `control`); int64[7].
        fired: for each action, how often it was taken; uint64[actions].
        first: for each bit of a witness, the place of the first state that reaches it, or -1; int64[bits].
        bytes: memory in use.
        after: the words after the last step that was looked at.
    """

    control: npt.NDArray[np.int64]
    fired: npt.NDArray[np.uint64]
    first: npt.NDArray[np.int64]
    bytes: int
    after: tuple[int, ...]


def judge(controls: Sequence[npt.NDArray[np.int64]]) -> tuple[int, bool]:
    """How a search level by level stands when its shards have entered all that was sent.

    Where it goes on, all shards' numbers are brought up to date: the witnesses that any has reached, so that none notes
    a later one, and the next level where this one is done.

    Returns:
        The status of the search (see `search`), and whether it goes on to the next level.
    """
    for each in controls:
        if int(each[STATUS]) in STATUS_OF:
            return STATUS_OF[int(each[STATUS])], False
    reached = int(np.bitwise_or.reduce([each[WITNESSES] for each in controls]))
    for each in controls:
        each[WITNESSES] = reached
    if any(each[HEAD] < each[LEVEL_END] for each in controls):
        return search.RUNNING, False
    if all(each[HEAD] == each[COUNT] for each in controls):
        return search.DONE, False
    for each in controls:
        each[LEVEL_END] = each[COUNT]
    return search.RUNNING, True


def gather(status: int, depth: int, reports: Sequence[Report]) -> Findings:
    """What a search has found, from the reports of all its shards."""
    shards = len(reports)
    fired = np.sum([each.fired for each in reports], axis=0)
    first: dict[int, int] = {}
    for number, each in enumerate(reports):
        for bit, at in enumerate(each.first):
            if at >= 0 and bit not in first:
                first[bit] = int(at) * shards + number
    states = sum(int(each.control[COUNT]) for each in reports)
    found = Findings(
        status=status,
        states=states,
        transitions=int(fired.sum()),
        depth=depth,
        frontier=states - sum(int(each.control[HEAD]) for each in reports),
        fired=[int(n) for n in fired],
        witnesses=sum(1 << bit for bit in first),
        first=first,
        bytes=sum(each.bytes for each in reports),
    )
    if status not in (search.RUNNING, search.DONE, search.FULL):
        number, each = next((i, r) for i, r in enumerate(reports) if int(r.control[STATUS]) in STATUS_OF)
        found.at = int(each.control[AT]) * shards + number
        found.detail = int(each.control[DETAIL])
        if status == search.STEP:
            found.after = each.after
    return found


STATUS_OF = {
    control.STEP: search.STEP,
    control.STATE: search.STATE,
    control.DEADLOCK: search.DEADLOCK,
    control.WRONG: search.WRONG,
    control.FULL: search.FULL,
}
"""What a shard's status means for the whole search, where it ends it."""


def words_of(row: Any) -> tuple[int, ...]:
    """A row of states as the words that it packs."""
    return tuple(int(word) & (1 << 64) - 1 for word in row)


def table_of(machine: Machine, states: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint32], np.uint64]:
    """A table of these states, which are all different, and the bits of an entry's number."""
    bits = max(_FIRST_BITS, (2 * len(states)).bit_length())
    table = lines(_ENTRY << bits).view(np.uint32)
    machine.loop.fill(table, np.uint64(bits), states, len(states))
    return table, np.uint64(bits)


def lines(count: int) -> npt.NDArray[np.uint8]:
    """So many bytes, all zero, that begin with a line of the processor's cache; uint8[count]."""
    whole = np.zeros(count + _LINE, dtype=np.uint8)
    skip = -whole.ctypes.data % _LINE
    return whole[skip : skip + count]
