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
        numbers: its next number for a state, and the first that is not its own; int64[2].
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
        rows: for each shard states with their parents' numbers behind them; int64[shards, length, words + 1].
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
