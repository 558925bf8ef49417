"""The table that finds a state's number: all that was entered is found again, once, whatever else is alike."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.explorer import compiled
from postcopy.explorer.shard import lines

WORDS, BITS = 2, 11
FACTOR, LAST_FACTOR = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
"""What the hash multiplies by."""


@cache
def loop() -> Any:
    return compiled._loop(WORDS)


def states(count: int, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 1 << 63, (count, WORDS), dtype=np.int64)
    made[::2, 0] |= -(1 << 63)  # bit 63 of a word that is not the last may be set
    return made


def hashes(rows: Any) -> list[int]:
    return [int(loop().hash_of(rows.T, np.uint64(at))) for at in range(len(rows))]


def states_of(hashes: Any, seed: int = 5) -> Any:
    """States that have these hashes: the last word is what makes up for the first, which may be any."""
    made = np.empty((len(hashes), 2), dtype=np.uint64)
    made[:, 0] = np.random.default_rng(seed).integers(0, 1 << 63, len(hashes))
    first = (made[:, 0] ^ np.uint64(0x9E3779B97F4A7C15)) * np.uint64(FACTOR)
    first ^= first >> np.uint64(32)
    mixed = np.asarray(hashes, dtype=np.uint64) * np.uint64(pow(LAST_FACTOR, -1, 1 << 64))
    mixed ^= mixed >> np.uint64(32)
    made[:, 1] = mixed * np.uint64(pow(FACTOR, -1, 1 << 64)) ^ first
    return made.view(np.int64)


def near_the_end(count: int) -> Any:
    """States of the last bucket of any table, far more than it holds: they come around the table's end."""
    return states_of((1 << 64) - 1 - np.arange(count, dtype=np.uint64) * np.uint64(1 << 24))


def of_one_hash(count: int) -> Any:
    """States that only a look at them tells apart."""
    return states_of(np.full(count, 0xABCDEF0123456789, dtype=np.uint64))


def table_for(most: int) -> Any:
    return lines(4 << most).view(np.uint32)


def numbers(table: Any, bits: int) -> list[int]:
    """The states' numbers in a table, in order."""
    entries = table[: 1 << bits]
    assert not table[1 << bits :].any(), "nothing is written behind the table"
    return sorted(int(entry & (1 << bits) - 1) - 1 for entry in entries[entries != 0])


def found(table: Any, bits: int, entered: Any, asked: Any) -> list[int]:
    columns = np.ascontiguousarray(asked.T)
    numbers = np.empty(len(asked), dtype=np.int64)
    loop().find(table, np.uint64(bits), entered, columns, len(asked), numbers)
    return numbers.tolist()


@pytest.mark.parametrize(
    "made",
    [lambda: states(1790, 1), lambda: near_the_end(900), lambda: of_one_hash(900), lambda: states(1, 3)],
    ids=["any", "the end", "one hash", "one"],
)
def test_a_table_made_anew_has_each_state_once(made: Any) -> None:
    entered = made()
    table = table_for(BITS + 4)
    for bits in range(BITS, BITS + 4):
        loop().fill(table, np.uint64(bits), entered, len(entered))
        assert numbers(table, bits) == list(range(len(entered)))
        assert found(table, bits, entered, entered) == list(range(len(entered)))


def test_what_was_not_entered_is_not_found() -> None:
    entered, others = states(1790, 1), states(2000, 2)
    table = table_for(BITS)
    loop().fill(table, np.uint64(BITS), entered, len(entered))
    assert set(found(table, BITS, entered, others)) == {-1}


def test_a_table_begins_with_a_line_of_the_cache() -> None:
    """`places` reads a bucket as one line."""
    assert [lines(size).ctypes.data % 64 for size in (64, 4096, 1 << 20)] == [0, 0, 0]


def room_for(count: int) -> tuple[Any, Any]:
    return np.empty((count, WORDS), dtype=np.int64), np.empty(count, dtype=np.int32)


def enter(table: Any, bits: int, known: Any, parents: Any, count: int, rows: Any) -> int:
    """Enter rows as a worker enters what it was sent; returns how many states are known then."""
    from postcopy.explorer.control import COUNT, WITNESSES

    control = np.zeros(WITNESSES + 1, dtype=np.int64)
    control[COUNT] = count
    nothing, some = np.zeros(0, dtype=np.int64), 64
    loop().receive(
        nothing, known, parents, table, np.uint64(bits), np.zeros((WORDS, 1), dtype=np.int64),
        np.zeros(some, dtype=np.uint64), np.arange(some, dtype=np.uint32), np.zeros(some, dtype=np.uint32), nothing,
        nothing, control, rows, np.uint64(0), np.uint64(len(rows)), 0, 0,
    )  # fmt: skip
    return int(control[COUNT])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=300), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_state_is_entered_once_in_the_order_in_which_it_comes(pairs: list[tuple[int, int]], parts: int) -> None:
    bits = 9
    rows = np.array([(a, b, at) for at, (a, b) in enumerate(pairs)], dtype=np.int64).reshape(-1, WORDS + 1)
    table = table_for(bits)
    known, parents = room_for(1000)
    count = 0
    for part in np.array_split(rows, parts):
        count = enter(table, bits, known, parents, count, np.ascontiguousarray(part))
    expected = dict(reversed([(pair, at) for at, pair in enumerate(pairs)]))
    order = sorted(expected.items(), key=lambda item: item[1])
    assert [tuple(row) for row in known[:count].tolist()] == [pair for pair, _ in order]
    assert parents[:count].tolist() == [at for _, at in order]


@pytest.mark.parametrize("made", [of_one_hash, near_the_end])
def test_states_are_told_apart_by_themselves(made: Any) -> None:
    entered = made(900)
    table = table_for(BITS)
    known, parents = room_for(2000)
    rows = np.column_stack([entered, np.arange(len(entered))])
    assert enter(table, BITS, known, parents, 0, rows) == len(entered)
    assert enter(table, BITS, known, parents, len(entered), rows) == len(entered)
    assert numbers(table, BITS) == list(range(len(entered)))


def test_the_states_made_for_these_tests_have_the_hashes_asked_for() -> None:
    assert set(hashes(of_one_hash(50))) == {0xABCDEF0123456789}
    assert {mixed >> 64 - BITS + 4 for mixed in hashes(near_the_end(900))} == {(1 << BITS - 4) - 1}
