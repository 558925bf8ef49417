"""The search's loop in the part of Python that Numba compiles, for states of so many words.

It is compiled once for each number of words, which is known to the compiler so that loops over words vanish: `compiled`
keeps a copy of this text for each, with another number below. A kernel's functions are machine code of their own,
called for a block of states at a time by their addresses, `code`; they want a block's states as columns.

The states of a shard are rows in the order of discovery, so they are the queue too, and a state is its number. A hash
table has for each state an entry of 32 bits: its number plus 1 in the low bits, as many as there are in an entry's
place, and above them a tag, some bits of the state's hash. Entries lie in buckets of sixteen, one line of the
processor's cache, that are looked through at once; where a tag agrees, the state itself is compared, so nothing is
taken for something else. A full bucket goes on in the next one. When the table is full, it is made anew, twice as large
and around itself: entries are made again from the states, which stay where they are.

A look-up touches two places in memory that no cache holds, first the bucket, then the state that it names. So it goes
three ways at once through a block of successors: far ahead buckets are asked of the memory; nearer, the buckets have
come and the states that they name are asked for; and here both are there.

Several workers may expand a level together. Each takes the next few states that nobody has taken and enters what is new
into the one table. A state is written where a number of one's own says, and then its entry is claimed, in one step; who
comes second finds it there. That is exact because a bucket is filled from its first entry on and nothing is ever taken
out: the first empty entry that a worker sees is where the state would be that another enters at the same time. Numbers
are given out by the chunk; in the end the last states move to the numbers that are left over, so that all numbers below
the count are states again.
"""

# ruff: noqa: D103  (what each does is said here and in `shard`, which calls them)

from __future__ import annotations

import numpy as np
from numba import njit, types

from postcopy.explorer.kernel.expression_code import BAD_BIT, BLOCK, LABEL_BITS, REST_BIT
from postcopy.explorer.search.intrinsics import call, claim, fetch_add, lowest, places, prefetch
from postcopy.explorer.search.status import (
    AT,
    BOXED,
    DEADLOCK,
    DETAIL,
    FULL,
    HEAD,
    LEVEL,
    STATE,
    STATUS,
    STEP,
    WITNESSES,
    WRONG,
)

U = np.uint64
ZERO, ONE = U(0), U(1)

WORDS = 2

PARENT = WORDS
"""Where the parent's number lies in a row on its way: behind the state's words."""

AHEAD, NEARER = U(40), U(20)
"""How many successors before they are looked up their buckets, and the states these name, are asked of the memory."""

RING = U(32)
"""Room for what was guessed of those who are next, a power of two."""

NOBODY = U((1 << 64) - 1)
"""No state's number."""

CHUNK = 1024
"""How many numbers a worker takes at once for the states that it will find."""

TAKEN, GIVEN = 0, 8
"""Where in `shared`, a line of the cache each, stand how many numbers are taken and states given out to be expanded."""

NEXT, LAST = range(2)
"""Where in a worker's `own` its next number stands, and the first that is not its own."""

BUCKET_BITS = U(4)
EIGHTHS = 7
"""How many eighths of the table may be full."""

EXPAND, CANONICAL, EXAMINE = range(3)
"""Where in `code` the addresses of the kernel's functions lie."""

I64, U64 = types.int64, types.uint64
I32S, I64S, U64S, U32S = (types.int32[::1], types.int64[::1], types.uint64[::1], types.uint32[::1])
ROWS = COLUMNS = types.int64[:, ::1]
BOXES = types.int64[:, :, ::1]


@njit
def mix(mixed, word):
    mixed = (mixed ^ U(word)) * U(0xFF51AFD7ED558CCD)
    return mixed ^ mixed >> U(32)


@njit
def hash_of(columns, at):
    mixed = U(0x9E3779B97F4A7C15)
    for k in range(WORDS):
        mixed = mix(mixed, columns[k, at])
    return mixed * U(0xC4CEB9FE1A85EC53)


@njit
def owner(mixed, shards):
    """The shard of a state, from bits of its hash that say nothing of its bucket."""
    return (mixed >> U(8) & U(0xFFFF)) * shards >> U(16)


@njit
def bucket_of(mixed, bits):
    """The first entry of a state's bucket, from the high bits of its hash."""
    return mixed >> (U(64) - bits + BUCKET_BITS) << BUCKET_BITS


@njit
def tag_of(mixed, bits):
    """What an entry has of a state's hash: bits that its bucket does not depend on."""
    return mixed >> U(24) & (ONE << (U(32) - bits)) - ONE


