"""The arrays and numbers that the compiled loop works on, in records that Numba takes as they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


class Store(NamedTuple):
    """The states of a shard, and the table that finds their numbers.

    Attributes:
        states: the states in the order of discovery; int64[capacity, words].
        parents: their parents' numbers, or -1; int32[capacity].
        table: the entries; uint32[entries].
        bits: bits of an entry's place in the part of the table that is in use.
        shared: numbers that several workers count up, a line of the cache each; int64[16].
    """

    states: I64
    parents: I32
    table: U32
    bits: np.uint64
    shared: I64


class Scratch(NamedTuple):
    """A worker's memory for one block. Its contents mean nothing from one block to the next.

    Attributes:
        block: states to be expanded; int64[words, BLOCK].
        out: the block's successors; int64[words, most].
        origin: which state of the block each is of; uint32[most].
        label: by what step; int64[most].
        moved: for each state of the block, whether a step that is not the environment's changes it; uint64[BLOCK].
        hashes: of the successors; uint64[most].
        every: 0, 1, 2, …; uint32[most].
        own: which successors belong to this shard; uint32[most].
        others: which belong to others; uint32[most].
        new: the numbers of the states that are new; uint32[most].
        new_of: which successor each is; uint32[most].
        seen: what `examine` says of each; int64[most].
        lists: lists of places in the block, for the kernel; uint32[rows * row_length].
        items: the states of its pairs of a state and a page; uint32[row_length].
        picks: the pages of these; int64[rows * row_length].
    """

    block: I64
    out: I64
    origin: U32
    label: I64
    moved: U64
    hashes: U64
    every: U32
    own: U32
    others: U32
    new: U32
    new_of: U32
    seen: I64
    lists: U32
    items: U32
    picks: I64


class Notes(NamedTuple):
    """What a worker has found, on lines of the cache that no other worker writes to.

    Attributes:
        control: its numbers (see `status`); int64[7].
        numbers: its next number for a state, or place in the queue, and the first that is not its own; int64[2].
        fired: for each leaf, how often it was taken, and behind that how often that changed something;
            uint64[2 * leaves].
        first: for each bit of a witness, the number of the first state found that reaches it, or -1; int64[bits].
    """

    control: I64
    numbers: I64
    fired: U64
    first: I64


class Outboxes(NamedTuple):
    """States that belong to other shards, until these enter them.

    Attributes:
        rows: for each shard states with their parents' numbers behind them; int64[shards, length, words + 1]. With the
            small table their tags, or nothing, are behind them; int64[shards, length, words + 1 or words].
        filled: how many there are for each; uint64[shards].
        shard: the number of the shard that sends.
        shards: how many there are.
    """

    rows: I64
    filled: U64
    shard: np.uint64
    shards: np.uint64


class Wanted(NamedTuple):
    """What is looked for, as numbers; see `findings.Question`."""

    step_bits: int
    state_bits: int
    witness_bits: int
    deadlock: bool


class Tables(NamedTuple):
    """All that a search with the small table knows of its states.

    Attributes:
        table: the pairs; uint32[16 * buckets], and what `pair_table` needs behind that.
        words: what was found at each node, in the order of its numbers; int64[nodes, capacity].
        indexes: what finds it again; uint32[nodes, entries].
        bits: for each node, of an entry's place in the part of its index that is in use; uint64[nodes].
        known: how many numbers were taken of each; uint64[nodes].
        room: how many there may be before a block is begun; uint64[nodes].
        children: of each node, which come before it; int64[nodes, 2]. The last row is the root's.
        dealt: the bits of each word that say whose a state is where several parts share the states; int64[words].
        queue: pairs to be expanded, those of this level and behind them those of the next; the left number in the low
            half; uint64[capacity].
        tags: a number for each place of the queue, which successors inherit; uint32[capacity], or empty.
        shared: numbers that several workers count up, a line of the cache each; int64[16].
    """

    table: U32
    words: I64
    indexes: U32
    bits: U64
    known: U64
    room: U64
    children: I64
    dealt: I64
    queue: U64
    tags: U32
    shared: I64


class Numbering(NamedTuple):
    """A worker's memory for the numbers of a block's successors.

    Attributes:
        ids: for each node and successor, the number of what it has there; uint64[nodes, most].
        asked: what is looked up at a node; int64[most].
        homes: where a successor's pair belongs; uint64[most].
        rests: and what its entry says of it; uint64[most].
        tags: its tag, where places of the queue have tags; uint32[most].
        pending: what has to be entered of the block (see `small_loop`); int64[2].
        own: for each node, the worker's next number for what is new there, and the first that is not its own;
            int64[nodes, 2].
    """

    ids: U64
    asked: I64
    homes: U64
    rests: U64
    tags: U32
    pending: I64
    own: I64
