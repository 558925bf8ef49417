"""The search: breadth first, every state stored whole, two drivers over one kernel.

`Compiled` runs in Numba on arrays: states in one array in the order of discovery (so it is the queue too), a hash table
of indices beside it, successors handled in batches so that a table slot is on its way from memory while others are
worked on. `Interpreted` runs the same kernel text in Python for spaces too small to be worth compiling for. Both visit the
same states in the same order and know nothing of protocols; `explore` is where they are chosen and their findings named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numba import njit, types

from postcopy.explorer.codegen import LABEL_BITS, REST_BIT, STAYS
from postcopy.explorer.compiled import Functions
from postcopy.explorer.prefetch import prefetch

RUNNING, DONE, STEP, STATE, DEADLOCK, WRONG, FULL = range(7)
"""How a search stands: more to do; all seen; a property of steps or of states violated; a deadlock; the specification
itself is wrong (a check failed); no room for more states."""

MAX_SUCCESSORS = 1024
"""More than any state has: 46 actions without and 16 x 30 with a page."""

_BATCH = 512


@dataclass
class Findings:
    """What a search has found so far.

    Attributes:
        status: one of the constants above.
        states: how many were stored.
        transitions: how many labelled steps were taken.
        depth: steps of the longest shortest path to a state seen.
        frontier: states still to be expanded.
        fired: for each action, how often it was taken.
        witnesses: bits of the witnesses reached.
        first: for each bit of a witness reached, the index of the first state that reaches it.
        at: index of the state in question (for STEP and WRONG: before the step).
        detail: for STATE the violated bits, for STEP and WRONG the step's label.
        after: for STEP the words after the step.
        bytes: memory in use.
    """

    status: int
    states: int
    transitions: int
    depth: int
    frontier: int
    fired: list[int]
    witnesses: int
    first: dict[int, int]
    at: int = 0
    detail: int = 0
    after: tuple[int, ...] = ()
    bytes: int = 0


@dataclass(frozen=True)
class Question:
    """What a search looks for.

    Attributes:
        initial: packed initial states.
        words: words in a state.
        progress: for each action, whether it saves a state from being a deadlock.
        state_bits: bits of `examine` that must not be set.
        step_bits: bits of a label (from bit `LABEL_BITS` on, shifted down) that must not be set.
        witness_bits: bits of `examine` that should be set somewhere.
        deadlock: whether deadlocks are looked for.
        max_bytes: memory that may be used.
    """

    initial: list[tuple[int, ...]]
    words: int
    progress: list[bool]
    state_bits: int
    step_bits: int
    witness_bits: int
    deadlock: bool
    max_bytes: int


class Search(Protocol):
    """A search that can be run a while at a time."""

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""

    def state(self, at: int) -> tuple[int, ...]:
        """The packed state with this index."""


class Interpreted:
    """The search in plain Python."""

    BYTES_PER_STATE = 250
    """Measured: a tuple of two words in a dict and a list."""

    def __init__(self, functions: Functions, question: Question) -> None:
        self.functions, self.question = functions, question
        self.order: list[tuple[int, ...]] = []
        self.parents: list[int] = []
        self.seen: set[tuple[int, ...]] = set()
        self.head = self.transitions = self.depth = self.level_end = self.witnesses = 0
        self.fired = [0] * len(question.progress)
        self.first: dict[int, int] = {}
        self.out = [0] * MAX_SUCCESSORS * (question.words + 1)
        self.stopped: Findings | None = None
        for state in question.initial:
            words = list(state)
            functions.canonical(words, 0)
            self._add(tuple(words), -1)
        self.level_end = len(self.order)

    def run(self, steps: int) -> Findings:
        """Expand at most that many states more."""
        question, size = self.question, self.question.words + 1
        out, functions = self.out, self.functions
        end = self.head + steps
        while self.stopped is None and self.head < min(end, len(self.order)):
            if self.head == self.level_end:
                self.depth, self.level_end = self.depth + 1, len(self.order)
            at, progress = self.head, False
            count = functions.expand(self.order[at], 0, out, 0)
            self.transitions += count
            for to in range(0, count * size, size):
                label = out[to + size - 1]
                if label < 0:
                    return self._stop(WRONG, at, label)
                self.fired[label & STAYS - 1] += 1
                progress = progress or question.progress[label & STAYS - 1]
                if label >> LABEL_BITS & question.step_bits:
                    after = self.order[at] if label & STAYS else tuple(out[to : to + size - 1])
                    return self._stop(STEP, at, label, after)
                if label & STAYS:
                    continue
                functions.canonical(out, to)
                words = tuple(out[to : to + size - 1])
                if words not in self.seen:
                    self._add(words, at)
                    if self.stopped is not None:
                        return self.stopped
            if not progress and question.deadlock and not functions.examine(self.order[at], 0) >> REST_BIT & 1:
                return self._stop(DEADLOCK, at, 0)
            self.head += 1
            if len(self.order) * self.BYTES_PER_STATE > question.max_bytes:
                return self._stop(FULL, 0, 0)
        return self.stopped or self._findings(DONE if self.head == len(self.order) else RUNNING)

    def _add(self, words: tuple[int, ...], parent: int) -> None:
        at = len(self.order)
        self.seen.add(words)
        self.order.append(words)
        self.parents.append(parent)
        found = self.functions.examine(words, 0)
        fresh = found & self.question.witness_bits & ~self.witnesses
        self.witnesses |= fresh
        for bit in range(fresh.bit_length()):
            if fresh >> bit & 1:
                self.first[bit] = at
        if found & self.question.state_bits and self.stopped is None:
            self._stop(STATE, at, found & self.question.state_bits)

    def _stop(self, status: int, at: int, detail: int, after: tuple[int, ...] = ()) -> Findings:
        self.stopped = self._findings(status, at, detail, after)
        return self.stopped

    def _findings(self, status: int, at: int = 0, detail: int = 0, after: tuple[int, ...] = ()) -> Findings:
        states = len(self.order)
        return Findings(
            status, states, self.transitions, self.depth, states - self.head, self.fired, self.witnesses, self.first,
            at, detail, after, states * self.BYTES_PER_STATE,
        )  # fmt: skip

    def state(self, at: int) -> tuple[int, ...]:
        """The packed state with this index."""
        return self.order[at]

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""
        states = []
        while at >= 0:
            states.append(self.order[at])
            at = self.parents[at]
        return states[::-1]


# Numbers that the compiled loop keeps between calls, by their place in one array.
_COUNT, _HEAD, _TRANSITIONS, _DEPTH, _LEVEL_END, _WITNESSES, _STATUS, _AT, _DETAIL, _SLOTS_NEEDED = range(10)
_CONTROL = 10

_INDEX_BITS = 40
_INDEX = (1 << _INDEX_BITS) - 1

_WORDS = types.int64[::1]
_EXPAND = types.FunctionType(types.int64(_WORDS, types.int64, _WORDS, types.int64))
_CANONICAL = types.FunctionType(types.void(_WORDS, types.int64))
_EXAMINE = types.FunctionType(types.int64(_WORDS, types.int64))


@njit("int64(int64[::1], int64, int64)", cache=True, inline="always")
def _hash(words: Any, at: int, size: int) -> int:
    mixed = np.uint64(0x9E3779B97F4A7C15)
    for k in range(size):
        mixed ^= np.uint64(words[at + k])
        mixed *= np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(29)
    return np.int64(mixed)


@njit("void(int64[::1], int64, int64, int64[::1], int64)", cache=True, nogil=True)
def _rehash(states: Any, start: int, count: int, table: Any, words: int) -> None:
    """Enter the states from `start` to `count` into a table that has none of them."""
    mask = len(table) - 1
    hashes = np.empty(_BATCH, dtype=np.int64)
    for begin in range(start, count, _BATCH):
        end = min(begin + _BATCH, count)
        for at in range(begin, end):
            hashes[at - begin] = _hash(states, at * words, words)
            prefetch(table, hashes[at - begin] & mask)
        for at in range(begin, end):
            mixed = hashes[at - begin]
            slot = mixed & mask
            while table[slot] != 0:
                slot = (slot + 1) & mask
            table[slot] = (mixed & ~_INDEX) | (at + 1)


@njit(
    types.void(
        _EXPAND, _CANONICAL, _EXAMINE, _WORDS, types.int32[::1], _WORDS, _WORDS, _WORDS, _WORDS, _WORDS,
        types.boolean[::1], _WORDS, _WORDS, types.int64, types.int64, types.int64, types.int64, types.boolean, types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _run(
    expand, canonical, examine, states, parents, table, out, hashes, origins, fired,
    progress, first, control, words, step_bits, state_bits, witness_bits, deadlock, steps,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Expand states until `steps` are done, the table or the array is full, or something is found."""
    size = words + 1
    mask = len(table) - 1
    room = min(len(parents), (len(table) >> 3) * 5)
    end = control[_HEAD] + steps
    while control[_HEAD] < end:
        if control[_HEAD] == control[_COUNT]:
            control[_STATUS] = DONE
            return
        if control[_HEAD] == control[_LEVEL_END]:
            control[_DEPTH] += 1
            control[_LEVEL_END] = control[_COUNT]
        if control[_COUNT] + _BATCH + MAX_SUCCESSORS > room:
            control[_STATUS] = FULL
            return
        # expand states of this level until the batch is full
        pending = 0
        while pending < _BATCH and control[_HEAD] < control[_LEVEL_END]:
            at = control[_HEAD]
            count = expand(states, at * words, out, pending * size)
            control[_TRANSITIONS] += count
            moves = False
            for i in range(pending, pending + count):
                label = out[i * size + words]
                if label < 0:
                    control[_STATUS], control[_AT], control[_DETAIL] = WRONG, at, label
                    return
                fired[label & (STAYS - 1)] += 1
                moves |= progress[label & (STAYS - 1)]
                if label >> LABEL_BITS & step_bits:
                    control[_STATUS], control[_AT], control[_DETAIL] = STEP, at, label
                    for k in range(words):
                        out[k] = states[at * words + k] if label & STAYS else out[i * size + k]
                    return
                if label & STAYS:
                    continue
                if pending != i:
                    for k in range(words):
                        out[pending * size + k] = out[i * size + k]
                canonical(out, pending * size)
                hashes[pending] = _hash(out, pending * size, words)
                origins[pending] = at
                prefetch(table, hashes[pending] & mask)
                pending += 1
            if deadlock and not moves and examine(states, at * words) >> REST_BIT & 1 == 0:
                control[_STATUS], control[_AT] = DEADLOCK, at
                return
            control[_HEAD] += 1
        # the slots are near by now: fetch the states that they name
        for i in range(pending):
            entry = table[hashes[i] & mask]
            if entry != 0 and (entry ^ hashes[i]) & ~_INDEX == 0:
                prefetch(states, ((entry & _INDEX) - 1) * words)
        # enter what is new
        for i in range(pending):
            mixed = hashes[i]
            slot = mixed & mask
            while True:
                entry = table[slot]
                if entry == 0:
                    at = control[_COUNT]
                    table[slot] = (mixed & ~_INDEX) | (at + 1)
                    for k in range(words):
                        states[at * words + k] = out[i * size + k]
                    parents[at] = origins[i]
                    control[_COUNT] = at + 1
                    found = examine(out, i * size)
                    fresh = found & witness_bits & ~control[_WITNESSES]
                    if fresh != 0:
                        control[_WITNESSES] |= fresh
                        for bit in range(len(first)):
                            if fresh >> bit & 1:
                                first[bit] = at
                    if found & state_bits:
                        control[_STATUS], control[_AT], control[_DETAIL] = STATE, at, found & state_bits
                        return
                    break
                if (entry ^ mixed) & ~_INDEX == 0:
                    other = ((entry & _INDEX) - 1) * words
                    same = True
                    for k in range(words):
                        same &= states[other + k] == out[i * size + k]
                    if same:
                        break
                slot = (slot + 1) & mask
    control[_STATUS] = RUNNING


