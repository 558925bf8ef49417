"""The search's loop in the part of Python that Numba compiles, for states of so many words.

It is compiled once for each number of words, which is known to the compiler so that loops over words vanish: `loops`
makes a module of this text for each. A kernel's functions are machine code of their own, called for a block of states
at a time by their addresses, `code`; they want a block's states as columns.

The states of a shard are rows in the order of discovery, so they are the queue too, and a state is its number. A hash
table has for each state an entry of 32 bits: its number plus 1 in the low bits, as many as there are in an entry's
place, and above them a tag, some bits of the state's hash. Entries lie in buckets of sixteen, one line of the
processor's cache, that are looked through at once; where a tag agrees, the state itself is compared, so nothing is
taken for something else. A full bucket goes on in the next one. When the table is full, it is made anew, twice as large
and around itself: entries are made again from the states, which stay where they are.

A look-up touches two places in memory that no cache holds, first the bucket, then the state that it names. So it goes
three ways at once through a block of successors: far ahead buckets are asked of the memory; nearer, the buckets have
come and the states that they name are asked for; and here both are there.

Several workers may expand a level together. Each takes the next few states that no worker has taken and enters what is
new into the one table. It writes a state at a number of its own, and then claims the state's entry in one step; the
second worker finds it there. That is exact because a bucket is filled from its first entry on and nothing is ever taken
out: the first empty entry that a worker sees is where the state would be that another enters at the same time. Numbers
are given out by the chunk; in the end the last states move to the numbers that are left over, so that all numbers below
the count are states again.
"""

# ruff: noqa: D103  (what each does is said here and in `shard`, which calls them)

from typing import Any

import numpy as np
from numba import types

from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.kernel.numba_archive import inner as njit
from postcopy.explorer.search.block import (
    CANONICAL,
    COLUMNS,
    EXAMINE,
    I64,
    I64S,
    ROWS,
    SCRATCH,
    U32S,
    U64,
    U64S,
    WANTED,
    check_deadlock,
    check_steps,
    expand_block,
    is_bad,
    successors_of,
)
from postcopy.explorer.search.intrinsics import call, fetch_add, lowest, places, prefetch, put
from postcopy.explorer.search.records import Notes, Outboxes, Store
from postcopy.explorer.search.status import AT, DETAIL, HEAD, STATUS, WITNESSES, Status

LEVEL, STATE, FULL, OUTBOX_FULL = (int(each) for each in (Status.LEVEL, Status.STATE, Status.FULL, Status.OUTBOX_FULL))

U = np.uint64
ZERO, ONE = U(0), U(1)

WORDS: int = globals()["WORDS"]
"""Words in a state: `loops` sets it before this text runs, so that it is a constant to the compiler."""

PARENT = WORDS
"""Where the parent's number lies in a row on its way: behind the state's words."""

compiled: Any = globals()["compiled"]
"""Compiles a function for one signature, or takes its machine code from the cache: `loops` sets it too."""

AHEAD, NEARER = U(40), U(20)
"""How many successors before they are looked up their buckets, and the states these name, are asked of the memory."""

RING = U(32)
"""Room for the guesses about the next successors, a power of two."""

NO_STATE = U((1 << 64) - 1)
"""No state's number."""

CHUNK = 1024
"""How many numbers a worker takes at once for the states that it will find."""

TAKEN, GIVEN = 0, 8
"""Where `shared`, a line of the cache each, says how many numbers are taken and states given out to be expanded."""

NEXT, LAST = range(2)
"""Where in a worker's `numbers` its next number stands, and the first that is not its own."""

BUCKET_BITS = U(4)
EIGHTHS = 7
"""How many eighths of the table may be full."""

STORE = types.NamedTuple((ROWS, types.int32[::1], U32S, U64, I64S), Store)
NOTES = types.NamedTuple((I64S, I64S, U64S, I64S), Notes)
OUTBOXES = types.NamedTuple((types.int64[:, :, ::1], U64S, U64, U64), Outboxes)


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
    """Whether a state is there, and its entry; else the empty entry where it belongs."""
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
def ask(table, bits, mixed):
    """Ask the memory for a state's bucket."""
    prefetch(table, bucket_of(mixed, bits))


@njit
def guess(table, bits, states, mixed):
    """Ask the memory for the state that a bucket, which has come by now, names first; its number, or `NO_STATE`."""
    bucket = bucket_of(mixed, bits)
    alike, _ = places(table, bucket, bits, tag_of(mixed, bits))
    if alike == ZERO:
        return NO_STATE
    number = number_in(table, bucket + lowest(alike), bits)
    prefetch(states, number * U(WORDS))
    return number


