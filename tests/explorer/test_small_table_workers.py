"""Several workers of a search with the small table find what one finds, and enter each pair and each word once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search import loops, pair_table, small_store, word_table
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.pair_table import FARTHEST, SLOTS
from postcopy.explorer.search.small import Small
from postcopy.explorer.search.status import FOUND, Status
from postcopy.explorer.search.worker import lines
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.random_searches import SEARCHES, SIXTY, compiled_quickly, exploration_of
from tests.explorer.test_pair_table import Pairs, changed, holds, some_pairs
from tests.explorer.test_small_table import is_run

SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "changed", "witnesses")
INTERPRETED = Options(reductions=(), engine=Engine.INTERPRETED)
U = np.uint64


class Levels(Small):
    """Notes how many states are known when each level has been expanded."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.sizes: list[int] = []
        super().__init__(*arguments, **options)

    def _judged(self) -> Status:
        before, status = self.depth, super()._judged()
        if self.depth != before or status is Status.DONE:
            self.sizes.append(self.store.states)
        return status


def sizes(ordinary: Compiled) -> list[int]:
    """How many states are known when each level has been expanded, by the parents of an ordinary search."""
    parents = ordinary.shard.parents[: ordinary.run(0).states].tolist()
    depths: list[int] = []
    for parent in parents:
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    counted: list[int] = np.cumsum(np.bincount(depths)).tolist()
    return [*counted[1:], counted[-1]]


def assert_agree(made: Exploration, ordinary: Compiled, small: Levels) -> None:
    """Verdict, counts, levels and lengths of runs are those of an ordinary search by one worker."""
    there, found = ordinary.run(1 << 40), small.run(1 << 40)
    assert found.status == there.status
    if found.status in FOUND:
        asked = [(found.at, there.at)]
    else:
        assert [getattr(found, a) for a in SAME] == [getattr(there, a) for a in SAME]
        assert small.sizes == sizes(ordinary)
        assert len(small.stored()) == found.states
        assert set(small.stored()) == set(ordinary.stored())
        asked = [(found.first[bit], there.first[bit]) for bit in there.first]
    for here, other in asked:
        run = small.path(here)
        assert len(run) == len(ordinary.path(other))
        assert is_run(made, run)


@pytest.mark.slow
@SIXTY
@given(**SEARCHES, workers=st.integers(1, 4))
def test_random_searches_agree(workers: int, **drawn: Any) -> None:
    with compiled_quickly():
        made = exploration_of(**drawn)
        if made is None:
            return
        machine = machine_of(made.kernel.plan)
        ordinary = Compiled(machine, made.question)
        if ordinary.run(20_000).status is Status.RUNNING:
            return
    assert_agree(made, ordinary, Levels(machine, made.question, workers, alone_until=0))


@pytest.fixture(scope="module")
def whole() -> tuple[Exploration, Compiled]:
    made = Exploration(Instance(Postcopy, 2, 2, (*SAFETY, *WITNESSES)), INTERPRETED)
    ordinary = Compiled(machine_of(made.kernel.plan), made.question)
    ordinary.run(1 << 40)
    return made, ordinary


@pytest.mark.parametrize(("workers", "alone_until"), [(2, 0), (3, 500), (4, 20_000)])
def test_several_workers_find_what_one_finds(
    whole: tuple[Exploration, Compiled], workers: int, alone_until: int
) -> None:
    made, ordinary = whole
    assert_agree(made, ordinary, Levels(ordinary.machine, ordinary.question, workers, alone_until))


