"""The table that finds a state's number: all that was entered is found again, once, whatever else is alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from postcopy.explorer.search import loops
from postcopy.explorer.search.records import Notes, Scratch, Store, Wanted
from postcopy.explorer.search.status import WITNESSES
from postcopy.explorer.search.worker import lines

WORDS, BITS = 2, 11
FACTOR, LAST_FACTOR = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53
"""What the hash multiplies by."""


@cache
def loop() -> Any:
    return loops.load(WORDS)


def states(count: int, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 1 << 63, (count, WORDS), dtype=np.int64)
    made[::2] |= -(1 << 63)  # records of pages use bit 63
    return made


@cache
def hash_of() -> Any:
    """The loop's function for a call from Python: its own is for compiled ones only."""
    function = loop().hash_of
    return njit(lambda columns, at: function(columns, at))


def hashes(rows: Any) -> list[int]:
    return [int(hash_of()(rows.T, np.uint64(at))) for at in range(len(rows))]


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
        fill(table, bits, entered)
        assert numbers(table, bits) == list(range(len(entered)))
        assert found(table, bits, entered, entered) == list(range(len(entered)))


def test_what_was_not_entered_is_not_found() -> None:
    entered, others = states(1790, 1), states(2000, 2)
    table = table_for(BITS)
    fill(table, BITS, entered)
    assert set(found(table, BITS, entered, others)) == {-1}


def test_a_table_begins_with_a_line_of_the_cache() -> None:
    """`places` reads a bucket as one line."""
    assert [lines(size).ctypes.data % 64 for size in (64, 4096, 1 << 20)] == [0, 0, 0]


def fill(table: Any, bits: int, entered: Any) -> None:
    loop().clear(table, 0, 1 << bits)
    loop().fill(table, np.uint64(bits), entered, 0, len(entered), True)


def notes() -> Notes:
    nothing = np.zeros(0, dtype=np.int64)
    return Notes(np.zeros(WITNESSES + 1, dtype=np.int64), lines(16).view(np.int64), nothing.view(np.uint64), nothing)


def scratch(some: int) -> Scratch:
    """Memory for so many states at a time; there is no kernel, so nothing is expanded."""
    columns, numbers, words = np.zeros((WORDS, 1), dtype=np.int64), np.arange(some, dtype=np.uint32), np.zeros(some)
    signed, unsigned = words.astype(np.int64), words.astype(np.uint64)
    return Scratch(
        block=columns, out=np.zeros((WORDS, some), dtype=np.int64), origin=numbers.copy(), label=signed,
        moved=unsigned, hashes=unsigned.copy(), every=numbers, own=numbers.copy(), others=numbers.copy(),
        new=numbers.copy(), new_of=numbers.copy(), seen=signed.copy(), lists=numbers.copy(), items=numbers.copy(),
        picks=signed.copy(),
    )  # fmt: skip


class Entering:
    """States that several threads enter into one table, as workers do what they were sent."""

    def __init__(self, bits: int, room: int, text: Any = None, workers: int = 1) -> None:
        self.loop, self.bits = text or loop(), np.uint64(bits)
        self.states = np.full((room, WORDS), -1, dtype=np.int64)
        self.parents = np.full(room, -1, dtype=np.int32)
        self.table, shared = table_for(bits), lines(128).view(np.int64)
        self.store = Store(self.states, self.parents, self.table, self.bits, shared)
        self.notes = [notes() for _ in range(workers)]

    def enter(self, rows: Any, worker: int = 0) -> None:
        """Enter rows; the last number of each is its parent's."""
        nothing = np.zeros(0, dtype=np.int64)
        self.loop.receive(
            nothing, self.store, scratch(64), self.notes[worker], rows, np.uint64(0), Wanted(0, 0, 0, deadlock=False),
            len(self.states), len(self.notes) == 1,
        )  # fmt: skip

    def close(self) -> int:
        """Close the gaps in the numbers; returns how many states there are."""
        gaps = np.array(sorted(tuple(each.numbers) for each in self.notes), dtype=np.int64)
        top = int(self.store.shared[self.loop.TAKEN])
        count = self.loop.close_gaps(self.store, gaps, top, np.zeros(0, dtype=np.int64))
        self.store.shared[self.loop.TAKEN] = count
        for each in self.notes:
            each.numbers[:] = 0
        return int(count)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=300), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_state_is_entered_once_in_the_order_in_which_it_comes(pairs: list[tuple[int, int]], parts: int) -> None:
    rows = np.array([(a, b, at) for at, (a, b) in enumerate(pairs)], dtype=np.int64).reshape(-1, WORDS + 1)
    entering, count = Entering(9, 10_000), 0
    for part in np.array_split(rows, parts):
        entering.enter(np.ascontiguousarray(part))
        count = entering.close()
    expected = dict(reversed([(pair, at) for at, pair in enumerate(pairs)]))
    order = sorted(expected.items(), key=lambda item: item[1])
    assert [tuple(row) for row in entering.states[:count].tolist()] == [pair for pair, _ in order]
    assert entering.parents[:count].tolist() == [at for _, at in order]


