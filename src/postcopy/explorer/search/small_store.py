"""The memory of a search with the small table: what there is of each part, and how it grows.

All memory that a part may ever need is reserved at once, and the system gives it page by page as it is touched. Parts
grow in their place, so that old and new never stand side by side: an index of words is made again from the words, and
the table of pairs is spread from its end. Only while the table is small is it moved into another: then a key gets more
bits, and they are dealt anew to its two numbers.

The states may be one part of all, dealt by some of their words. Then there are outboxes for the other parts, as in
`shard`, and one worker.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from postcopy.errors import UsageError
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.search.findings import Question
from postcopy.explorer.search.loops import Machine, load_small
from postcopy.explorer.search.pair_table import FARTHEST, SLOTS, Shape, apart_from, copied_buckets, most_key_bits, shape
from postcopy.explorer.search.records import Numbering, Outboxes, Tables, Wanted
from postcopy.explorer.search.shard import words_of
from postcopy.explorer.search.small_layout import dealt_by, tree
from postcopy.explorer.search.status import AT, COUNT, DETAIL, ENDED, FOUND, HEAD, LEVEL_END, STATUS, WITNESSES, Status
from postcopy.explorer.search.word_table import CHUNK, LAST, NEXT
from postcopy.explorer.search.worker import ALONE_UNTIL, LINE, Worker, lines
from postcopy.surface import setting

FULLEST = 78
"""Hundredths of the table of pairs that may be taken. With more a home is often full, and with less states take more
than eight bytes where the table has just grown."""

EIGHTHS = 7
"""Eighths of an index of words that may be taken."""

FIRST_BUCKETS = 1 << 12
MOVED_BUCKETS = 1 << 20
"""Up to so many buckets, 64 MiB, the table is moved when it grows."""

MOST_BITS = 31
"""Bits of an entry's place in an index of words at the most: an entry of 32 bits has to keep one for its tag."""

OUTBOX = 1 << 17
"""States that may wait for another part until it enters them, beside those of a block."""

STRETCH = 1 << 15
"""States that are expanded at least before the queue may be shifted."""

FEW_BUCKETS = 1 << 12
"""So many buckets are moved by one worker alone when the table grows in its place."""

_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
"""Linux's MAP_NORESERVE: memory that is not touched is not counted."""

_One = TypeVar("_One")


