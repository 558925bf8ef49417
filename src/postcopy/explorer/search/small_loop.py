"""The loop of the search with the small table, in the part of Python that Numba compiles.

A state is a pair of numbers. Its words are the leaves of a binary tree; each node of the tree but the root has a table
of what was found there, each thing once (`word_table`): of a leaf the word, of another node the numbers of its two
children. The root is not stored: its two numbers are the pair, which the table of pairs (`pair_table`) holds.
A state of one word has the two halves of the word for its leaves.

The states that are still to be expanded are a queue of pairs. The loop makes the words of a block of them again,
expands it, gives the successors their numbers, and enters their pairs.

Several workers may expand a level together. Each takes the next block that no worker has taken, and places of the queue
by the chunk for what it finds; in the end the last pairs move to the places that are left over. Tables grow while no
worker runs. What was not entered then is pending, and the worker enters it before it takes another block.

On a cluster each process has tables of its own, so numbers mean nothing to another one. Successors are dealt by
words of theirs: only those that belong here get numbers, the others go into outboxes as they are.

`small_store` calls all this. `loops` runs this text, so that the machine code is kept.
"""

# ruff: noqa: D103  (what each does is said here and in `small_store`, which calls them)

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
    U64S,
    WANTED,
    check_deadlock,
    check_steps,
    expand_block,
    is_bad,
    successors_of,
)
from postcopy.explorer.search.intrinsics import call, fetch_add, prefetch
from postcopy.explorer.search.pair_table import BUCKET_BITS, NEW, SHAPE, STUCK, enter, move, pair_at, place
from postcopy.explorer.search.pair_table import spread as spread_in_place
from postcopy.explorer.search.pair_table import spread_first as spread_first_in_place
from postcopy.explorer.search.records import Notes, Numbering, Outboxes, Tables
from postcopy.explorer.search.status import AT, DETAIL, HEAD, STATUS, WITNESSES, Status
from postcopy.explorer.search.word_table import LAST, NEXT, UNKNOWN, hash_of, number_all, number_of
from postcopy.explorer.search.word_table import fill as fill_index
from postcopy.explorer.search.word_table import find as find_word

compiled: Any = globals()["compiled"]
"""Compiles a function for one signature, or takes its machine code from the cache: `loops` sets it."""

LEVEL, STATE, FULL, OUTBOX_FULL = (int(each) for each in (Status.LEVEL, Status.STATE, Status.FULL, Status.OUTBOX_FULL))

U = np.uint64
ZERO, ONE, HALF = U(0), U(1), U(32)
LOW = U((1 << 32) - 1)

AHEAD = U(24)
"""How many pairs before they are entered their homes are asked of the memory."""

LEFT, RIGHT = range(2)
"""Where the numbers of a node's children stand; they are -1 for a leaf."""

CHUNK = 1024
"""How many places of the queue a worker takes at once for the states that it will find."""

TAKEN, GIVEN = 0, 8
"""Where `shared`, a line of the cache each, says how many places are taken and how many given out to be expanded."""

SUCCESSORS, ENTERED = range(2)
"""Where in `pending` it stands how many successors a block has that have to be entered, and how many of them are."""


TABLES = types.NamedTuple(
    (U32S, ROWS, types.uint32[:, ::1], U64S, U64S, U64S, ROWS, I64S, U64S, U32S, I64S),
    Tables,
)
NOTES = types.NamedTuple((I64S, I64S, U64S, I64S), Notes)
NUMBERING = types.NamedTuple((types.uint64[:, ::1], I64S, U64S, U64S, U32S, I64S, types.int64[:, ::1]), Numbering)
OUTBOXES = types.NamedTuple((types.int64[:, :, ::1], U64S, types.uint64, types.uint64), Outboxes)


@njit
def owner(columns, at, dealt, shards):
    """The shard of a state, by a hash of the words that say so. Nothing here has this hash of them for a place."""
    mixed = ONE
    for k in range(len(columns)):
        if dealt[k] != 0:
            mixed = hash_of(hash_of(mixed ^ U(columns[k, at] & dealt[k])))
    return (mixed >> HALF) * shards >> HALF