class Compiled:
    """The search in Numba.

    Memory is taken as it is needed: the arrays for all states that `max_bytes` allows are reserved at once, but the
    system gives them page by page; only the table is grown, by entering all states into one twice as large.
    """

    def __init__(self, functions: Functions, question: Question) -> None:
        self.functions, self.question = functions, question
        words = question.words
        per_state = 8 * words + 4
        capacity = max(question.max_bytes // (per_state + 13), _BATCH + MAX_SUCCESSORS + len(question.initial) + 1)
        self.states = np.empty(capacity * words, dtype=np.int64)
        self.parents = np.empty(capacity, dtype=np.int32 if capacity < 2**31 else np.int64)
        self.table = np.zeros(1 << 15, dtype=np.int64)
        batch = _BATCH + MAX_SUCCESSORS
        self.out = np.zeros(batch * (words + 1), dtype=np.int64)
        self.hashes = np.zeros(batch, dtype=np.int64)
        self.origins = np.zeros(batch, dtype=np.int64)
        self.fired = np.zeros(len(question.progress), dtype=np.int64)
        self.progress = np.array(question.progress, dtype=np.bool_)
        self.first = np.full(REST_BIT, -1, dtype=np.int64)
        self.control = np.zeros(_CONTROL, dtype=np.int64)
        for state in question.initial:
            self._seed(state)
        if self.control[_STATUS] == RUNNING:
            _rehash(self.states, 0, int(self.control[_COUNT]), self.table, words)
        self.control[_LEVEL_END] = self.control[_COUNT]

    def _seed(self, state: tuple[int, ...]) -> None:
        words, control = self.question.words, self.control
        packed = np.array(state, dtype=np.int64)
        self.functions.canonical(packed, 0)
        at = int(control[_COUNT])
        if any(tuple(packed) == self.state(i) for i in range(at)):
            return
        self.states[at * words : (at + 1) * words] = packed
        self.parents[at] = -1
        control[_COUNT] += 1
        found = self.functions.examine(packed, 0)
        fresh = found & self.question.witness_bits & ~int(control[_WITNESSES])
        control[_WITNESSES] |= fresh
        for bit in range(REST_BIT):
            if fresh >> bit & 1:
                self.first[bit] = at
        if found & self.question.state_bits and control[_STATUS] == RUNNING:
            control[_STATUS], control[_AT], control[_DETAIL] = STATE, at, found & self.question.state_bits

    def run(self, steps: int) -> Findings:
        """Expand at most about that many states more."""
        question, control, functions = self.question, self.control, self.functions
        while control[_STATUS] == RUNNING:
            _run(
                functions.expand, functions.canonical, functions.examine, self.states, self.parents, self.table,
                self.out, self.hashes, self.origins, self.fired, self.progress, self.first, control, question.words,
                question.step_bits, question.state_bits, question.witness_bits, question.deadlock, steps,
            )  # fmt: skip
            if control[_STATUS] != FULL or not self._grow():
                break
            control[_STATUS] = RUNNING
        return self._findings()

    def _grow(self) -> bool:
        """Make room; False where the memory allowed does not suffice."""
        count = int(self.control[_COUNT])
        if count + _BATCH + MAX_SUCCESSORS > len(self.parents):
            return False
        if count * (8 * self.question.words + 4) + 16 * len(self.table) > self.question.max_bytes:
            return False
        size = 2 * len(self.table)
        self.table = np.zeros(0, dtype=np.int64)  # gone before the larger one comes
        self.table = np.zeros(size, dtype=np.int64)
        _rehash(self.states, 0, count, self.table, self.question.words)
        return True

    def _findings(self) -> Findings:
        control = [int(x) for x in self.control]
        words, count = self.question.words, control[_COUNT]
        return Findings(
            status=control[_STATUS],
            states=count,
            transitions=control[_TRANSITIONS],
            depth=control[_DEPTH],
            frontier=count - control[_HEAD],
            fired=[int(n) for n in self.fired],
            witnesses=control[_WITNESSES],
            first={bit: int(at) for bit, at in enumerate(self.first) if at >= 0},
            at=control[_AT],
            detail=control[_DETAIL],
            after=tuple(int(w) for w in self.out[:words]) if control[_STATUS] == STEP else (),
            bytes=count * (8 * words + 4) + self.table.nbytes,
        )

    def state(self, at: int) -> tuple[int, ...]:
        """The packed state with this index."""
        words = self.question.words
        return tuple(int(w) for w in self.states[at * words : (at + 1) * words])

    def path(self, at: int) -> list[tuple[int, ...]]:
        """The packed states from an initial one to the one with this index."""
        states = []
        while at >= 0:
            states.append(self.state(at))
            at = cast(int, int(self.parents[at]))
        return states[::-1]