@njit
def next_bucket(bucket, bits):
    return (bucket + (ONE << BUCKET_BITS)) & (ONE << bits) - ONE


@njit
def number_in(table, entry, bits):
    return (U(table[entry]) & (ONE << bits) - ONE) - ONE


@njit
def same(states, number, columns, at):
    difference = 0
    for k in range(WORDS):
        difference |= states[number, k] ^ columns[k, at]
    return difference == 0


@njit
def look_up(table, bits, states, columns, at, mixed):
    """Whether a state is there, and its entry; where it is not, the entry that it would have."""
    tag = tag_of(mixed, bits)
    bucket = bucket_of(mixed, bits)
    while True:
        alike, empty = places(table, bucket, bits, tag)
        while alike != ZERO:
            entry = bucket + lowest(alike)
            if same(states, number_in(table, entry, bits), columns, at):
                return True, entry
            alike &= alike - ONE
        if empty != ZERO:
            return False, bucket + lowest(empty)
        bucket = next_bucket(bucket, bits)


@njit
def entry_of(mixed, number, bits):
    return tag_of(mixed, bits) << bits | (number + ONE)


@njit
def put(table, entry, value, alone):
    """Fill an empty entry; False where another worker was faster. Who works alone is spared the dear instruction."""
    if alone:
        table[entry] = value
        return True
    return claim(table, entry, value)


@njit
def ask(table, bits, mixed):
    """Ask the memory for a state's bucket."""
    prefetch(table, bucket_of(mixed, bits))


@njit
def guess(table, bits, states, mixed):
    """Ask the memory for the state that a bucket, which has come by now, names first; its number, or `NOBODY`."""
    bucket = bucket_of(mixed, bits)
    alike, _ = places(table, bucket, bits, tag_of(mixed, bits))
    if alike == ZERO:
        return NOBODY
    number = number_in(table, bucket + lowest(alike), bits)
    prefetch(states, number * U(WORDS))
    return number


@njit
def enter_all(states, table, bits, columns, hashes, picked, count, shared, own, fresh, came, alone):
    """Enter those of some states that are new; returns how many are.

    `picked` lists which columns to enter; `fresh` gets the new states' numbers and `came` their columns.
    """
    guessed = np.empty(RING, dtype=np.uint64)
    found = ZERO
    for i in range(min(count, AHEAD)):
        ask(table, bits, hashes[picked[i]])
    for i in range(min(count, NEARER)):
        guessed[i] = guess(table, bits, states, hashes[picked[i]])
    for i in range(count):
        j = picked[i]
        likely = guessed[i % RING]
        if i + AHEAD < count:
            ask(table, bits, hashes[picked[i + AHEAD]])
        if i + NEARER < count:
            guessed[(i + NEARER) % RING] = guess(table, bits, states, hashes[picked[i + NEARER]])
        if likely != NOBODY and same(states, likely, columns, j):
            continue
        while True:
            there, entry = look_up(table, bits, states, columns, j, hashes[j])
            if there:
                break
            if own[NEXT] == own[LAST]:
                own[NEXT] = fetch_add(shared, TAKEN, CHUNK)
                own[LAST] = own[NEXT] + CHUNK
            number = own[NEXT]
            for k in range(WORDS):
                states[number, k] = columns[k, j]
            if put(table, entry, entry_of(hashes[j], U(number), bits), alone):
                own[NEXT] = number + 1
                fresh[found] = number
                came[found] = j
                found += ONE
                break
    return found


@njit(types.void(U32S, I64, I64), nogil=True, cache=True)
def clear(table, begin, end):
    """Empty some entries."""
    table[begin:end] = 0


@njit(types.void(U32S, U64, ROWS, I64, I64, types.boolean), nogil=True, cache=True)
def fill(table, bits, states, begin, end, alone):
    """Make entries for some states, which are all different, in a table of so many bits that was empty before."""
    for at in range(U(begin), U(end)):
        if at + AHEAD < U(end):
            ask(table, bits, hash_of(states.T, at + AHEAD))
        mixed = hash_of(states.T, at)
        bucket = bucket_of(mixed, bits)
        while True:
            _, empty = places(table, bucket, bits, ZERO)
            if empty == ZERO:
                bucket = next_bucket(bucket, bits)
            elif put(table, bucket + lowest(empty), entry_of(mixed, at, bits), alone):
                break


