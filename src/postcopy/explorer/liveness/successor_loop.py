"""The successors of stored states, made again by the kernel, in the part of Python that Numba compiles.

A search forgets the steps between its states. Here a block of states is expanded once more, and each successor is
looked up in the table of the search. `record` keeps the steps of as many states as there is room for, from the first
one on, and `steps` takes them from there. `recomputed` runs this text for each number of words in a state.
"""

# ruff: noqa: D103  (what each does is said here and in `component_loop`, which calls it)

from typing import Any

import numpy as np
from numba import types

from postcopy.explorer.kernel import calling_convention as convention
from postcopy.explorer.kernel.calling_convention import BLOCK, STAYS
from postcopy.explorer.kernel.numba_archive import inner as njit
from postcopy.explorer.liveness.by_address import call_steps, record_at
from postcopy.explorer.liveness.records import SPACE, WHOLE_FIELDS, Whole
from postcopy.explorer.search.block import CANONICAL, I64, expand_block, successors_of
from postcopy.explorer.search.intrinsics import call

compiled: Any = globals()["compiled"]
WORDS: int = globals()["WORDS"]
hash_of: Any = globals()["hash_of"]
ask: Any = globals()["ask"]
look_up: Any = globals()["look_up"]
number_in: Any = globals()["number_in"]
"""The functions of the search's loop for as many words: `recomputed` sets them before this text runs."""

STEPS = 3
"""Where in `code` the address of `steps` stands."""

whole_at = record_at(types.NamedTuple(WHOLE_FIELDS, Whole))

AHEAD = 24
"""How many successors before they are looked up their buckets are asked of the memory."""

stays, leaf_number = njit(convention.stays), njit(convention.leaf_number)


@njit
def find_all(space, count):
    out, hashes, table, bits = space.scratch.out, space.scratch.hashes, space.table, space.bits
    for j in range(count):
        hashes[j] = hash_of(out, j)
    for j in range(min(count, AHEAD)):
        ask(table, bits, hashes[j])
    for j in range(count):
        if j + AHEAD < count:
            ask(table, bits, hashes[j + AHEAD])
        there, entry = look_up(table, bits, space.states, out, j, hashes[j])
        if not there:
            raise AssertionError("a successor is not among the states")
        space.target[j] = number_in(table, entry, bits)


@njit
def made_again(space, n):
    """Make the steps from the states whose numbers are the first n of `space.ids`; how many change a state."""
    scratch, states, history = space.scratch, space.states, space.history
    block, out, origin, label = scratch.block, scratch.out, scratch.origin, scratch.label
    for i in range(n):
        at = space.ids[i]
        for k in range(WORDS):
            block[k, i] = states[at, k]
        space.able[i] = 0
    made = successors_of(expand_block(space.code, scratch, n, space.fired))
    count = 0
    for j in range(made):
        i = origin[j]
        changed = more = False
        for k in range(WORDS):
            difference = out[k, j] ^ block[k, i]
            changed |= difference != 0
            more |= difference & ~history[k] != 0
        if changed and not stays(label[j]):
            leaf = leaf_number(label[j])
            moves = space.own[leaf] if more else 0
            space.able[i] |= moves
            for k in range(WORDS):
                out[k, count] = out[k, j]
            space.origin[count] = i
            space.leaf[count] = leaf
            space.moves[count] = moves
            count += 1
    call(space.code[CANONICAL], (out, count))
    find_all(space, count)
    return count


@njit
def kept_steps(space, n):
    """The same, of states whose steps are kept; they come state by state."""
    first, targets, leaves = space.first, space.targets, space.leaves
    count = 0
    for i in range(n):
        able = 0
        for kept in range(first[space.ids[i]], first[space.ids[i] + 1]):
            leaf = np.int64(leaves[kept])
            moves = 0 if leaf & STAYS else space.own[leaf]
            able |= moves
            space.origin[count] = i
            space.target[count] = targets[kept]
            space.leaf[count] = leaf & STAYS - 1
            space.moves[count] = moves
            count += 1
        space.able[i] = able
    return count


@compiled(I64(SPACE, I64))
def steps(space, n):
    """The steps from the states whose numbers are the first n of `space.ids`; returns how many change a state."""
    whole = whole_at(space.whole)
    for i in range(n):
        if space.ids[i] >= len(whole.first) - 1:
            return made_again(whole, n)
    return kept_steps(whole, n)


@njit
def successors(space, n):
    """The same for other compiled functions, into which LLVM would put the whole of it."""
    return call_steps(space.code[STEPS], space, n)


@compiled(I64(SPACE, types.int64[::1], types.int32[::1], types.uint16[::1], I64, I64))
def record(space, first, targets, leaves, begin, end):
    """Keep the steps from some states; before which state there was no room for more. `first[begin]` is known."""
    for at in range(begin, end, BLOCK):
        n = min(BLOCK, end - at)
        for i in range(n):
            space.ids[i] = at + i
        count = successors(space, n)
        if first[at] + count > len(targets):
            return at
        places = space.able  # which nobody needs here
        for i in range(n):
            places[i] = 0
        for j in range(count):
            places[space.origin[j]] += 1
        for i in range(n):
            first[at + i + 1] = first[at + i] + places[i]
            places[i] = first[at + i]
        for j in range(count):
            place = places[space.origin[j]]
            places[space.origin[j]] += 1
            targets[place] = space.target[j]
            leaves[place] = space.leaf[j] | (0 if space.moves[j] else STAYS)
    return end