def reserved(count: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array of zeros that takes memory where it is touched only; kind[count].

    Raises:
        UsageError: the process may not have so many addresses.
    """
    size = max(count * np.dtype(kind).itemsize, mmap.PAGESIZE)
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
    except OSError:
        raise UsageError(
            "a small table reserves several times the addresses that it may use, and the system does not give them: "
            f"lift the limit (ulimit -v), or allow less memory ({setting('max_memory')})"
        ) from None
    if hasattr(mmap, "MADV_HUGEPAGE") and size >= 1 << 22:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype=kind, count=count)


class SmallWorker(Worker):
    """One worker of a search with the small table.

    Args:
        machine: what it runs on.
        nodes: how many nodes of the tree have numbers.

    Attributes:
        numbering: its memory for the numbers of a block's successors.
    """

    def __init__(self, machine: Machine, nodes: int) -> None:
        super().__init__(machine)
        most = machine.code.most
        self.numbering = Numbering(
            ids=np.zeros((nodes, most), dtype=np.uint64),
            asked=np.zeros(most, dtype=np.int64),
            homes=np.zeros(most, dtype=np.uint64),
            rests=np.zeros(most, dtype=np.uint64),
            tags=np.zeros(most, dtype=np.uint32),
            pending=np.zeros(2, dtype=np.int64),
            own=lines(8 * 2 * nodes).view(np.int64).reshape(nodes, 2),
        )


class SmallStore:
    """The states of a search, its queue, and the workers that expand them.

    Args:
        machine: the kernel.
        question: what is looked for.
        max_bytes: memory that all this may take.
        tagged: whether places of the queue have tags.
        workers: threads that expand states together.
        alone_until: until there are so many states, one of them works alone.
        children: the tree, in place of the one that a sample says is best.
        number: which part of all states.
        shards: of how many. With several there is one worker.
        dealt: what says whose a state is (see `records.Tables`), in place of what a sample says is best.

    Attributes:
        tables: see `records.Tables`.
        shape: see `pair_table.Shape`.
        workers: the workers.
        outboxes: states that other parts have to enter, with their tags behind them where places have tags.
        control: where the search stands (see `status`), in places of the queue; int64[7].
        fired: that of all workers together; see `records.Notes`.
        reached: for each bit of a witness, the pair of a first state that reaches it.
        found: the pair of the state that ended the search.
        after: the words after the step that violates a property.
        states: how many there are.
        begun: whether all initial states were entered, and there was room for more.
        shifted: how many pairs have left the queue.
        before_shift: is called before pairs leave the queue, those up to a place.
    """

    def __init__(
        self,
        machine: Machine,
        question: Question,
        max_bytes: int,
        tagged: bool = False,
        workers: int = 1,
        alone_until: int = ALONE_UNTIL,
        children: npt.NDArray[np.int64] | None = None,
        number: int = 0,
        shards: int = 1,
        dealt: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.code, self.loop, self.max_bytes = machine.code, load_small(), max_bytes
        self.question, self.alone_until = question, alone_until
        self.wanted = Wanted(question.step_bits, question.state_bits, question.witness_bits, question.deadlock)
        children = tree(machine, question) if children is None else children
        if dealt is None:
            whole = np.full(self.code.words, -1, dtype=np.int64)
            dealt = dealt_by(machine, question, children) if shards > 1 else whole
        nodes = len(children) - 1
        self.workers = [SmallWorker(machine, nodes) for _ in range(workers)]
        self.pool = ThreadPoolExecutor(workers) if workers > 1 else None
        assert workers == 1 or shards == 1
        waiting = self.code.most + OUTBOX if shards > 1 else 1
        self.outboxes = Outboxes(
            rows=np.zeros((shards, waiting, self.code.words + tagged), dtype=np.int64),
            filled=np.zeros(shards, dtype=np.uint64),
            shard=np.uint64(number),
            shards=np.uint64(shards),
        )
        self.reserve = workers * (self.loop.CHUNK + self.code.most)
        self.reserve_words = workers * (CHUNK + self.code.most)
        capacity = max(max_bytes // 8, 4 * self.reserve)
        bits = (4 * self.reserve_words).bit_length()
        self.buckets = max(FIRST_BUCKETS, 2 * self.reserve * 100 // FULLEST // SLOTS)
        self.shape = shape(self.buckets, most_key_bits(self.buckets), most_key_bits(self.buckets) // 2)
        self.tables = Tables(
            table=self._table(),
            words=reserved(nodes * capacity, np.int64).reshape(nodes, capacity),
            indexes=reserved(nodes << min(max(capacity.bit_length(), bits), MOST_BITS), np.uint32).reshape(nodes, -1),
            bits=np.full(nodes, bits, dtype=np.uint64),
            known=np.zeros(nodes, dtype=np.uint64),
            room=np.zeros(nodes, dtype=np.uint64),
            children=children,
            dealt=dealt,
            queue=reserved(capacity, np.uint64),
            tags=reserved(capacity if tagged else 0, np.uint32),
            shared=lines(2 * LINE).view(np.int64),
        )
        self.control = np.zeros(WITNESSES + 1, dtype=np.int64)
        self.fired = np.zeros(2 * self.code.leaves, dtype=np.uint64)
        self.reached: dict[int, int] = {}
        self.found = self.states = self.longest = self.shifted = 0
        self.before_shift: Callable[[int], None] = lambda _: None
        self.after: Words = ()
        self.begun = self.given_up = False
        self._set_rooms()

    @property
    def status(self) -> Status:
        """How it stands."""
        return Status(int(self.control[STATUS]))

    @property
    def bytes(self) -> int:
        """Memory in use."""
        return self._bytes_with(self.buckets) + self.longest * self._in_queue

    @property
    def _in_queue(self) -> int:
        """Bytes of a place in the queue."""
        return 12 if len(self.tables.tags) else 8

    @property
    def is_pending(self) -> bool:
        """Whether a worker has states that it has to enter, because there was no room for one."""
        return any(worker.numbering.pending[self.loop.SUCCESSORS] for worker in self.workers)

    def _bytes_with(self, buckets: int) -> int:
        """Memory in use but for the queue, with so many buckets."""
        words = 8 * int(self.tables.known.sum()) + sum(4 << int(bits) for bits in self.tables.bits)
        return words + LINE * (buckets + FARTHEST) + self.outboxes.rows.nbytes

    def _table(self) -> npt.NDArray[np.uint32]:
        return reserved(SLOTS * (max(self.max_bytes // LINE, self.buckets) + FARTHEST), np.uint32)

    # -- searching ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Enter those initial states that belong here."""
        columns = np.array(self.question.initial, dtype=np.uint64).T.view(np.int64)
        worker = self.workers[0]
        for at in range(0, columns.shape[1], self.code.most):
            some = columns[:, at : at + self.code.most]
            worker.scratch.out[:, : some.shape[1]] = some
            self.loop.number(
                self.code.addresses, self.tables, worker.scratch, worker.numbering, self.outboxes, some.shape[1], True
            )
            self.forget_sent()  # each part begins with all of them
            self._expand(0)
            while self.status == Status.FULL and self._grow():
                self._expand(0)
            self.control[LEVEL_END] = self.control[COUNT]
            if self.status in ENDED:
                break
        else:
            self.begun = True

    def run(self, steps: int) -> None:
        """Expand at most about that many states of the level, unless the memory allowed is full."""
        control = self.control
        last = min(int(control[HEAD]) + steps, int(control[LEVEL_END]))
        while True:
            last -= self._shift_queue()
            self._expand(min(int(control[HEAD]) + max(STRETCH, int(control[COUNT]) // 16), last))
            if self.status == Status.FULL:
                if not self._grow():
                    return
            elif self.status != Status.LEVEL or control[HEAD] >= last:
                break
        if self.status == Status.LEVEL and control[HEAD] < control[LEVEL_END]:
            control[STATUS] = Status.RUNNING

    def _expand(self, end: int) -> None:
        """Let the workers enter what is pending, and expand states of the queue up to a place."""
        workers, room, shared = self._busy, self._room, self.tables.shared
        shared[self.loop.TAKEN], shared[self.loop.GIVEN] = self.control[COUNT], self.control[HEAD]

        def expand(worker: SmallWorker) -> None:
            worker.notes.control[WITNESSES] = self.control[WITNESSES]
            self.loop.run(
                self.code.addresses, self.tables, self.shape, worker.scratch, worker.notes, worker.numbering,
                self.outboxes, self.wanted, end, room, len(workers) == 1,
            )  # fmt: skip

        self._each(expand, workers)
        self._sum_up(workers, end)

    def sent(self, to: int) -> npt.NDArray[np.int64]:
        """What is on its way to another part: states, with their tags behind them where places have tags."""
        return self.outboxes.rows[to, : int(self.outboxes.filled[to])]

    def forget_sent(self) -> None:
        """Empty the outboxes."""
        self.outboxes.filled[:] = 0

    def take(self, rows: npt.NDArray[np.int64]) -> bool:
        """Enter states that other parts have sent; False where that ends the search."""
        (worker,), shared, came = self.workers, self.tables.shared, 0
        while True:
            head = worker.notes.control[HEAD] = self.control[HEAD]
            shared[self.loop.TAKEN], shared[self.loop.GIVEN] = self.control[COUNT], head
            worker.notes.control[WITNESSES] = self.control[WITNESSES]
            came = self.loop.receive(
                self.code.addresses, self.tables, self.shape, worker.scratch, worker.notes, worker.numbering,
                self.wanted, rows, came, self._room,
            )  # fmt: skip
            self._sum_up(self.workers, int(head))
            if self.status != Status.FULL:
                return self.status not in ENDED
            if not self._grow():
                return False

    @property
    def _busy(self) -> list[SmallWorker]:
        """Those that there is work for."""
        return self.workers if self.states >= self.alone_until else self.workers[:1]

    def _each(self, do: Callable[[_One], object], each: list[_One]) -> list[object]:
        """Do something for each of some things, all at once; what came of it."""
        if self.pool is None or len(each) == 1:
            return [do(one) for one in each]
        return list(self.pool.map(do, each))

    def _sum_up(self, workers: list[SmallWorker], end: int) -> None:
        """Make one status of those of all workers, and note what they have found."""
        control, queue = self.control, self.tables.queue
        for notes in (worker.notes for worker in workers):
            self.fired += notes.fired
            control[WITNESSES] |= notes.control[WITNESSES]
            for bit in np.flatnonzero(notes.first >= 0).tolist():
                self.reached.setdefault(bit, int(queue[notes.first[bit]]))
            notes.fired[:], notes.first[:] = 0, -1
        stopped = [worker for worker in workers if worker.status in FOUND]
        heads = (int(worker.notes.control[HEAD]) for worker in stopped)
        control[HEAD] = min(int(self.tables.shared[self.loop.GIVEN]), end, *heads)
        control[STATUS] = max(worker.status for worker in workers)
        first = min(stopped, key=lambda worker: int(worker.notes.control[HEAD]), default=None)
        if first is not None:
            for what in (STATUS, AT, DETAIL):
                control[what] = first.notes.control[what]
            self.found, self.after = int(queue[control[AT]]), words_of(first.scratch.out[:, 0])
        self._close_gaps(workers)

    def _close_gaps(self, workers: list[SmallWorker]) -> None:
        """Give the last pairs the places in the queue that were taken and not used, and count the states."""
        control, top = self.control, int(self.tables.shared[self.loop.TAKEN])
        self.longest = max(self.longest, top)
        free = np.concatenate([np.arange(*worker.notes.numbers) for worker in workers])
        count = top - len(free)
        holes, last = free[free < count], np.setdiff1d(np.arange(count, top), free)
        for array in (self.tables.queue, self.tables.tags):
            if len(array):
                array[holes] = array[last]
        for worker in workers:
            worker.notes.numbers[:] = 0
        if self.status == Status.STATE and len(self.workers) == 1:
            count = int(control[AT]) + 1
        self.states += count - int(control[COUNT])
        control[COUNT] = count

    def _shift_queue(self) -> int:
        """Give the room of what was expanded to what is still to come, if it is worth it; returns by how much."""
        head, count = int(self.control[HEAD]), int(self.control[COUNT])
        if self.is_pending or head < STRETCH or head < count // 4:  # a worker has noted where its pending block stands
            return 0
        self.before_shift(head)
        self.shifted += head
        for array in (self.tables.queue, self.tables.tags):
            for begin in range(head, count if len(array) else 0, head):  # parts that do not overlap with their place
                part = array[begin : min(begin + head, count)]
                array[begin - head : begin - head + len(part)] = part
        self.control[HEAD], self.control[COUNT] = 0, count - head
        self.control[LEVEL_END] -= head
        return head

    # -- growing ------------------------------------------------------------------------------------------------------

    @property
    def _most(self) -> int:
        """States that there may be before the table of pairs has to grow."""
        return int(self.buckets * SLOTS * FULLEST // 100)

    @property
    def _room(self) -> int:
        """How many places of the queue may be taken before the workers begin their last blocks."""
        left = (self.max_bytes - self._bytes_with(self.buckets)) // self._in_queue
        entries = int(self.control[COUNT]) + self._most - self.states
        return min(left, len(self.tables.queue), entries) - int(self.reserve)

    def _numbers(self, node: int) -> int:
        """How many numbers a node may have: as many as its part of a key, or half of a word, can tell apart."""
        left, right = self.tables.children[-1]
        key, left_bits = int(self.shape.key_bits), int(self.shape.left_bits)
        return 1 << {left: left_bits, right: key - left_bits}.get(node, MOST_BITS)

    def _set_rooms(self) -> None:
        for node, bits in enumerate(self.tables.bits):
            index = (1 << int(bits)) // 8 * EIGHTHS
            room = min(index, self._numbers(node), self.tables.words.shape[1]) - self.reserve_words
            self.tables.room[node] = max(room, 0)

    def _grow(self) -> bool:
        """Make room where there is none; False where the memory allowed does not suffice."""
        grown = False
        for node, known in enumerate(self.tables.known.tolist()):
            if known > self.tables.room[node]:
                narrow = self._numbers(node) - self.reserve_words < known
                if not (self._widen() if narrow else self._grow_index(node)):
                    return False
                grown = True
        left_over = len(self.workers) * self.loop.CHUNK  # places that were taken and not used, at most
        if self.states + left_over > self._most - self.reserve or self.is_pending:
            grown = self._grow_table()
        self._set_rooms()
        return grown

    def _fits(self, bytes_: int) -> bool:
        """Whether so much memory without the queue leaves room for the queue."""
        return bytes_ + self.longest * self._in_queue <= self.max_bytes

    def _grow_index(self, node: int) -> bool:
        bits = int(self.tables.bits[node])
        if 1 << bits + 1 > self.tables.indexes.shape[1] or not self._fits(self.bytes + (4 << bits)):
            return False
        self._settle(node)
        self.tables.bits[node] = bits + 1
        self.loop.fill(self.tables, node)
        return True

    def settle(self) -> None:
        """Let all numbers that were taken be of words."""
        for node in range(len(self.tables.known)):
            self._settle(node)
        self._set_rooms()

    def _settle(self, node: int) -> None:
        """Let all numbers below those that were taken at a node be of words, and none be a worker's own.

        The last ones are taken back; those between are given to words that no state has.
        """
        for own in sorted((worker.numbering.own[node] for worker in self.workers), key=lambda own: -int(own[LAST])):
            if own[LAST] == self.tables.known[node]:
                self.tables.known[node] = own[NEXT]
            else:
                self.loop.settle(self.tables, node, own)
            own[:] = 0

    def _grow_table(self) -> bool:
        """Make the table of pairs larger: twice while it is small, then by a third, or as far as the memory goes."""
        if self.buckets < MOVED_BUCKETS:
            return self._move(2 * self.buckets)
        wanted, before = self.buckets + self.buckets // 3, self.buckets
        spare = self.max_bytes - self._bytes_with(0)
        with_queue = LINE + self.longest * self._in_queue / before  # bytes of a bucket, and its part of the queue's
        after = min(wanted, int(spare / with_queue), len(self.tables.table) // SLOTS - FARTHEST)
        if after < before + before // 16:
            return False
        larger = shape(after, int(self.shape.key_bits), int(self.shape.left_bits))
        if not self._spread(larger):
            raise AssertionError("a pair is too far from its home although a quarter of the table is empty")
        self.buckets, self.shape = after, larger
        return True

    def _spread(self, larger: Shape) -> bool:
        """Spread the table of pairs in its place; False where a pair finds no room."""
        before, after, workers = self.buckets, int(larger.buckets), len(self._busy)
        first, end = copied_buckets(before, after), before + FARTHEST
        done = True
        while end > first:
            begin = max(apart_from(end, before, after), first)
            shared = workers > 1 and end - begin > FEW_BUCKETS
            if not shared:
                begin = first
            bounds = np.linspace(begin, end, (workers if shared else 1) + 1).astype(int).tolist()
            done &= all(
                self._each(
                    lambda part: self.loop.spread(self.tables.table, self.shape, larger, *part, not shared),  # noqa: B023
                    [*pairwise(bounds)],
                )
            )
            end = begin
        return done and bool(self.loop.spread_first(self.tables.table, self.shape, larger, first))

    def _widen(self) -> bool:
        """Give the root's children more numbers."""
        return self._move(self.buckets) or self._move(2 * self.buckets)

    def _move(self, buckets: int) -> bool:
        """Put all pairs into a table of so many buckets, with the longest key that it can hold."""
        key_bits = most_key_bits(buckets)
        left, right = (int(self.tables.known[child]) + 2 * self.reserve_words for child in self.tables.children[-1])
        spare = key_bits - left.bit_length() - right.bit_length()
        if spare < 0 or not self._has_room_to_move(buckets):
            return False
        self.buckets, before, old = buckets, self.shape, self.tables.table
        self.shape = shape(buckets, key_bits, left.bit_length() + spare // 2)
        self.tables = self.tables._replace(table=self._table())
        if not self.loop.rebuild(old, before, self.tables.table, self.shape):
            raise AssertionError("a pair is too far from its home although half of the table is empty")
        return True

    def _has_room_to_move(self, buckets: int) -> bool:
        """Whether the memory allowed holds the table of pairs and another one of so many buckets."""
        return self._fits(self._bytes_with(self.buckets) + LINE * buckets)

    # -- standing where another search stood ---------------------------------------------------------------------------

    def room_for_words(self, node: int, count: int) -> bool:
        """Make room for so many words of a node; False where the memory allowed does not suffice."""
        while count > (1 << int(self.tables.bits[node])) // 8 * EIGHTHS - self.reserve_words:
            if not self._grow_index(node):
                return False
        return count + self.reserve_words <= self.tables.words.shape[1] and self._fits(self.bytes + 8 * count)

    def put_words(self, node: int, words: npt.NDArray[np.int64]) -> None:
        """Let these be the words of a node, for which there is room."""
        self.tables.words[node, : len(words)] = words
        self.tables.known[node] = len(words)
        self.loop.fill(self.tables, node)

    def room_for_pairs(self, count: int, waiting: int) -> bool:
        """Make room for so many pairs, of which so many are in the queue; False where the memory does not suffice."""
        self.longest = waiting
        buckets = max(self.buckets, (count + 2 * self.reserve) * 100 // FULLEST // SLOTS + 1)
        if waiting + self.reserve > len(self.tables.queue):
            return False
        while not self._move(buckets):
            if not self._has_room_to_move(buckets):
                return False
            buckets *= 2  # the key is too short for so many words
        self._set_rooms()
        return True

    def put_pairs(self, pairs: npt.NDArray[np.uint64]) -> bool:
        """Enter pairs that are not there; False where the memory allowed does not suffice."""
        came = 0
        while (came := self.loop.enter_again(self.tables, self.shape, pairs, came)) < len(pairs):
            if not self._grow_table():
                return False
        self.states += len(pairs)
        self.begun = True
        return True

    # -- looking back -------------------------------------------------------------------------------------------------

    def give_up(self) -> None:
        """Give the memory of all states back. Nothing can be asked of them any more."""
        names = ("table", "words", "indexes", "queue", "tags")
        self.tables = self.tables._replace(**{name: getattr(self.tables, name)[:0].copy() for name in names})
        self.given_up = True

    def pairs(self) -> npt.NDArray[np.uint64]:
        """All pairs in the order of the table; uint64[pairs].

        Where a state violates a property these are more than `states`: those that were found in the same block, too.

        Raises:
            UsageError: they were given up.
        """
        if self.given_up:
            raise UsageError("the states were given up to find a run: allow twice the memory to have both")
        buckets = self.buckets + FARTHEST
        found = np.empty(np.count_nonzero(self.tables.table[: SLOTS * buckets]), dtype=np.uint64)
        self.loop.list_pairs(self.tables.table, self.shape, 0, buckets, found)
        return found

    def pair_of(self, state: npt.NDArray[np.int64]) -> int | None:
        """The pair of a state; None where it has certainly not been found yet."""
        found = int(self.loop.pair_of(self.tables, state))
        return found if found >= 0 else None

    def words(self, pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """The words of some states; uint64[states, words]."""
        columns = np.zeros((self.code.words, len(pairs)), dtype=np.int64)
        ids = np.zeros((len(self.tables.known), len(pairs)), dtype=np.uint64)
        self.loop.unpack(self.tables, pairs, len(pairs), ids, columns)
        return np.ascontiguousarray(columns.T).view(np.uint64)