@njit(I64(ROWS, I32S, U32S, U64, types.int64[:, ::1], I64, I64S), nogil=True, cache=True)
def close_gaps(states, parents, table, bits, gaps, top, found):
    """Give the last states below `top` the numbers in the gaps, which are in order; returns how many states there are.

    None of those states may have been expanded. Numbers in `found` are those of the same states afterwards.
    """
    low, high = 0, len(gaps) - 1
    while low <= high:
        if gaps[high, 1] == top:
            top = gaps[high, 0]
            high -= 1
        elif gaps[low, 0] == gaps[low, 1]:
            low += 1
        else:
            top -= 1
            to = gaps[low, 0]
            gaps[low, 0] += 1
            mixed = hash_of(states.T, U(top))
            _, entry = look_up(table, bits, states, states.T, U(top), mixed)
            table[entry] = entry_of(mixed, U(to), bits)
            for k in range(WORDS):
                states[to, k] = states[top, k]
            parents[to] = parents[top]
            for i in range(len(found)):
                if found[i] == top:
                    found[i] = to
    return top


@njit(types.void(U32S, U64, ROWS, COLUMNS, I64, I64S), nogil=True, cache=True)
def find(table, bits, states, columns, count, numbers):
    """The numbers of some states; -1 for one that is not in the table."""
    for j in range(count):
        there, entry = look_up(table, bits, states, columns, j, hash_of(columns, j))
        numbers[j] = number_in(table, entry, bits) if there else -1


@njit
def put_block(states, begin, n, block):
    """Some states as columns."""
    for i in range(n):
        for k in range(WORDS):
            block[k, i] = states[begin + i, k]


@njit(types.void(ROWS, I64, U64, I64S), nogil=True, cache=True)
def number(states, count, shards, ids):
    """Say where each state will lie when dealt: shard + shards * place."""
    filled = np.zeros(shards, dtype=np.int64)
    for at in range(U(count)):
        shard = owner(hash_of(states.T, at), shards)
        ids[at] = filled[shard] * np.int64(shards) + np.int64(shard)
        filled[shard] += 1


@njit
def share_out(shard, shards, at, out, origin, hashes, mine, theirs, count, boxes, filled):
    """List those of a block's successors that belong here, and put the others into boxes; returns how many are listed.

    No jump depends on whose a state is: every second one would be guessed wrongly. Each is written into both lists, and
    whether it stays there is a number.
    """
    kept = left = ZERO
    for j in range(count):
        here = U(owner(hashes[j], shards) == shard)
        mine[kept] = theirs[left] = j
        kept += here
        left += ONE - here
    for i in range(left):
        j = theirs[i]
        other = owner(hashes[j], shards)
        to = filled[other]
        for k in range(WORDS):
            boxes[other, to, k] = out[k, j]
        boxes[other, to, PARENT] = (at + origin[j]) * np.int64(shards) + np.int64(shard)
        filled[other] = to + ONE
    return kept


@njit
def look(code, states, block, fresh, count, seen, first, control, state_bits, witness_bits):
    """Examine new states; False where one violates a property."""
    if state_bits | witness_bits == 0:
        return True
    for start in range(ZERO, count, U(BLOCK)):
        n = min(U(BLOCK), count - start)
        for i in range(n):
            for k in range(WORDS):
                block[k, i] = states[fresh[start + i], k]
        call(code[EXAMINE], (block, ZERO, n, seen))
        for i in range(n):
            found = seen[i]
            reached = found & witness_bits & ~control[WITNESSES]
            if reached != 0:
                control[WITNESSES] |= reached
                for bit in range(len(first)):
                    if reached >> bit & 1:
                        first[bit] = fresh[start + i]
            if found & state_bits:
                control[STATUS], control[AT], control[DETAIL] = STATE, fresh[start + i], found & state_bits
                return False
    return True