@njit
def enter_all(table, bits, states, shared, numbers, hashes, new, new_of, guessed, columns, picked, count, alone):
    """Enter those of some states that are new; returns how many are.

    `picked` lists which columns to enter, whose hashes are known; `new` gets the numbers of the new states and `new_of`
    their columns. `guessed` has room for `RING` numbers.
    """
    found = ZERO
    for i in range(min(count, AHEAD)):
        ask(table, bits, hashes[picked[i]])
    for i in range(min(count, NEARER)):
        guessed[i] = np.int64(guess(table, bits, states, hashes[picked[i]]))
    for i in range(count):
        j = picked[i]
        likely = U(guessed[i % RING])
        if i + AHEAD < count:
            ask(table, bits, hashes[picked[i + AHEAD]])
        if i + NEARER < count:
            guessed[(i + NEARER) % RING] = np.int64(guess(table, bits, states, hashes[picked[i + NEARER]]))
        if likely != NO_STATE and same(states, likely, columns, j):
            continue
        while True:
            there, entry = look_up(table, bits, states, columns, j, hashes[j])
            if there:
                break
            if numbers[NEXT] == numbers[LAST]:
                numbers[NEXT] = fetch_add(shared, TAKEN, CHUNK)
                numbers[LAST] = numbers[NEXT] + CHUNK
            number = numbers[NEXT]
            for k in range(WORDS):
                states[number, k] = columns[k, j]
            if put(table, entry, entry_of(hashes[j], U(number), bits), alone):
                numbers[NEXT] = number + 1
                new[found] = number
                new_of[found] = j
                found += ONE
                break
    return found


@compiled(types.void(U32S, I64, I64))
def clear(table, begin, end):
    """Empty some entries."""
    table[begin:end] = 0


@compiled(types.void(U32S, U64, ROWS, I64, I64, types.boolean))
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


@compiled(I64(STORE, types.int64[:, ::1], I64, I64S))
def close_gaps(store, gaps, top, found):
    """Give the last states below `top` the numbers in the gaps, which are in order; returns how many states there are.

    None of those states may have been expanded. Numbers in `found` are those of the same states afterwards.
    """
    states, parents, table, bits, _ = store
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


@compiled(types.void(U32S, U64, ROWS, COLUMNS, I64, I64S))
def find(table, bits, states, columns, count, numbers):
    """The numbers of some states; -1 for one that is not in the table."""
    for j in range(U(count)):
        there, entry = look_up(table, bits, states, columns, j, hash_of(columns, j))
        numbers[j] = number_in(table, entry, bits) if there else -1


@njit
def put_block(rows, begin, n, columns):
    """Some states, which are rows, as columns."""
    for i in range(n):
        for k in range(WORDS):
            columns[k, i] = rows[begin + i, k]


@compiled(types.void(ROWS, I64, U64, I64S, I64S))
def number(states, count, shards, filled, ids):
    """Say where each state will lie when dealt: shard + shards * place. `filled` has a zero for each shard."""
    for at in range(U(count)):
        shard = owner(hash_of(states.T, at), shards)
        ids[at] = filled[shard] * np.int64(shards) + np.int64(shard)
        filled[shard] += 1


@njit
def share_out(outboxes, out, origin, hashes, own, others, at, count):
    """List the successors of a block that belong here, put the others into outboxes; returns how many are listed.

    No jump depends on whose a state is: every second one would be guessed wrongly. Each is written into both lists, and
    whether it stays there is a number.
    """
    rows, filled, shard, shards = outboxes
    kept = left = ZERO
    for j in range(count):
        here = U(owner(hashes[j], shards) == shard)
        own[kept] = others[left] = j
        kept += here
        left += ONE - here
    for i in range(left):
        j = others[i]
        other = owner(hashes[j], shards)
        to = filled[other]
        for k in range(WORDS):
            rows[other, to, k] = out[k, j]
        rows[other, to, PARENT] = (at + origin[j]) * np.int64(shards) + np.int64(shard)
        filled[other] = to + ONE
    return kept


@njit
def check_new(code, states, block, new, seen, count, control, first, wanted):
    """Examine new states and note the witnesses among them; False where one violates a property."""
    if wanted.state_bits | wanted.witness_bits == 0:
        return True
    for start in range(ZERO, count, U(BLOCK)):
        n = min(U(BLOCK), count - start)
        for i in range(n):
            for k in range(WORDS):
                block[k, i] = states[new[start + i], k]
        call(code[EXAMINE], (block, ZERO, n, seen))
        for i in range(n):
            found = seen[i]
            reached = found & wanted.witness_bits & ~control[WITNESSES]
            if reached != 0:
                control[WITNESSES] |= reached
                for bit in range(len(first)):
                    if reached >> bit & 1:
                        first[bit] = new[start + i]
            if found & wanted.state_bits:
                control[STATUS], control[AT], control[DETAIL] = STATE, new[start + i], found & wanted.state_bits
                return False
    return True


