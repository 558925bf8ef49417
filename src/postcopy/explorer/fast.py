"""The search in Numba: the fast driver of a kernel, on one core or on several.

With several workers the states are dealt to shards, one for each worker, by their hash. A worker expands the states of
its shard and enters those successors that belong there; the others go to outboxes, which are read by their owners when
all have come to the end of the level or an outbox is full. So nothing is shared while a worker runs: no locks, no
atomic instructions, and each touches only memory that it touched first. Two runs with as many workers see the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.explorer import control, search
from postcopy.explorer.compiled import Machine
from postcopy.explorer.control import (
    AT,
    BOXED,
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

SPLIT_AT = 300_000
"""States from which on several workers pay."""

_FIRST_BITS = 16
_BOX = 1 << 17


class Shard:
    """The states that one worker owns.

    Memory is taken as it is needed: the arrays for all states that `max_bytes` allows are reserved at once, but the
    system gives them page by page. The table begins small and grows in its place, so that memory is touched once.
    """

    def __init__(self, machine: Machine, question: Question, number: int, shards: int, max_bytes: int) -> None:
        self.machine, self.question, self.max_bytes = machine, question, max_bytes
        self.number, self.shards = np.uint64(number), np.uint64(shards)
        words, most = machine.words, machine.most
        self.per_state = 8 * words + 4
        capacity = max(max_bytes // (self.per_state + 13 * words), most + len(question.initial) + 1)
        capacity = min(capacity, (2**31 - 1) // shards)
        self.states = np.empty((words, capacity), dtype=np.int64)
        self.parents = np.empty(capacity, dtype=np.int32)
        self.bits = max(_FIRST_BITS, (2 * most).bit_length())
        self.most_bits = max(self.bits, (max_bytes // (8 * words)).bit_length() - 1)
        self.table = np.zeros(words << self.most_bits, dtype=np.int64)
        self.out = np.zeros((words, most), dtype=np.int64)
        self.hashes = np.zeros(most, dtype=np.uint64)
        self.origin = np.zeros(most, dtype=np.uint32)
        self.label = np.zeros(most, dtype=np.int64)
        self.fired = np.zeros(len(question.progress), dtype=np.uint64)
        self.moved = np.zeros(BLOCK, dtype=np.uint64)
        self.lists = np.zeros(machine.rows * machine.row_length, dtype=np.uint32)
        self.items = np.zeros(machine.row_length, dtype=np.uint32)
        self.picks = np.zeros(machine.rows * machine.row_length, dtype=np.int64)
        self.seen = np.zeros(most, dtype=np.int64)
        self.first = np.full(REST_BIT, -1, dtype=np.int64)
        self.control = np.zeros(WITNESSES + 1, dtype=np.int64)
        box = most + _BOX if shards > 1 else 1
        self.boxes = np.zeros((shards, words, box), dtype=np.int64)
        self.senders = np.zeros((shards, box), dtype=np.int64)
        self.filled = np.zeros(shards, dtype=np.uint64)

    @property
    def shift(self) -> np.uint64:
        """How far to shift a hash to have its slot."""
        return np.uint64(64 - self.bits)

    @property
    def bytes(self) -> int:
        """Memory in use."""
        boxes = self.boxes.nbytes + self.senders.nbytes
        return int(self.control[COUNT] * self.per_state + self._table_bytes + boxes)

    @property
    def _table_bytes(self) -> int:
        return 8 * self.machine.words << self.bits

    def run(self, steps: int) -> None:
        """Expand at most about that many states of the level, unless an outbox or the memory allowed is full."""
        question, machine = self.question, self.machine
        while True:
            machine.loop.run(
                machine.code, self.states, self.parents, self.table, self.shift, self.out, self.hashes, self.origin,
                self.label, self.fired, self.moved, self.lists, self.items, self.picks, self.seen, self.first,
                self.control, self.boxes, self.senders, self.filled, self.number, self.shards, question.step_bits,
                question.state_bits, question.witness_bits, question.deadlock, steps,
            )  # fmt: skip
            if self.control[STATUS] != FULL or not self._grow():
                return

    def receive(self, others: Sequence[Shard]) -> None:
        """Enter what the others have sent."""
        me = int(self.number)
        for other in others:
            if other is self:
                continue
            at = self._receive(other, me, np.uint64(0))
            while self.control[STATUS] == FULL and self._grow():
                self.control[STATUS] = LEVEL
                at = self._receive(other, me, np.uint64(at))
            if self.control[STATUS] in (FULL, STATE):
                return

    def expand(self, states: Any, begin: int, end: int) -> int:
        """Make the successors of states and count them; those of one block are left in `out`, `origin` and `label`."""
        count = self.machine.loop.expand(
            self.machine.code, states, begin, end, self.out, self.origin, self.label, self.fired.copy(), self.moved,
            self.lists, self.items, self.picks,
        )  # fmt: skip
        return int(count)

    def _receive(self, other: Shard, me: int, begin: Any) -> Any:
        return self.machine.loop.receive(
            self.machine.code, self.states, self.parents, self.table, self.shift, self.hashes, self.seen, self.first,
            self.control, other.boxes[me], other.senders[me], begin, other.filled[me], other.number, self.shards,
            self.question.state_bits, self.question.witness_bits,
        )  # fmt: skip

    def deal(self, whole: Shard, ids: Any) -> None:
        """Take this shard's part of all states seen so far."""
        self.machine.loop.deal(
            whole.states, whole.parents, whole.control[COUNT], whole.control[HEAD], self.number, self.shards, ids,
            self.states, self.parents, self.control,
        )  # fmt: skip
        self._fill()

    def restore(self, states: Any, parents: Any, control_: list[int], fired: list[int], first: list[int]) -> bool:
        """Stand where such a shard stood; False where the memory allowed does not suffice."""
        known = states.shape[1]
        if known + len(self.origin) > len(self.parents):
            return False
        self.states[:, :known], self.parents[:known] = states, parents
        self.control[:], self.fired[:], self.first[:] = control_, fired, first
        if self.control[STATUS] == FULL:
            self.control[STATUS] = RUNNING
        return self._fill()

    def _fill(self) -> bool:
        """Enter all states into the empty table."""
        while int(self.control[COUNT]) > 1 << self.bits - 2 and self.bits < self.most_bits:
            self.bits += 1
        if int(self.control[COUNT]) > 3 << self.bits - 2:
            return False
        self.machine.loop.refill(self.states, self.control[COUNT], self.table, self.shift)
        return True

    def _grow(self) -> bool:
        """Make room; False where the memory allowed does not suffice."""
        count = int(self.control[COUNT])
        if count + len(self.origin) > len(self.parents):
            return False
        if self.bits == self.most_bits or count * self.per_state + 2 * self._table_bytes > self.max_bytes:
            return False
        self.bits += 1
        self.machine.loop.grow(self.table, self.shift)
        return True


