"""The table of states grows in its place: all that was in it is found again, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from postcopy.explorer import compiled

WORDS, BITS = 2, 11


@cache
def loop(compact: bool = False) -> Any:
    return compiled._loop(WORDS, compact)


def states(count: int, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 1 << 63, (WORDS, count), dtype=np.int64)
    made[0, ::2] |= -(1 << 63)  # bit 63 of a word that is not the last may be set
    return made


def near_the_ends(count: int) -> Any:
    """States whose slots are the last few and the first few, so that they come around the table's end."""
    pool = states(400_000, 7)
    slots = np.array([int(loop().hash_at(pool, np.uint64(at))) >> 64 - BITS for at in range(pool.shape[1])])
    chosen = np.flatnonzero((slots >= (1 << BITS) - 3) | (slots < 2))[:count]
    assert len(chosen) == count
    return np.ascontiguousarray(pool[:, chosen])


def contents(table: Any, slots: int) -> set[tuple[int, ...]]:
    rows = table[: slots * WORDS].reshape(slots, WORDS)
    full = rows[rows[:, -1] < 0]
    assert not table[slots * WORDS :].any(), "nothing is written behind the table"
    return {(int(a), int(b) & (1 << 63) - 1) for a, b in full}


@pytest.mark.parametrize(
    "made", [lambda: states(1200, 1), lambda: near_the_ends(900), lambda: states(1, 3)], ids=["any", "ends", "one"]
)
def test_growing_loses_nothing(made: Any) -> None:
    entered = made()
    table = np.zeros(WORDS << BITS + 4, dtype=np.int64)
    expected = {(int(a), int(b)) for a, b in entered.T}
    for bits in range(BITS, BITS + 4):
        shift = np.uint64(64 - bits)
        if bits > BITS:
            loop().grow(table, shift, entered)
            assert contents(table, 1 << bits) == expected
        loop().refill(entered, entered.shape[1], table, shift)  # whoever is found is not entered again
        rows = table[: WORDS << bits].reshape(-1, WORDS)
        assert int((rows[:, -1] < 0).sum()) == len(expected)


def numbers(table: Any, bits: int) -> list[int]:
    """The states' numbers in a compact table, in order."""
    slots = table[: 1 << bits]
    assert not table[1 << bits :].any(), "nothing is written behind the table"
    return sorted(int(entry & (1 << bits) - 1) - 1 for entry in slots[slots != 0])


@pytest.mark.parametrize("made", [lambda: states(1200, 1), lambda: near_the_ends(900)], ids=["any", "ends"])
def test_a_compact_table_has_each_state_once(made: Any) -> None:
    entered = made()
    table = np.zeros(1 << BITS + 4, dtype=np.uint32)
    for bits in range(BITS, BITS + 4):
        shift = np.uint64(64 - bits)
        if bits > BITS:
            loop(compact=True).grow(table, shift, entered)
            assert numbers(table, bits) == list(range(entered.shape[1]))
        loop(compact=True).refill(entered, entered.shape[1], table, shift)
        assert numbers(table, bits) == list(range(entered.shape[1]))