@compiled(types.void(I64S, STORE, SCRATCH, NOTES, OUTBOXES, WANTED, I64, I64, I64, types.boolean))
def run(code, store, scratch, notes, outboxes, wanted, piece, end, room, alone):
    """Expand states up to `end`, a piece at a time, until there is no room or something is found.

    `room` is how many numbers may be taken before the last pieces are begun.
    """
    control, shared, shards, shard = notes.control, store.shared, outboxes.shards, outboxes.shard
    states, parents, block, moved = store.states, store.parents, scratch.block, scratch.moved
    out, origin, hashes, new, new_of = scratch.out, scratch.origin, scratch.hashes, scratch.new, scratch.new_of
    control[STATUS] = LEVEL
    while True:
        if fetch_add(shared, TAKEN, 0) > room:
            control[STATUS] = FULL
            return
        for other in range(shards):
            if outboxes.filled[other] + U(len(origin)) > U(outboxes.rows.shape[1]) and other != shard:
                control[STATUS] = OUTBOX_FULL
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
            found = expand_block(code, scratch, n, notes.fired)
            count = U(successors_of(found))
            if is_bad(found) and not check_steps(scratch.label, origin, out, count, at, control, wanted):
                return
            if wanted.deadlock and not check_deadlock(code, block, moved, scratch.seen, n, at, control):
                return
            call(code[CANONICAL], (out, count))
            for j in range(count):
                hashes[j] = hash_of(out, j)
            picked, kept = scratch.every, count
            if shards != ONE:
                kept = share_out(outboxes, out, origin, hashes, scratch.own, scratch.others, at, count)
                picked = scratch.own
            found_new = enter_all(
                store.table, store.bits, states, shared, notes.numbers, hashes, new, new_of, scratch.seen, out, picked,
                kept, alone,
            )  # fmt: skip
            for i in range(found_new):
                parents[new[i]] = (at + origin[new_of[i]]) * np.int64(shards) + np.int64(shard)
            if not check_new(code, states, block, new, scratch.seen, found_new, control, notes.first, wanted):
                return


@compiled(U64(I64S, STORE, SCRATCH, NOTES, ROWS, U64, WANTED, I64, types.boolean))
def receive(code, store, scratch, notes, rows, begin, wanted, room, alone):
    """Enter what other shards have sent, from `begin` on; returns how far it came."""
    parents, shared, states, control = store.parents, store.shared, store.states, notes.control
    out, hashes, new, new_of = scratch.out, scratch.hashes, scratch.new, scratch.new_of
    while begin < U(len(rows)):
        if fetch_add(shared, TAKEN, 0) > room:
            control[STATUS] = FULL
            return begin
        count = min(U(len(hashes)), U(len(rows)) - begin)
        put_block(rows, begin, count, out)
        for j in range(count):
            hashes[j] = hash_of(out, j)
        found_new = enter_all(
            store.table, store.bits, states, shared, notes.numbers, hashes, new, new_of, scratch.seen, out,
            scratch.every, count, alone,
        )  # fmt: skip
        for i in range(found_new):
            parents[new[i]] = rows[begin + new_of[i], PARENT]
        begin += count
        if not check_new(code, states, scratch.block, new, scratch.seen, found_new, control, notes.first, wanted):
            return begin
    return begin


@compiled(I64(I64S, ROWS, I64, I64, SCRATCH, U64S))
def expand(code, states, begin, end, scratch, fired):
    """Make the successors of some states and count them. Those of the last block are left in `out`."""
    total = 0
    for at in range(begin, end, BLOCK):
        n = min(BLOCK, end - at)
        put_block(states, U(at), U(n), scratch.block)
        total += successors_of(expand_block(code, scratch, n, fired))
    return total


@compiled(types.void(I64S, COLUMNS, U64))
def canonical(code, out, count):
    """Put the canonical states in the place of these."""
    call(code[CANONICAL], (out, count))


@compiled(types.void(I64S, ROWS, COLUMNS, I64S))
def examine(code, states, block, found):
    """What the kernel says of each state."""
    for at in range(0, len(states), BLOCK):
        n = min(BLOCK, len(states) - at)
        put_block(states, U(at), U(n), block)
        call(code[EXAMINE], (block, 0, n, found[at:]))
