"""The search in Numba: the fast driver of a kernel.

States lie in one array in the order of discovery, so it is the queue too; a hash table holds them once more, whole, so
that to look one up touches one place in memory. Successors are handled in batches: the table slots of a whole batch are
asked of the memory before the first of them is needed, so that hardly anything is waited for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from postcopy.explorer.codegen import LABEL_BITS, REST_BIT, STAYS
from postcopy.explorer.compiled import Functions
from postcopy.explorer.prefetch import prefetch
from postcopy.explorer.search import (
    DEADLOCK,
    DONE,
    FULL,
    MAX_SUCCESSORS,
    RUNNING,
    STATE,
    STEP,
    WRONG,
    Findings,
    Question,
)

_BATCH = 128

# Numbers that the compiled loop keeps between calls, by their place in one array.
_COUNT, _HEAD, _TRANSITIONS, _DEPTH, _LEVEL_END, _WITNESSES, _STATUS, _AT, _DETAIL = range(9)
_CONTROL = 9

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
    return np.int64(mixed)  # type: ignore[return-value]


@njit("boolean(int64[::1], int64[::1], int64, int64, int64)", cache=True, nogil=True)
def _enter(table: Any, words: Any, at: int, mixed: int, size: int) -> bool:
    """Enter a state; False where it was there. An empty slot's first word is 0, a state's is stored plus 1."""
    mask = len(table) // size - 1
    slot = mixed & mask
    first = words[at] + 1
    while True:
        base = slot * size
        entry = table[base]
        if entry == 0:
            table[base] = first
            for k in range(1, size):
                table[base + k] = words[at + k]
            return True
        if entry == first:
            same = True
            for k in range(1, size):
                same &= table[base + k] == words[at + k]
            if same:
                return False
        slot = (slot + 1) & mask


@njit("void(int64[::1], int64, int64[::1], int64)", cache=True, nogil=True)
def _rehash(states: Any, count: int, table: Any, words: int) -> None:
    """Enter the first states into an empty table."""
    mask = len(table) // words - 1
    hashes = np.empty(_BATCH, dtype=np.int64)
    for begin in range(0, count, _BATCH):
        end = min(begin + _BATCH, count)
        for at in range(begin, end):
            hashes[at - begin] = _hash(states, at * words, words)
            prefetch(table, (hashes[at - begin] & mask) * words)
        for at in range(begin, end):
            _enter(table, states, at * words, hashes[at - begin], words)


@njit(
    types.void(
        _EXPAND, _CANONICAL, _EXAMINE, _WORDS, types.int32[::1], _WORDS, _WORDS, _WORDS, _WORDS, _WORDS,
        types.boolean[::1], _WORDS, _WORDS, types.int64, types.int64, types.int64, types.int64, types.boolean,
        types.int64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _run(
    expand, canonical, examine, states, parents, table, out, hashes, origins, fired,
    progress, first, control, words, step_bits, state_bits, witness_bits, deadlock, steps,
):  # fmt: skip
    """Expand states until `steps` are done, the table or the array is full, or something is found."""
    size = words + 1
    slots = len(table) // words
    mask = slots - 1
    room = min(len(parents), (slots >> 3) * 5)
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
                if label >> LABEL_BITS & step_bits:
                    control[_STATUS], control[_AT], control[_DETAIL] = STEP, at, label
                    for k in range(words):
                        out[k] = states[at * words + k] if label & STAYS else out[i * size + k]
                    return
                if label & STAYS:
                    continue
                same = True
                for k in range(words):
                    same &= out[i * size + k] == states[at * words + k]
                if same:
                    continue
                moves |= progress[label & (STAYS - 1)]
                if pending != i:
                    for k in range(words):
                        out[pending * size + k] = out[i * size + k]
                canonical(out, pending * size)
                hashes[pending] = _hash(out, pending * size, words)
                origins[pending] = at
                pending += 1
            if deadlock and not moves and examine(states, at * words) >> REST_BIT & 1 == 0:
                control[_STATUS], control[_AT] = DEADLOCK, at
                return
            control[_HEAD] += 1
        # All at once: where addresses are translated slowly (as in a guest), requests in a row overlap.
        for i in range(pending):
            prefetch(table, (hashes[i] & mask) * words)
        # enter what is new
        for i in range(pending):
            if not _enter(table, out, i * size, hashes[i], words):
                continue
            at = control[_COUNT]
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
    control[_STATUS] = RUNNING


@njit(types.int64(_EXPAND, _WORDS, _WORDS, types.int64, types.int64), cache=True, nogil=True)
def _expand_all(expand, states, out, count, words):
    """The successors of the first states, made and thrown away."""
    total = 0
    for at in range(count):
        total += expand(states, at * words, out, 0)
    return total


class Compiled:
    """The search in Numba.

    Memory is taken as it is needed: the arrays for all states that `max_bytes` allows are reserved at once, but the
    system gives them page by page; only the table is grown, by entering all states into one twice as large.
    """

    def __init__(self, functions: Functions, question: Question) -> None:
        self.functions, self.question = functions, question
        words = question.words
        per_state = 8 * words + 4
        capacity = max(
            question.max_bytes // (per_state + 13 * words), _BATCH + MAX_SUCCESSORS + len(question.initial) + 1
        )
        self.states = np.empty(capacity * words, dtype=np.int64)
        self.parents = np.empty(capacity, dtype=np.int32 if capacity < 2**31 else np.int64)
        self.table = np.zeros(words << 14, dtype=np.int64)
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
            _rehash(self.states, int(self.control[_COUNT]), self.table, words)
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

    def expand_all(self) -> int:
        """Make all successors of all states found so far and count them: for measuring the kernel alone."""
        count = int(self.control[_COUNT])
        return int(_expand_all(self.functions.expand, self.states, self.out, count, self.question.words))

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
        _rehash(self.states, count, self.table, self.question.words)
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
            at = int(self.parents[at])
        return states[::-1]