@njit
def share_out(outboxes, dealt, out, tags, count):
    """Put those of some states that belong to others into outboxes, and close up the rest; how many stay here.

    Tags are those of the states; they go with them where an outbox has room for them behind the words. No jump depends
    on whose a state is: every second one would be guessed wrongly. Each is put into both places, and whether it stays
    there is a number.
    """
    rows, filled, shard, shards = outboxes
    words, kept = len(out), 0
    for j in range(count):
        to = owner(out, j, dealt, shards)
        at = filled[to]
        for k in range(words):
            rows[to, at, k] = out[k, j]
            out[k, kept] = out[k, j]
        if rows.shape[2] > words:
            rows[to, at, words] = tags[j]
        tags[kept] = tags[j]
        filled[to] = at + U(to != shard)
        kept += int(to == shard)
    return kept


@njit
def number_states(tables, numbering, hashes, columns, count, alone):
    """Give numbers to some states, and to all that is new in them; those of the root's children are the pair."""
    children, ids, asked = tables.children, numbering.ids, numbering.asked
    for node in range(len(children) - 1):
        left, right = children[node, LEFT], children[node, RIGHT]
        for j in range(count):
            if left >= 0:
                asked[j] = ids[left, j] | ids[right, j] << HALF
            elif len(columns) > 1:
                asked[j] = columns[node, j]
            else:
                asked[j] = U(columns[0, j]) >> (U(node) * HALF) & LOW
        number_all(
            tables.indexes[node], tables.bits[node], tables.words[node], tables.known, node, numbering.own[node], asked,
            count, hashes, ids[node], alone,
        )  # fmt: skip


@njit
def words_of(tables, ids, columns, count):
    """Make the words of some states of their pairs, which are the numbers of the root's children."""
    children = tables.children
    if len(columns) == 1:
        for j in range(count):
            columns[0, j] = 0
    for up in range(len(children) - 1):
        node = len(children) - 2 - up
        left, right = children[node, LEFT], children[node, RIGHT]
        for j in range(count):
            found = tables.words[node, ids[node, j]]
            if left >= 0:
                ids[left, j], ids[right, j] = U(found) & LOW, U(found) >> HALF
            elif len(columns) > 1:
                columns[node, j] = found
            else:
                columns[0, j] |= found << (node * 32)


@njit
def put_pairs(tables, pairs, begin, n, ids, columns):
    """The words of some states of a list of pairs, as columns."""
    left, right = tables.children[-1, LEFT], tables.children[-1, RIGHT]
    for j in range(n):
        pair = pairs[begin + j]
        ids[left, j], ids[right, j] = pair & LOW, pair >> HALF
    words_of(tables, ids, columns, n)


@njit
def enter_pairs(tables, shape, numbering, begin, count, numbers, new, new_of, alone):
    """Enter those of some pairs that are new, and put them into the queue; also how far it came.

    `new` gets the places of the new states in the queue, and `new_of` their columns.
    """
    table, queue, homes, rests = tables.table, tables.queue, numbering.homes, numbering.rests
    left, right = numbering.ids[tables.children[-1, LEFT]], numbering.ids[tables.children[-1, RIGHT]]
    for j in range(begin, count):
        homes[j], rests[j] = place(left[j], right[j], shape)
    for j in range(begin, min(count, begin + AHEAD)):
        prefetch(table, homes[j] << BUCKET_BITS)
    found = ZERO
    for j in range(begin, count):
        if j + AHEAD < count:
            prefetch(table, homes[j + AHEAD] << BUCKET_BITS)
        outcome = enter(table, homes[j], rests[j], alone)
        if outcome == STUCK:
            return found, j
        if outcome == NEW:
            if numbers[NEXT] == numbers[LAST]:
                numbers[NEXT] = fetch_add(tables.shared, TAKEN, CHUNK)
                numbers[LAST] = numbers[NEXT] + CHUNK
            at = numbers[NEXT]
            numbers[NEXT] = at + 1
            queue[at] = left[j] | right[j] << HALF
            new[found] = at
            new_of[found] = j
            found += ONE
    return found, count


@njit
def check_new(code, out, new, new_of, count, scratch, control, first, wanted):
    """Examine new states and note the witnesses among them; False where one violates a property."""
    if wanted.state_bits | wanted.witness_bits == 0:
        return True
    block, seen = scratch.block, scratch.seen
    for start in range(0, count, BLOCK):
        n = min(BLOCK, count - start)
        for i in range(n):
            for k in range(len(out)):
                block[k, i] = out[k, new_of[start + i]]
        call(code[EXAMINE], (block, 0, n, seen))
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


