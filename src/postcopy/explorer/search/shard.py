"""The states of a compiled search, or one part of them, and the workers that expand them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.compiled import Machine
from postcopy.explorer.kernel.expression_code import BLOCK, REST_BIT
from postcopy.explorer.search import interpreted as search
from postcopy.explorer.search import status as control
from postcopy.explorer.search.interpreted import Findings, Question
from postcopy.explorer.search.status import (
    AT,
    COUNT,
    DEADLOCK,
    DETAIL,
    FULL,
    HEAD,
    LEVEL,
    LEVEL_END,
    RUNNING,
    STATE,
    STATUS,
    STEP,
    WITNESSES,
    WRONG,
)

_ENTRY = 4
"""Bytes of an entry of the table."""

_FIRST_BITS, _MOST_BITS = 16, 31
_BOX = 1 << 17

_PIECE = 4 * BLOCK
"""States that one of several workers takes at once."""

_LINE = 64


class Hand:
    """What one worker needs to expand states: memory of its own, on lines of the cache that nobody else writes to.

    Attributes:
        control: its numbers (see `control`); int64[7].
        own: its next number for a state, and the first that is not its own; int64[2].
        block: states to be expanded; int64[words, BLOCK].
        out, origin, label: the last block's successors, which state each is of, and by what; `most` of each.
        fired: for each action, how often it was taken; uint64[actions].
        first: for each bit of a witness, the number of the first state found that reaches it, or -1; int64[bits].
    """

    def __init__(self, machine: Machine, question: Question) -> None:
        self.machine, words, most = machine, machine.words, machine.most
        self.block = np.zeros((words, BLOCK), dtype=np.int64)
        self.out = np.zeros((words, most), dtype=np.int64)
        self.hashes = np.zeros(most, dtype=np.uint64)
        self.every = np.arange(most, dtype=np.uint32)
        self.mine, self.theirs, self.fresh, self.came, self.origin = (np.zeros(most, dtype=np.uint32) for _ in range(5))
        self.label, self.seen = (np.zeros(most, dtype=np.int64) for _ in range(2))
        self.moved = np.zeros(BLOCK, dtype=np.uint64)
        self.lists = np.zeros(machine.rows * machine.row_length, dtype=np.uint32)
        self.items = np.zeros(machine.row_length, dtype=np.uint32)
        self.picks = np.zeros(machine.rows * machine.row_length, dtype=np.int64)
        self.fired = lines(8 * len(question.progress)).view(np.uint64)
        self.first = lines(8 * REST_BIT).view(np.int64)
        self.first[:] = -1
        self.control = lines(8 * (WITNESSES + 1)).view(np.int64)
        self.own = lines(8 * 2).view(np.int64)

    def expand(self, states: Any, begin: int, end: int) -> int:
        """Make the successors of states and count them; those of one block are left in `out`, `origin` and `label`."""
        count = self.machine.loop.expand(
            self.machine.code, states, begin, end, self.block, self.out, self.origin, self.label, self.fired.copy(),
            self.moved, self.lists, self.items, self.picks,
        )  # fmt: skip
        return int(count)


class Shard:
    """States, how they are found again, and the workers that expand them. The states may be one part of all.

    Memory is taken as it is needed: the arrays for all states that `max_bytes` allows are reserved at once, but the
    system gives them page by page. The table begins small and grows in its place, so that memory is touched once.

    Args:
        machine: the kernel.
        question: what is looked for.
        number: which part of all states.
        shards: of how many.
        max_bytes: memory that this part may take.
        box: how many states for another part may wait until it enters them.
        workers: threads that expand states together, where there is one part only.
        alone_until: until there are so many states, one of them works alone.

    Attributes:
        states: the states in the order of discovery; int64[capacity, words].
        parents: their parents' numbers, or -1; int32[capacity].
        table: what finds a state's number (see `loop`); uint32[entries].
        boxes: for each other part, what it has to enter: states with their parents' numbers behind them;
            int64[shards, box, words + 1].
        control: where the search stands (see `control`); int64[7].
        fired, first: as those of the workers, of all of them.
        after: the words after the last step that was found to violate a property.
        hands: the workers.
    """

    def __init__(
        self,
        machine: Machine,
        question: Question,
        number: int,
        shards: int,
        max_bytes: int,
        box: int = _BOX,
        workers: int = 1,
        alone_until: int = 0,
    ) -> None:
        self.machine, self.question, self.max_bytes = machine, question, max_bytes
        self.number, self.shards = np.uint64(number), np.uint64(shards)
        self.hands = [Hand(machine, question) for _ in range(workers)]
        self.pool, self.alone_until = ThreadPoolExecutor(workers) if workers > 1 else None, alone_until
        words, most = machine.words, machine.most
        self.piece = BLOCK if workers == 1 else _PIECE
        self.reserve = workers * (int(machine.loop.CHUNK) + self.piece // BLOCK * most)
        self.per_state = 8 * words + 4
        self.bits = self._first_bits = max(_FIRST_BITS, (2 * self.reserve).bit_length())
        capacity, self.most_bits = self._most()
        capacity = min(max(capacity, self.reserve + len(question.initial) + 1), (2**31 - 1) // shards)
        self.states = np.empty((capacity, words), dtype=np.int64)
        self.parents = np.empty(capacity, dtype=np.int32)
        self.table = lines(_ENTRY << self.most_bits).view(np.uint32)
        self.shared = lines(2 * _LINE).view(np.int64)
        self.control = np.zeros(WITNESSES + 1, dtype=np.int64)
        self.fired = np.zeros(len(question.progress), dtype=np.uint64)
        self.first = np.full(REST_BIT, -1, dtype=np.int64)
        self.after: tuple[int, ...] = ()
        box = most + box if shards > 1 else 1
        self.boxes = np.zeros((shards, box, words + 1), dtype=np.int64)
        self.filled = np.zeros(shards, dtype=np.uint64)

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
        return Report(self.control, self.fired, self.first, self.bytes, self.after)

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return int(self.control[COUNT] * self.per_state + self._table_bytes + self.boxes.nbytes)

    def _most(self) -> tuple[int, int]:
        """As many states as the memory allowed holds, and the bits of the table that finds them."""
        eighths = int(self.machine.loop.EIGHTHS)
        return max(
            (min((1 << bits) // 8 * eighths, (self.max_bytes - (_ENTRY << bits)) // self.per_state), bits)
            for bits in range(self._first_bits, _MOST_BITS + 1)
        )

    @property
    def _room(self) -> int:
        """How many numbers may be taken for states before the workers begin their last pieces."""
        return min(len(self.parents), (1 << self.bits) // 8 * int(self.machine.loop.EIGHTHS)) - self.reserve

    @property
    def _table_bytes(self) -> int:
        return _ENTRY << self.bits

    def run(self, steps: int) -> None:
        """Expand at most about that many states of the level, unless an outbox or the memory allowed is full."""
        loop, end = self.machine.loop, int(min(self.control[HEAD] + steps, self.control[LEVEL_END]))
        while True:
            self.shared[loop.TAKEN], self.shared[loop.GIVEN] = self.control[COUNT], self.control[HEAD]
            hands = self._hands
            self._each(hands, lambda _, hand: self._expand(hand, end))
            self._close_gaps(hands)
            self._sum_up(hands, end)
            if self.control[STATUS] != FULL or not self._grow():
                return

    @property
    def _hands(self) -> list[Hand]:
        """Those that there is work for."""
        return self.hands if self.control[COUNT] >= self.alone_until else self.hands[:1]

    def _each(self, hands: list[Hand], do: Callable[[int, Hand], None]) -> None:
        """Let all work at once."""
        if self.pool is None or len(hands) == 1:
            do(0, hands[0])
        else:
            list(self.pool.map(do, range(len(hands)), hands))

    def _expand(self, hand: Hand, end: int) -> None:
        question, machine = self.question, self.machine
        hand.control[WITNESSES] = self.control[WITNESSES]
        machine.loop.run(
            machine.code, self.states, self.parents, self.table, np.uint64(self.bits), hand.block, hand.out,
            hand.hashes, hand.every, hand.mine, hand.theirs, hand.fresh, hand.came, hand.origin, hand.label, hand.fired,
            hand.moved, hand.lists, hand.items, hand.picks, hand.seen, hand.first, hand.control, self.shared, hand.own,
            self.boxes, self.filled, self.number, self.shards, question.step_bits, question.state_bits,
            question.witness_bits, question.deadlock, self.piece, end, self._room, len(self._hands) == 1,
        )  # fmt: skip

    def _close_gaps(self, hands: list[Hand]) -> None:
        """Give the last states the numbers that were taken and not used, and those of what was found follow them."""
        loop, bits = self.machine.loop, np.uint64(self.bits)
        gaps = np.array(sorted(tuple(hand.own) for hand in hands), dtype=np.int64)
        found = np.array([[*hand.first, hand.control[AT]] for hand in hands], dtype=np.int64)
        self.control[COUNT] = loop.close_gaps(
            self.states, self.parents, self.table, bits, gaps, self.shared[loop.TAKEN], found.reshape(-1)
        )
        for hand, (*first, at) in zip(hands, found, strict=True):
            hand.first[:], hand.own[:] = first, 0
            if hand.control[STATUS] == STATE:
                hand.control[AT] = at

    def _sum_up(self, hands: list[Hand], end: int) -> None:
        """Bring together how all stand."""
        self._note(hands)
        stopped = [hand for hand in hands if hand.control[STATUS] in (STEP, STATE, DEADLOCK, WRONG)]
        head = min(int(self.shared[self.machine.loop.GIVEN]), end, *(int(hand.control[HEAD]) for hand in stopped))
        self.control[HEAD] = head
        if stopped:
            self._stop(min(stopped, key=lambda hand: int(hand.control[HEAD])))
        elif head < end:
            self.control[STATUS] = max(int(hand.control[STATUS]) for hand in hands)
        else:
            self.control[STATUS] = LEVEL if head == self.control[LEVEL_END] else RUNNING

    def _note(self, hands: list[Hand]) -> None:
        for hand in hands:
            self.fired += hand.fired
            self.control[WITNESSES] |= hand.control[WITNESSES]
            nearer = (hand.first >= 0) & (self.first < 0)
            self.first[nearer] = hand.first[nearer]
            hand.fired[:], hand.first[:] = 0, -1

    def _stop(self, hand: Hand) -> None:
        """Take over what a worker found that ends the search."""
        for what in (STATUS, AT, DETAIL):
            self.control[what] = hand.control[what]
        self.after = words_of(hand.out[:, 0])
        if hand.control[STATUS] == STATE and len(self.hands) == 1:
            self.control[COUNT] = hand.control[AT] + 1

    def take(self, box: Any) -> bool:
        """Enter states sent by others, with their parents' numbers behind them; False where that ends the search."""
        question, loop, at, hand = self.question, self.machine.loop, 0, self.hands[0]
        while True:
            self.shared[loop.TAKEN] = self.control[COUNT]
            hand.control[STATUS], hand.control[WITNESSES] = RUNNING, self.control[WITNESSES]
            at = loop.receive(
                self.machine.code, self.states, self.parents, self.table, np.uint64(self.bits), hand.block, hand.hashes,
                hand.every, hand.fresh, hand.came, hand.seen, hand.first, hand.control, self.shared, hand.own, box,
                np.uint64(at), question.state_bits, question.witness_bits, self._room, True,
            )  # fmt: skip
            self._close_gaps([hand])
            self._note([hand])
            if hand.control[STATUS] == STATE:
                self._stop(hand)
                return False
            if hand.control[STATUS] != FULL:
                return True
            if not self._grow():
                self.control[STATUS] = FULL
                return False

    def restore(self, states: Any, parents: Any, control_: list[int], fired: list[int], first: list[int]) -> bool:
        """Stand where such a shard stood; False where the memory allowed does not suffice."""
        known = len(states)
        if known + self.reserve > len(self.parents):
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
        return self._fill()

    def _fill(self) -> bool:
        """Make the table for all states that there are; False where the memory allowed does not suffice."""
        count = int(self.control[COUNT])
        while count > self._room and self.bits < self.most_bits:
            self.bits += 1
        if count > self._room:
            return False
        loop, hands, bits = self.machine.loop, self._hands, np.uint64(self.bits)
        alone = len(hands) == 1

        def part(whole: int, number: int) -> tuple[int, int]:
            return whole * number // len(hands), whole * (number + 1) // len(hands)

        self._each(hands, lambda number, _: loop.clear(self.table, *part(1 << self.bits, number)))
        self._each(hands, lambda number, _: loop.fill(self.table, bits, self.states, *part(count, number), alone))
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
    bits = min(max(_FIRST_BITS, (2 * len(states)).bit_length()), _MOST_BITS)
    table = lines(_ENTRY << bits).view(np.uint32)
    machine.loop.fill(table, np.uint64(bits), states, 0, len(states), True)
    return table, np.uint64(bits)


def lines(count: int) -> npt.NDArray[np.uint8]:
    """So many bytes, all zero, on lines of the processor's cache that hold nothing else; uint8[count]."""
    whole = np.zeros((count // _LINE + 2) * _LINE, dtype=np.uint8)
    skip = -whole.ctypes.data % _LINE
    return whole[skip : skip + count]