@pytest.mark.parametrize("made", [of_one_hash, near_the_end])
def test_states_are_told_apart_by_themselves(made: Any) -> None:
    entered = made(900)
    entering = Entering(BITS, 5_000)
    rows = np.column_stack([entered, np.arange(len(entered))])
    for _ in range(2):
        entering.enter(rows)
        assert entering.close() == len(entered)
    assert numbers(entering.table, BITS) == list(range(len(entered)))


def test_the_states_made_for_these_tests_have_the_hashes_asked_for() -> None:
    assert set(hashes(of_one_hash(50))) == {0xABCDEF0123456789}
    assert {mixed >> 64 - BITS + 4 for mixed in hashes(near_the_end(900))} == {(1 << BITS - 4) - 1}


# -- several workers ------------------------------------------------------------------------------------------------


def together(text: Any = None, workers: int = 3, count: int = 300_000) -> tuple[Any, Entering, int]:
    """All workers enter the same states at the same time, in the same order: who is behind finds them in the cache, and
    catches up."""
    entered = states(count, 21)
    rows = np.column_stack([entered, np.arange(len(entered))])
    entering = Entering(20, 2 * count * workers, text, workers)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda worker: entering.enter(rows, worker), range(workers)))
    return entered, entering, entering.close()


def test_several_that_enter_the_same_states_at_once_enter_each_once() -> None:
    entered, entering, count = together()
    assert count == len(entered)
    assert {*map(tuple, entering.states[:count].tolist())} == {*map(tuple, entered.tolist())}
    assert numbers(entering.table, int(entering.bits)) == list(range(count))
    where = found(entering.table, int(entering.bits), entering.states, entered)
    assert (entering.states[where] == entered).all()
    assert (entered[entering.parents[where]] == entered).all(), "a state that gets another number keeps its parent"


SEEDED = {
    "who comes second does not notice it": (
        "entry_of(hashes[j], U(number), bits), alone):",
        "entry_of(hashes[j], U(number), bits), True):",
    ),
    "an entry keeps the number that its state had": ("            table[entry] = entry_of(mixed, U(to), bits)\n", ""),
    "a state that gets another number is not taken along": (
        "                states[to, k] = states[top, k]",
        "                pass",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", SEEDED)
def test_workers_that_do_not_mind_each_other_are_noticed(what: str, tmp_path: Path) -> None:
    right, (old, new) = loops._text(), SEEDED[what]
    assert right.count(old) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTCOPY_CACHE", str(tmp_path))
        patch.setattr(loops, "_text", lambda: right.replace(old, new))
        text = loops.load(WORDS)
    for _ in range(100):  # the first depends on who comes when
        entered, entering, count = together(text)
        others = np.column_stack([states(5000, 22), np.arange(5000)])
        entering.enter(others)
        entering.close()
        entering.enter(np.column_stack([entered, np.arange(len(entered))]))
        if (count, entering.close()) != (len(entered), len(entered) + len(others)):
            return
    pytest.fail("nothing was noticed")