@njit
def enter_block(code, tables, shape, scratch, notes, numbering, wanted, alone):
    """Enter the successors of a block; False where something was found, or there is no room for one."""
    pending, control, new, new_of = numbering.pending, notes.control, scratch.new, scratch.new_of
    begin, count = U(pending[ENTERED]), U(pending[SUCCESSORS])
    found, came = enter_pairs(tables, shape, numbering, begin, count, notes.numbers, new, new_of, alone)
    pending[ENTERED] = came
    if len(tables.tags) != 0:
        for i in range(found):
            tables.tags[new[i]] = numbering.tags[new_of[i]]
    if not check_new(code, scratch.out, new, new_of, np.int64(found), scratch, control, notes.first, wanted):
        return False
    if came < count:
        control[STATUS] = FULL
        return False
    pending[SUCCESSORS] = 0
    return True


@njit
def has_room(tables, room):
    """Whether there is room for all successors of the blocks that workers may take, whatever they are."""
    for node in range(len(tables.known)):
        if U(fetch_add(tables.known, node, 0)) > tables.room[node]:
            return False
    return fetch_add(tables.shared, TAKEN, 0) <= room


@njit
def inherit_tags(tables, origin, numbering, at, count):
    """Give successors of a block the tags of the states that they are of."""
    if len(tables.tags) != 0:
        for j in range(count):
            numbering.tags[j] = tables.tags[at + origin[j]]


@njit
def number_pending(tables, scratch, numbering, outboxes, count, alone):
    """Share out the states in `out` and number those that stay here: they are pending then."""
    if outboxes.shards != ONE:
        count = share_out(outboxes, tables.dealt, scratch.out, numbering.tags, count)
    number_states(tables, numbering, scratch.hashes, scratch.out, U(count), alone)
    numbering.pending[SUCCESSORS], numbering.pending[ENTERED] = count, 0


@njit
def expand(code, tables, scratch, notes, numbering, outboxes, wanted, at, n, alone):
    """Expand a block of the queue and number its successors, which are pending then; False where one is wrong."""
    block, out, moved, control = scratch.block, scratch.out, scratch.moved, notes.control
    control[HEAD] = at
    put_pairs(tables, tables.queue, at, n, numbering.ids, block)
    for i in range(n):
        moved[i] = 0
    found = expand_block(code, scratch, n, notes.fired)
    count = successors_of(found)
    if is_bad(found) and not check_steps(scratch.label, scratch.origin, out, count, at, control, wanted):
        return False
    if wanted.deadlock and not check_deadlock(code, block, moved, scratch.seen, n, at, control):
        return False
    call(code[CANONICAL], (out, count))
    inherit_tags(tables, scratch.origin, numbering, at, count)
    number_pending(tables, scratch, numbering, outboxes, count, alone)
    return True


@njit
def has_room_to_send(outboxes, most):
    """Whether each outbox has room for all successors of a block."""
    for to in range(outboxes.shards):
        if outboxes.filled[to] + U(most) > U(outboxes.rows.shape[1]) and to != outboxes.shard:
            return False
    return True


@compiled(types.void(I64S, TABLES, SHAPE, SCRATCH, NOTES, NUMBERING, OUTBOXES, WANTED, I64, I64, types.boolean))
def run(code, tables, shape, scratch, notes, numbering, outboxes, wanted, end, room, alone):
    """Expand states of the queue up to `end`, a block at a time, until there is no room or something is found.

    `room` is how many places of the queue may be taken before the last blocks are begun.
    """
    control, pending = notes.control, numbering.pending
    control[STATUS] = LEVEL
    while True:
        if pending[SUCCESSORS] != 0 and not enter_block(code, tables, shape, scratch, notes, numbering, wanted, alone):
            return
        if not has_room(tables, room):
            control[STATUS] = FULL
            return
        if not has_room_to_send(outboxes, len(scratch.origin)):
            control[STATUS] = OUTBOX_FULL
            return
        at = fetch_add(tables.shared, GIVEN, BLOCK)
        if at >= end:
            return
        if not expand(code, tables, scratch, notes, numbering, outboxes, wanted, at, min(BLOCK, end - at), alone):
            return