class Compiled:
    """The search in Numba, a while at a time."""

    def __init__(self, machine: Machine, question: Question, workers: int = 1, split_at: int = SPLIT_AT) -> None:
        self.machine, self.question, self.workers, self.split_at = machine, question, workers, split_at
        self.shards = [Shard(machine, question, 0, 1, question.max_bytes)]
        self.pool: ThreadPoolExecutor | None = None
        self.depth = 0
        self.status = search.RUNNING
        only = self.shards[0]
        for state in question.initial:
            self._seed(only, state)
        machine.loop.refill(only.states, only.control[COUNT], only.table, only.shift)
        only.control[LEVEL_END] = only.control[COUNT]
        if machine.loop.look(
            machine.code, only.states, np.uint64(0), np.uint64(only.control[COUNT]), only.seen, only.first,
            only.control, question.state_bits, question.witness_bits,
        ):  # fmt: skip
            only.control[STATUS] = RUNNING
        else:
            self.status = search.STATE

    def _seed(self, only: Shard, state: tuple[int, ...]) -> None:
        at = int(only.control[COUNT])
        only.out[:, 0] = np.array(state, dtype=np.uint64).view(np.int64)
        self.machine.loop.canonical(self.machine.code, only.out, np.uint64(1))
        if any((only.states[:, i] == only.out[:, 0]).all() for i in range(at)):
            return
        only.states[:, at] = only.out[:, 0]
        only.parents[at] = -1
        only.control[COUNT] += 1

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        end = self._expanded() + steps
        while self.status == search.RUNNING and self._expanded() < end:
            if len(self.shards) == 1:
                self.shards[0].run(end - self._expanded())
            else:
                self._round(end - self._expanded())
            self._judge()
        return self._findings()

    def _expanded(self) -> int:
        return sum(int(shard.control[HEAD]) for shard in self.shards)

    def _all(self, do: Callable[[Shard], None]) -> None:
        assert self.pool is not None
        list(self.pool.map(do, self.shards))

    def _round(self, steps: int) -> None:
        """Let every worker run until it can do no more alone, then let all read what they were sent."""
        share = max(steps // len(self.shards), 1)
        for shard in self.shards:
            shard.filled[:] = 0
        self._all(lambda shard: shard.run(share))
        if all(shard.control[STATUS] in (RUNNING, LEVEL, BOXED) for shard in self.shards):
            self._all(lambda shard: shard.receive(self.shards))

    def _judge(self) -> None:
        """Go on to the next level, or stop, as the shards' states demand."""
        stopped = [s for s in self.shards if s.control[STATUS] not in (RUNNING, LEVEL, BOXED)]
        if stopped:
            self.status = _STATUS[int(stopped[0].control[STATUS])]
            return
        reached = 0
        for shard in self.shards:
            reached |= int(shard.control[WITNESSES])
        for shard in self.shards:  # so that none notes a later one
            shard.control[WITNESSES] = reached
        if any(shard.control[HEAD] < shard.control[LEVEL_END] for shard in self.shards):
            return
        if all(shard.control[HEAD] == shard.control[COUNT] for shard in self.shards):
            self.status = search.DONE
            return
        self.depth += 1
        for shard in self.shards:
            shard.control[LEVEL_END] = shard.control[COUNT]
        if self.workers > len(self.shards) and self.shards[0].control[COUNT] >= self.split_at:
            self._split()

    def _split(self) -> None:
        """Deal all states to as many shards as there are workers."""
        whole, workers = self.shards[0], self.workers
        ids = np.empty(int(whole.control[COUNT]), dtype=np.int64)
        self.machine.loop.number(whole.states, whole.control[COUNT], np.uint64(workers), ids)
        share = self.question.max_bytes // workers
        self.shards = [Shard(self.machine, self.question, i, workers, share) for i in range(workers)]
        self.pool = ThreadPoolExecutor(workers)
        self._all(lambda shard: shard.deal(whole, ids))
        self.shards[0].fired += whole.fired
        for shard in self.shards:
            shard.control[WITNESSES] = whole.control[WITNESSES]
        for bit, at in enumerate(whole.first):
            if at >= 0:
                self.shards[ids[at] % workers].first[bit] = ids[at] // workers

    def restore(self, shards: int, depth: int) -> None:
        """Begin again with so many empty shards, which `Shard.restore` fills."""
        self.status, self.depth = search.RUNNING, depth
        share = self.question.max_bytes // shards
        self.shards = [Shard(self.machine, self.question, i, shards, share) for i in range(shards)]
        if shards > 1:
            self.pool = ThreadPoolExecutor(shards)

    @property
    def resumable(self) -> bool:
        """Whether what the shards have now is all that was found: not where one was full with messages unread."""
        return self.status in (search.RUNNING, search.DONE) or (self.status == search.FULL and len(self.shards) == 1)

    def expand_all(self) -> int:
        """Make all successors of all states found so far and count them: for measuring the kernel alone."""
        total = 0
        for s in self.shards:
            total += s.expand(s.states, 0, int(s.control[COUNT]))
        return total

    def _findings(self) -> Findings:
        shards = self.shards
        fired = np.sum([shard.fired for shard in shards], axis=0)
        first = {}
        for shard in shards:
            for bit, at in enumerate(shard.first):
                if at >= 0 and bit not in first:
                    first[bit] = self._global(shard, int(at))
        states = sum(int(shard.control[COUNT]) for shard in shards)
        found = Findings(
            status=self.status,
            states=states,
            transitions=int(fired.sum()),
            depth=self.depth,
            frontier=states - self._expanded(),
            fired=[int(n) for n in fired],
            witnesses=sum(1 << bit for bit in first),
            first=first,
            bytes=sum(shard.bytes for shard in shards),
        )
        if self.status not in (search.RUNNING, search.DONE, search.FULL):
            shard = next(s for s in shards if s.control[STATUS] in _STATUS)
            found.at = self._global(shard, int(shard.control[AT]))
            found.detail = int(shard.control[DETAIL])
            if self.status == search.STEP:
                found.after = _words(shard.out[:, 0])
        return found

    def _global(self, shard: Shard, at: int) -> int:
        return at * len(self.shards) + int(shard.number)

    def state(self, at: int) -> tuple[int, ...]:
        """The packed state with this index."""
        place, number = divmod(at, len(self.shards))
        return _words(self.shards[number].states[:, place])

    def stored(self) -> list[tuple[int, ...]]:
        """All packed states, shard by shard in the order of discovery."""
        return [tuple(words) for words in self.array().tolist()]

    def array(self) -> npt.NDArray[np.uint64]:
        """All packed states in the same order; uint64[states, words]."""
        known = [shard.states[:, : int(shard.control[COUNT])].T for shard in self.shards]
        return np.concatenate(known).view(np.uint64)

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""
        states = []
        while at >= 0:
            states.append(self.state(at))
            place, number = divmod(at, len(self.shards))
            at = int(self.shards[number].parents[place])
        return states[::-1]


_STATUS = {
    control.STEP: search.STEP,
    control.STATE: search.STATE,
    control.DEADLOCK: search.DEADLOCK,
    control.WRONG: search.WRONG,
    control.FULL: search.FULL,
}


def _words(column: Any) -> tuple[int, ...]:
    return tuple(int(word) & (1 << 64) - 1 for word in column)