@njit(
    types.void(
        I64S, ROWS, I32S, U32S, U64, COLUMNS, COLUMNS, U64S, U32S, U32S, U32S, U32S, U32S, U32S, I64S, U64S, U64S, U32S,
        U32S, I64S, I64S, I64S, I64S, I64S, I64S, BOXES, U64S, U64, U64, I64, I64, I64, types.boolean, I64, I64, I64,
        types.boolean,
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def run(
    code, states, parents, table, bits, block, out, hashes, every, mine, theirs, fresh, came, origin, label, fired,
    moved, lists, items, picks, seen, first, control, shared, own, boxes, filled, shard, shards, step_bits, state_bits,
    witness_bits, deadlock, piece, end, room, alone,
):  # fmt: skip
    """Expand states up to `end`, a piece at a time, until there is no room or something is found.

    `room` is how many numbers may be taken before the last pieces are begun.
    """
    control[STATUS] = LEVEL
    while True:
        if fetch_add(shared, TAKEN, 0) > room:
            control[STATUS] = FULL
            return
        for other in range(shards):
            if filled[other] + U(len(origin)) > U(boxes.shape[1]) and other != shard:
                control[STATUS] = BOXED
                return
        begin = fetch_add(shared, GIVEN, piece)
        if begin >= end:
            return
        for at in range(begin, min(begin + piece, end), BLOCK):
            control[HEAD] = at
            n = min(BLOCK, end - at)
            put_block(states, U(at), U(n), block)
            for i in range(n):
                moved[i] = 0
            found = call(code[EXPAND], (block, 0, n, out, origin, label, fired, moved, lists, items, picks))
            count = U(found & ((1 << BAD_BIT) - 1))
            if found >> BAD_BIT != 0:
                for j in range(count):
                    wrong = label[j] < 0
                    if wrong or label[j] >> LABEL_BITS & step_bits:
                        control[STATUS], control[AT] = WRONG if wrong else STEP, at + origin[j]
                        control[DETAIL] = label[j]
                        for k in range(WORDS):
                            out[k, 0] = out[k, j]
                        return
            if deadlock:
                for i in range(n):
                    if moved[i] == 0:
                        call(code[EXAMINE], (block, i, 1, seen))
                        if seen[0] >> REST_BIT & 1 == 0:
                            control[STATUS], control[AT] = DEADLOCK, at + i
                            return
            call(code[CANONICAL], (out, count))
            for j in range(count):
                hashes[j] = hash_of(out, j)
            picked, kept = every, count
            if shards != ONE:
                kept = share_out(shard, shards, at, out, origin, hashes, mine, theirs, count, boxes, filled)
                picked = mine
            new = enter_all(states, table, bits, out, hashes, picked, kept, shared, own, fresh, came, alone)
            for i in range(new):
                parents[fresh[i]] = (at + origin[came[i]]) * np.int64(shards) + np.int64(shard)
            if not look(code, states, block, fresh, new, seen, first, control, state_bits, witness_bits):
                return


@njit(
    U64(
        I64S, ROWS, I32S, U32S, U64, COLUMNS, U64S, U32S, U32S, U32S, I64S, I64S, I64S, I64S, I64S, ROWS, U64, I64, I64,
        I64, types.boolean,
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def receive(
    code, states, parents, table, bits, block, hashes, every, fresh, came, seen, first, control, shared, own, box,
    begin, state_bits, witness_bits, room, alone,
):  # fmt: skip
    """Enter what other shards have sent, from `begin` on; returns how far it came."""
    while begin < U(len(box)):
        if fetch_add(shared, TAKEN, 0) > room:
            control[STATUS] = FULL
            return begin
        part = box[begin : min(begin + U(len(hashes)), U(len(box)))]
        for j in range(len(part)):
            hashes[j] = hash_of(part.T, j)
        new = enter_all(states, table, bits, part.T, hashes, every, U(len(part)), shared, own, fresh, came, alone)
        for i in range(new):
            parents[fresh[i]] = part[came[i], PARENT]
        begin += U(len(part))
        if not look(code, states, block, fresh, new, seen, first, control, state_bits, witness_bits):
            return begin
    return begin


@njit(I64(I64S, ROWS, I64, I64, COLUMNS, COLUMNS, U32S, I64S, U64S, U64S, U32S, U32S, I64S), nogil=True, cache=True)
def expand(code, states, begin, end, block, out, origin, label, fired, moved, lists, items, picks):
    """Make the successors of some states and count them. Those of the last block are left in `out`."""
    total = 0
    for at in range(begin, end, BLOCK):
        n = min(BLOCK, end - at)
        put_block(states, U(at), U(n), block)
        found = call(code[EXPAND], (block, 0, n, out, origin, label, fired, moved, lists, items, picks))
        total += found & ((1 << BAD_BIT) - 1)
    return total


@njit(types.void(I64S, COLUMNS, U64), nogil=True, cache=True)
def canonical(code, out, count):
    """Put the canonical states in the place of these."""
    call(code[CANONICAL], (out, count))


@njit(types.void(I64S, ROWS, COLUMNS, I64S), nogil=True, cache=True)
def examine(code, states, block, found):
    """What the kernel says of each state."""
    for at in range(0, len(states), BLOCK):
        n = min(BLOCK, len(states) - at)
        put_block(states, U(at), U(n), block)
        call(code[EXAMINE], (block, 0, n, found[at:]))