@compiled(I64(I64S, TABLES, SHAPE, SCRATCH, NOTES, NUMBERING, WANTED, ROWS, I64, I64))
def receive(code, tables, shape, scratch, notes, numbering, wanted, rows, begin, room):
    """Enter what other shards have sent, from `begin` on; returns how far it came. No other worker may run."""
    control, pending, out = notes.control, numbering.pending, scratch.out
    control[STATUS] = LEVEL
    while True:
        if pending[SUCCESSORS] != 0 and not enter_block(code, tables, shape, scratch, notes, numbering, wanted, True):
            return begin
        if not has_room(tables, room):
            control[STATUS] = FULL
            return begin
        if begin >= len(rows):
            return begin
        count = min(len(scratch.origin), len(rows) - begin)
        for j in range(count):
            for k in range(len(out)):
                out[k, j] = rows[begin + j, k]
            if rows.shape[1] > len(out):
                numbering.tags[j] = rows[begin + j, len(out)]
        number_states(tables, numbering, scratch.hashes, out, U(count), True)
        pending[SUCCESSORS], pending[ENTERED] = count, 0
        begin += count


@compiled(types.void(I64S, TABLES, SCRATCH, NUMBERING, OUTBOXES, I64, types.boolean))
def number(code, tables, scratch, numbering, outboxes, count, alone):
    """Give numbers to those of some initial states that belong here, which lie in `out`: they are pending then."""
    call(code[CANONICAL], (scratch.out, count))
    number_pending(tables, scratch, numbering, outboxes, count, alone)


@compiled(I64(TABLES, SHAPE, U64S, I64))
def enter_again(tables, shape, pairs, begin):
    """Enter some pairs from a place of a list on; returns how far it came."""
    for j in range(begin, len(pairs)):
        if j + AHEAD < U(len(pairs)):
            soon = pairs[j + np.int64(AHEAD)]
            home, _ = place(soon & LOW, soon >> HALF, shape)
            prefetch(tables.table, home << BUCKET_BITS)
        home, rest = place(pairs[j] & LOW, pairs[j] >> HALF, shape)
        if enter(tables.table, home, rest, True) == STUCK:
            return j
    return len(pairs)


@compiled(types.boolean(U32S, SHAPE, SHAPE, I64, I64, types.boolean))
def spread(table, before, after, begin, end, alone):
    return spread_in_place(table, before, after, begin, end, alone)


@compiled(types.boolean(U32S, SHAPE, SHAPE, I64))
def spread_first(table, before, after, first):
    return spread_first_in_place(table, before, after, first)


@compiled(types.boolean(U32S, SHAPE, U32S, SHAPE))
def rebuild(table, before, other, after):
    return move(table, before, other, after)


@compiled(types.void(TABLES, I64))
def fill(tables, node):
    """Make a node's index anew. No number of it may be a worker's own."""
    index = tables.indexes[node]
    index[: ONE << tables.bits[node]] = 0
    fill_index(index, tables.bits[node], tables.words[node], tables.known[node])


@compiled(types.void(TABLES, I64, I64S))
def settle(tables, node, own):
    """Give the numbers that a worker has left at a node to words that no state has: any that are not known."""
    word = np.int64(-1)
    while own[NEXT] != own[LAST]:
        number_of(
            tables.indexes[node], tables.bits[node], tables.words[node], tables.known, node, own, word, hash_of(word),
            True,
        )  # fmt: skip
        word -= 1


@compiled(I64(TABLES, I64S))
def pair_of(tables, state):
    """The pair of a state of these words; -1 where it was not found yet, because something in it is not known."""
    children = tables.children
    numbers = np.zeros(len(children), dtype=np.uint64)
    for node in range(len(children) - 1):
        left, right = children[node, LEFT], children[node, RIGHT]
        if left >= 0:
            asked = np.int64(numbers[left] | numbers[right] << HALF)
        elif len(state) > 1:
            asked = state[node]
        else:
            asked = np.int64(U(state[0]) >> (U(node) * HALF) & LOW)
        numbers[node] = find_word(tables.indexes[node], tables.bits[node], tables.words[node], asked)
        if numbers[node] == UNKNOWN:
            return -1
    return np.int64(numbers[children[-1, LEFT]] | numbers[children[-1, RIGHT]] << HALF)


@compiled(I64(U32S, SHAPE, I64, I64, U64S))
def list_pairs(table, shape, begin, end, pairs):
    """Write the pairs in some buckets; returns how many there are."""
    count = 0
    for bucket in range(begin, end):
        for slot in range(16):
            entry = table[bucket * 16 + slot]
            if entry == 0:
                break
            left, right = pair_at(U(bucket), U(entry), shape)
            pairs[count] = left | right << HALF
            count += 1
    return count


@compiled(types.void(TABLES, U64S, I64, types.uint64[:, ::1], COLUMNS))
def unpack(tables, pairs, count, ids, columns):
    """The words of some states as columns."""
    put_pairs(tables, pairs, 0, count, ids, columns)