@pytest.mark.unmeasured
@pytest.mark.parametrize("moved", [0, 1 << 20])
def test_tables_that_several_workers_fill_grow(
    whole: tuple[Exploration, Compiled], moved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a block, too, and with several workers that spread the table in its place."""
    made, ordinary = whole
    monkeypatch.setattr(small_store, "FIRST_BUCKETS", 64)
    monkeypatch.setattr(small_store, "MOVED_BUCKETS", moved)
    monkeypatch.setattr(small_store, "FEW_BUCKETS", 0)
    monkeypatch.setattr(small_store, "FULLEST", 85 if moved == 0 else 400)
    assert_agree(made, ordinary, Levels(ordinary.machine, ordinary.question, 3, 0))


@pytest.mark.parametrize("fault", ["shut-sent-again", "unpackaged"])
def test_counterexamples_are_as_short(fault: str) -> None:
    made = Exploration(Instance(FAULTS[fault], 2, 2, SAFETY), INTERPRETED)
    ordinary = Compiled(machine_of(made.kernel.plan), made.question)
    assert ordinary.run(1 << 40).status in FOUND
    assert_agree(made, ordinary, Levels(ordinary.machine, ordinary.question, 3, 0))


# -- pairs and words, entered by several at once -----------------------------------------------------------------------


@cache
def _entering(module: Any) -> Any:
    place, enter, new = module.place, module.enter, module.NEW

    @njit(nogil=True)
    def entering(table: Any, shape: Any, pairs: Any) -> Any:
        entered = 0
        for i in range(len(pairs)):
            home, rest = place(pairs[i, 0], pairs[i, 1], shape)
            entered += enter(table, home, rest, False) == new
        return entered

    return entering


def each_pair_is_entered_once(module: Any, workers: int = 3, buckets: int = 16_000) -> bool:
    """All enter the same pairs at once, in the same order: those behind find them in the cache, and catch up."""
    table = Pairs(module, buckets, buckets)
    pairs, entering = some_pairs(buckets * SLOTS, table, 7), _entering(module)
    entering(Pairs(module, 64, 64).table, table.shape, pairs[:0])  # compiles
    with ThreadPoolExecutor(workers) as pool:
        entered = [*pool.map(lambda _: int(entering(table.table, table.shape, pairs)), range(workers))]
    return sum(entered) == len(pairs) and holds(table, pairs)


@cache
def _numbering(module: Any) -> Any:
    number_all = module.number_all

    @njit(nogil=True)
    def numbering(index: Any, bits: Any, words: Any, known: Any, own: Any, asked: Any, numbers: Any) -> None:
        hashes = np.zeros(256, dtype=np.uint64)
        for begin in range(0, len(asked), 256):
            some = asked[begin : begin + 256]
            number_all(
                index, bits, words, known, 0, own, some, U(len(some)), hashes, numbers[begin : begin + 256], False
            )

    return numbering


def each_word_has_one_number(module: Any, workers: int = 3, bits: int = 18) -> bool:
    """All number the same words at the same time, in the same order."""
    count = (1 << bits) * 3 // 4
    asked = np.unique(np.random.default_rng(3).integers(-(1 << 62), 1 << 62, count))
    np.random.default_rng(4).shuffle(asked)
    index, words = lines(4 << bits).view(np.uint32), np.full(2 * count, 1 << 62, dtype=np.int64)
    known, numbering = np.zeros(1, dtype=np.uint64), _numbering(module)
    owns = [lines(16).view(np.int64) for _ in range(workers)]
    numbers = [np.zeros(len(asked), dtype=np.uint64) for _ in range(workers)]
    numbering(index, U(bits), words, known, owns[0], asked[:0], numbers[0])  # compiles
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda w: numbering(index, U(bits), words, known, owns[w], asked, numbers[w]), range(workers)))
    same = all((each == numbers[0]).all() for each in numbers)
    return same and len(np.unique(numbers[0])) == len(asked) and bool((words[numbers[0].astype(int)] == asked).all())


def test_several_that_enter_the_same_pairs_at_once_enter_each_once() -> None:
    assert each_pair_is_entered_once(pair_table)


def test_several_that_number_the_same_words_at_once_agree() -> None:
    assert each_word_has_one_number(word_table)


SEEDED: dict[str, tuple[Callable[[Any], bool], ModuleType, str, str]] = {
    "a pair is written without a look at what another has written": (
        each_pair_is_entered_once,
        pair_table,
        "lowest(empty), value, alone):\n            return NEW",
        "lowest(empty), value, True):\n            return NEW",
    ),
    "after another was faster the next bucket is taken": (
        each_pair_is_entered_once,
        pair_table,
        "lowest(empty), value, alone):\n            return NEW",
        "lowest(empty), value, alone):\n            return NEW\n        else:\n            value += ONE\n"
        "            bucket += ONE",
    ),
    "a word is written without a look at what another has written": (
        each_word_has_one_number,
        word_table,
        "tag << bits | (number + ONE), alone):",
        "tag << bits | (number + ONE), True):",
    ),
    "a number is there before its word": (
        each_word_has_one_number,
        word_table,
        "        words[number] = word\n"
        "        if fill_entry(index, bucket + lowest(empty), tag << bits | (number + ONE), alone):\n"
        "            own[NEXT] += 1\n",
        "        if fill_entry(index, bucket + lowest(empty), tag << bits | (number + ONE), alone):\n"
        "            words[number] = word\n"
        "            own[NEXT] += 1\n",
    ),
}


ROUNDS = 100
"""The most; the first that notices is the last. Where all workers share a core, each fault shows in 3 to 10 of 20."""


@pytest.mark.one_in(4)
@pytest.mark.slow
@pytest.mark.parametrize("what", SEEDED)
def test_workers_that_do_not_mind_each_other_are_noticed(what: str) -> None:
    holds_true, right, old, new = SEEDED[what]
    module = changed(right, (old, new))
    assert not all(holds_true(module) for _ in range(ROUNDS)), "it depends on which comes when"


def spreads_in_parts(module: Any) -> bool:
    """Parts of a table that are moved by several workers may be moved in any order: here the first part first."""
    buckets, larger = 20_000, 26_000
    table = Pairs(module, buckets, larger)
    pairs = some_pairs(buckets * SLOTS, table, 9)
    table.enter(pairs)
    after = pair_table.shape(larger, int(table.shape.key_bits), int(table.shape.left_bits))
    first, end = module.copied_buckets(buckets, larger), buckets + FARTHEST
    while end > first:
        begin = max(module.apart_from(end, buckets, larger), first)
        begin = first if begin == end else begin
        bounds = np.linspace(begin, end, 4 if begin > first else 2).astype(int).tolist()
        for part in pairwise(bounds):
            if not module.spread(table.table, table.shape, after, *part, True):
                return False
        end = begin
    done = module.spread_first(table.table, table.shape, after, first)
    table.buckets, table.shape = larger, after
    return done and holds(table, pairs)


@pytest.mark.slow
def test_parts_of_a_table_may_be_moved_in_any_order() -> None:
    assert spreads_in_parts(pair_table)
    assert not spreads_in_parts(
        changed(pair_table, ("return min(end, FARTHEST + 2 + (end + 1) * before // after)", "return end * 2 // 3"))
    )


# -- faults of the loop with several workers ---------------------------------------------------------------------------

LOOP = {
    "two workers expand the same block": (
        "at = fetch_add(tables.shared, GIVEN, BLOCK)",
        "at = fetch_add(tables.shared, GIVEN, BLOCK // 2)",
    ),
    "a worker leaves out a block": (
        "at = fetch_add(tables.shared, GIVEN, BLOCK)",
        "at = fetch_add(tables.shared, GIVEN, 2 * BLOCK)",
    ),
    "two workers put pairs into one place": (
        "numbers[NEXT] = fetch_add(tables.shared, TAKEN, CHUNK)",
        "numbers[NEXT] = fetch_add(tables.shared, TAKEN, CHUNK // 2)",
    ),
    "expands states of the next level with those of this one": (
        "min(BLOCK, end - at), alone",
        "BLOCK, alone",
    ),
}


@pytest.mark.one_in(4)
@pytest.mark.slow
@pytest.mark.parametrize("what", LOOP)
def test_a_loop_with_a_fault_is_noticed(
    what: str, whole: tuple[Exploration, Compiled], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, ordinary = whole
    *others, text = loops._small_texts()
    old, new = LOOP[what]
    assert text.count(old) == 1
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path))
    monkeypatch.setattr(loops, "_small_texts", lambda: (*others, text.replace(old, new)))
    with pytest.raises((AssertionError, ValueError, IndexError)):
        assert_agree(made, ordinary, Levels(ordinary.machine, ordinary.question, 3, 0))
