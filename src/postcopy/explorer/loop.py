"""The search's loop in the part of Python that Numba compiles, for states of so many words.

It is compiled once for each number of words, which is known to the compiler so that loops over words vanish: `compiled`
keeps a copy of this text for each, with another number below. A kernel's functions are machine code of their own,
called for a block of states at a time by their addresses, `code`.

The states of a shard are columns in the order of discovery, so they are the queue too. A hash table holds them once
more, whole, so that to look one up touches one place in memory; a slot is full where bit 63 of the last word is set.
Where memory counts more than time, the other way: a compact table holds 32-bit numbers of states, with a few bits of
their hashes above, so that hardly another state than the right one has to be looked at. A
state's slot comes from the high bits of its hash, so that a table twice as large has the same order and the table
grows in its place, in one sweep from its end; a state's shard comes from the low bits. Successors come in blocks, and
while one is entered the slots of those behind it are on their way from the memory.
"""

# ruff: noqa: ARG001, D103  (what each does is said here and in `fast`, which calls them; both tables are used alike)

from __future__ import annotations

import numpy as np
from numba import njit, types

from postcopy.explorer.calling import call, prefetch
from postcopy.explorer.control import (
    AT,
    BOXED,
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
from postcopy.explorer.writing import BAD_BIT, BLOCK, LABEL_BITS, REST_BIT

U = np.uint64
ZERO, ONE = U(0), U(1)

WORDS = 2
COMPACT = False

LAST, MARK = WORDS - 1, -(1 << 63)
AHEAD = U(32)
"""How many successors' slots are asked of the memory before the first of them is needed."""

SENT = U(1 << 13)
"""Slots of the memory of what was sent to other shards: as many as a core's own cache holds."""

EXPAND, CANONICAL, EXAMINE = range(3)
"""Where in `code` the addresses of the kernel's functions lie."""

I64, U64, U32 = types.int64, types.uint64, types.uint32
COLUMNS, I32S, I64S, U64S, U32S = (
    types.int64[:, ::1],
    types.int32[::1],
    types.int64[::1],
    types.uint64[::1],
    types.uint32[::1],
)
BOXES = types.int64[:, :, ::1]
TABLE = U32S if COMPACT else I64S

ENTRY = 1 if COMPACT else WORDS
"""Numbers in a slot of the table."""

EIGHTHS = 7 if COMPACT else 5
"""How much of the table may be full."""


@njit
def hash_at(columns, at):
    mixed = U(0x9E3779B97F4A7C15)
    for k in range(WORDS):
        mixed = (mixed ^ U(columns[k, at])) * U(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> U(32)
    return mixed * U(0xC4CEB9FE1A85EC53)


@njit
def owner(mixed, shards):
    return (mixed >> U(8) & U(0xFFFF)) % shards


if COMPACT:

    @njit
    def enter(table, shift, columns, at, mixed, states, known):
        """Enter a state that will have the number `known`; False where it was there."""
        bits = U(64) - shift
        mask = (ONE << bits) - ONE
        tag = mixed & (ONE << (U(32) - bits)) - ONE
        slot = mixed >> shift
        while True:
            entry = U(table[slot])
            if entry == ZERO:
                table[slot] = tag << bits | (U(known) + ONE)
                return True
            if entry >> bits == tag:
                other = (entry & mask) - ONE
                same = True
                for k in range(WORDS):
                    same &= states[k, other] == columns[k, at]
                if same:
                    return False
            slot = (slot + ONE) & mask

    @njit
    def take_out(table, slot, shift, states, column):
        """Empty a slot of a table half as large as `shift` says; fills in its state and returns its number, or -1."""
        entry = U(table[slot])
        if entry == ZERO:
            return np.int64(-1)
        table[slot] = 0
        number = (entry & (ONE << (U(63) - shift)) - ONE) - ONE
        for k in range(WORDS):
            column[k, 0] = states[k, number]
        return np.int64(number)

    @njit
    def ask_further(table, shift, mixed, states):
        """Ask the memory for the state that a slot, which has come by now, is about."""
        entry = U(table[mixed >> shift])
        if entry != ZERO:
            for k in range(WORDS):
                prefetch(states, U(k) * U(states.shape[1]) + (entry & (ONE << (U(64) - shift)) - ONE) - ONE)

else:

    @njit
    def enter(table, shift, columns, at, mixed, states, known):
        """Enter a state; False where it was there."""
        mask = (ONE << (U(64) - shift)) - ONE
        slot = mixed >> shift
        while True:
            base = slot * U(WORDS)
            if table[base + U(LAST)] == 0:
                for k in range(WORDS):
                    table[base + U(k)] = columns[k, at] | (MARK if k == LAST else 0)
                return True
            same = True
            for k in range(WORDS):
                same &= table[base + U(k)] == columns[k, at] | (MARK if k == LAST else 0)
            if same:
                return False
            slot = (slot + ONE) & mask

    @njit
    def take_out(table, slot, shift, states, column):
        """Empty a slot; fills in its state and returns 0, or -1 where there was none."""
        base = slot * U(WORDS)
        if table[base + U(LAST)] == 0:
            return np.int64(-1)
        for k in range(WORDS):
            column[k, 0] = table[base + U(k)] & (~MARK if k == LAST else -1)
            table[base + U(k)] = 0
        return np.int64(0)

    @njit
    def ask_further(table, shift, mixed, states):
        """The slot was all."""


@njit
def ask(table, shift, mixed):
    """Ask the memory for a state's slot."""
    prefetch(table, (mixed >> shift) * U(ENTRY))


@njit
def was_sent(sent, columns, at, mixed):
    """Whether a state was among the last that went to other shards; if not, it is now, in another's place.

    Whatever was sent once is known where it belongs, or will be before it matters.
    """
    base = (mixed >> U(26)) % SENT * U(WORDS)
    same = True
    for k in range(WORDS):
        same &= sent[base + U(k)] == columns[k, at] | (MARK if k == LAST else 0)
        sent[base + U(k)] = columns[k, at] | (MARK if k == LAST else 0)
    return same


@njit(types.void(TABLE, U64, COLUMNS), nogil=True, cache=True)
def grow(table, shift, states):
    """Make room for twice as many in a table, in its place: `shift` is that of the larger one.

    From the last slot down each state moves to about twice its slot, behind all that have not moved yet. The first
    slots are cleared before, so that whoever comes around the table's end finds room there; what lay in them, and the
    few that would not move behind, wait aside.
    """
    slots = ONE << (U(63) - shift)
    first = min(slots, U(1024))
    column = np.zeros((WORDS, 1), dtype=np.int64)
    aside = np.empty((WORDS, 2048), dtype=np.int64)
    numbers = np.empty(2048, dtype=np.int64)
    waiting = 0
    for step in range(slots):
        slot = step if step < first else slots - ONE - (step - first)
        number = take_out(table, slot, shift, states, column)
        if number < 0:
            continue
        mixed = hash_at(column, ZERO)
        if slot >= first and mixed >> shift > slot:
            enter(table, shift, column, ZERO, mixed, states, number)
            continue
        if waiting == len(numbers):
            wider, longer = np.empty((WORDS, 2 * waiting), dtype=np.int64), np.empty(2 * waiting, dtype=np.int64)
            wider[:, :waiting], longer[:waiting] = aside, numbers
            aside, numbers = wider, longer
        aside[:, waiting] = column[:, 0]
        numbers[waiting] = number
        waiting += 1
    assert table[(first - ONE) * U(ENTRY) + U(ENTRY - 1)] == 0, "so many came around the end that some are unreachable"
    for j in range(U(waiting)):
        enter(table, shift, aside, j, hash_at(aside, j), states, numbers[j])


@njit(types.void(COLUMNS, I64, U64, I64S), nogil=True, cache=True)
def number(states, count, shards, ids):
    """Say where each state will lie when dealt: shard + shards * place."""
    filled = np.zeros(shards, dtype=np.int64)
    for at in range(U(count)):
        shard = owner(hash_at(states, at), shards)
        ids[at] = filled[shard] * np.int64(shards) + np.int64(shard)
        filled[shard] += 1


@njit(types.void(COLUMNS, I32S, I64, I64, U64, U64, I64S, COLUMNS, I32S, I64S), nogil=True, cache=True)
def deal(states, parents, count, expanded, shard, shards, ids, own_states, own_parents, control):
    """Give a shard its part of the first states."""
    known = U(0)
    for at in range(count):
        if ids[at] % np.int64(shards) == np.int64(shard):
            for k in range(WORDS):
                own_states[k, known] = states[k, at]
            own_parents[known] = ids[parents[at]] if parents[at] >= 0 else -1
            known += ONE
            if at < expanded:
                control[HEAD] += 1
    control[COUNT] = control[LEVEL_END] = known


@njit(types.void(COLUMNS, I64, TABLE, U64), nogil=True, cache=True)
def refill(states, count, table, shift):
    """Enter the first states into an empty table."""
    for at in range(U(count)):
        if at + AHEAD < U(count):
            ask(table, shift, hash_at(states, at + AHEAD))
        enter(table, shift, states, at, hash_at(states, at), states, at)


@njit(types.boolean(I64S, COLUMNS, U64, U64, I64S, I64S, I64S, I64, I64), nogil=True, cache=True)
def look(code, states, begin, end, seen, first, control, state_bits, witness_bits):
    """Examine new states, at most as many as `seen` has room for; False where one violates a property."""
    if state_bits | witness_bits == 0:
        return True
    call(code[EXAMINE], (states, begin, end - begin, seen))
    for at in range(begin, end):
        found = seen[at - begin]
        fresh = found & witness_bits & ~control[WITNESSES]
        if fresh != 0:
            control[WITNESSES] |= fresh
            for bit in range(len(first)):
                if fresh >> bit & 1:
                    first[bit] = at
        if found & state_bits:
            control[STATUS], control[AT], control[DETAIL] = STATE, at, found & state_bits
            control[COUNT] = at + ONE
            return False
    return True


@njit(
    types.void(
        I64S, COLUMNS, I32S, TABLE, U64, COLUMNS, U64S, U32S, I64S, U64S, U64S, U32S, U32S, I64S, I64S, I64S, I64S,
        BOXES, types.int64[:, ::1], U64S, I64S, U64, U64, I64, I64, I64, types.boolean, I64,
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def run(
    code, states, parents, table, shift, out, hashes, origin, label, fired, moved, lists, items, picks, seen, first,
    control, boxes, senders, filled, sent, shard, shards, step_bits, state_bits, witness_bits, deadlock, steps,
):  # fmt: skip
    """Expand states of this level until about `steps` are done, there is no room, or something is found."""
    room = min(len(parents), (1 << (64 - np.int64(shift))) // 8 * EIGHTHS)
    end = min(control[HEAD] + steps, control[LEVEL_END])
    while control[HEAD] < end:
        at = control[HEAD]
        n = min(BLOCK, control[LEVEL_END] - at)
        if control[COUNT] + len(origin) > room:
            control[STATUS] = FULL
            return
        for other in range(shards):
            if filled[other] + U(len(origin)) > U(boxes.shape[2]) and other != shard:
                control[STATUS] = BOXED
                return
        for i in range(n):
            moved[i] = 0
        found = call(code[EXPAND], (states, at, n, out, origin, label, fired, moved, lists, items, picks))
        count = U(found & ((1 << BAD_BIT) - 1))
        if found >> BAD_BIT != 0:
            for j in range(count):
                wrong = label[j] < 0
                if wrong or label[j] >> LABEL_BITS & step_bits:
                    control[STATUS], control[AT], control[DETAIL] = WRONG if wrong else STEP, at + origin[j], label[j]
                    for k in range(WORDS):
                        out[k, 0] = out[k, j]
                    return
        if deadlock:
            for i in range(n):
                if moved[i] == 0:
                    call(code[EXAMINE], (states, at + i, 1, seen))
                    if seen[0] >> REST_BIT & 1 == 0:
                        control[STATUS], control[AT] = DEADLOCK, at + i
                        return
        call(code[CANONICAL], (out, count))
        for j in range(count):
            hashes[j] = hash_at(out, j)
        kept = count
        if shards > ONE:
            kept = ZERO
            for j in range(count):
                other = owner(hashes[j], shards)
                if other == shard:
                    for k in range(WORDS):
                        out[k, kept] = out[k, j]
                    hashes[kept] = hashes[j]
                    origin[kept] = origin[j]
                    kept += ONE
                elif not was_sent(sent, out, j, hashes[j]):
                    to = filled[other]
                    for k in range(WORDS):
                        boxes[other, k, to] = out[k, j]
                    senders[other, to] = (at + origin[j]) * np.int64(shards) + np.int64(shard)
                    filled[other] = to + ONE
        for j in range(min(kept, AHEAD)):
            ask(table, shift, hashes[j])
        for j in range(min(kept, AHEAD // U(2))):
            ask_further(table, shift, hashes[j], states)
        begin = known = U(control[COUNT])
        for j in range(kept):
            if j + AHEAD < kept:
                ask(table, shift, hashes[j + AHEAD])
            if j + AHEAD // U(2) < kept:
                ask_further(table, shift, hashes[j + AHEAD // U(2)], states)
            if enter(table, shift, out, j, hashes[j], states, known):
                for k in range(WORDS):
                    states[k, known] = out[k, j]
                parents[known] = (at + origin[j]) * np.int64(shards) + np.int64(shard)
                known += ONE
        control[COUNT] = known
        if not look(code, states, begin, known, seen, first, control, state_bits, witness_bits):
            return
        control[HEAD] = at + n
    control[STATUS] = RUNNING if control[HEAD] < control[LEVEL_END] else LEVEL


@njit(
    U64(
        I64S, COLUMNS, I32S, TABLE, U64, U64S, I64S, I64S, I64S, COLUMNS, I64S, U64, U64, I64, I64,
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def receive(
    code, states, parents, table, shift, hashes, seen, first, control, box, senders, begin, filled, state_bits,
    witness_bits,
):  # fmt: skip
    """Enter what other shards have sent, from `begin` on; returns how far it came."""
    room = min(len(parents), (1 << (64 - np.int64(shift))) // 8 * EIGHTHS)
    while begin < filled:
        end = min(begin + U(len(hashes)), filled)
        if control[COUNT] + len(hashes) > room:
            control[STATUS] = FULL
            return begin
        for j in range(begin, end):
            hashes[j - begin] = hash_at(box, j)
            if j - begin < AHEAD:
                ask(table, shift, hashes[j - begin])
        first_new = known = U(control[COUNT])
        for j in range(begin, end):
            if j + AHEAD < end:
                ask(table, shift, hashes[j + AHEAD - begin])
            if j + AHEAD // U(2) < end:
                ask_further(table, shift, hashes[j + AHEAD // U(2) - begin], states)
            if enter(table, shift, box, j, hashes[j - begin], states, known):
                for k in range(WORDS):
                    states[k, known] = box[k, j]
                parents[known] = senders[j]
                known += ONE
        control[COUNT] = known
        begin = end
        if not look(code, states, first_new, known, seen, first, control, state_bits, witness_bits):
            return begin
    return begin


@njit(I64(I64S, COLUMNS, I64, I64, COLUMNS, U32S, I64S, U64S, U64S, U32S, U32S, I64S), nogil=True, cache=True)
def expand(code, states, begin, end, out, origin, label, fired, moved, lists, items, picks):
    """Make the successors of some states and count them. Those of the last block are left in `out`."""
    total = 0
    for at in range(begin, end, BLOCK):
        n = min(BLOCK, end - at)
        found = call(code[EXPAND], (states, at, n, out, origin, label, fired, moved, lists, items, picks))
        total += found & ((1 << BAD_BIT) - 1)
    return total


@njit(types.void(I64S, COLUMNS, U64), nogil=True, cache=True)
def canonical(code, out, count):
    """Put the canonical states in the place of these."""
    call(code[CANONICAL], (out, count))


@njit(types.void(I64S, COLUMNS, I64S), nogil=True, cache=True)
def examine(code, states, found):
    """What the kernel says of each state."""
    call(code[EXAMINE], (states, 0, len(found), found))
