"""The tables that the small table is made of: each pair and each word once, kept apart exactly, in tables that grow.

Each test looks at one thing that could be wrong, and is run again with the fault put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba import njit

from postcopy.explorer.search import pair_table, word_table
from postcopy.explorer.search.pair_table import FARTHEST, SLOTS, copied_buckets, most_key_bits, shape
from postcopy.explorer.search.word_table import UNKNOWN
from postcopy.explorer.search.worker import lines

U = np.uint64


def changed(module: ModuleType, *changes: tuple[str, str], places: int = 1) -> Any:
    """A module of the same text, with some places changed: of the last change so many, of the others one."""
    assert module.__file__ is not None
    text = Path(module.__file__).read_text()
    for old, new in changes:
        assert text.count(old) == (places if (old, new) == changes[-1] else 1)
        text = text.replace(old, new)
    made = ModuleType(f"changed_{module.__name__}")
    exec(compile(text, module.__file__, "exec"), vars(made))
    return made


# -- pairs ----------------------------------------------------------------------------------------------------------


class Pairs:
    """A table of pairs, from a module that may be a changed one."""

    def __init__(self, module: Any, buckets: int, most: int, key_bits: int = 0) -> None:
        self.module, self.buckets, self.most = module, buckets, most
        key_bits = key_bits or most_key_bits(buckets)
        self.shape = shape(buckets, key_bits, key_bits * 3 // 5)
        self.table = lines(4 * SLOTS * (most + FARTHEST)).view(np.uint32)

    def enter(self, pairs: Any) -> list[int]:
        outcomes: list[int] = _entering(self.module)(self.table, self.shape, pairs).tolist()
        return outcomes

    def stored(self) -> list[tuple[int, int]]:
        at = np.flatnonzero(self.table)
        found = _reading(self.module)(at.astype(np.uint64) // U(SLOTS), self.table[at], self.shape)
        return [*map(tuple, found.tolist())]

    def spread(self, buckets: int) -> bool:
        larger = shape(buckets, int(self.shape.key_bits), int(self.shape.left_bits))
        first = self.module.copied_buckets(self.buckets, buckets)
        last = self.buckets + FARTHEST
        done = bool(self.module.spread(self.table, self.shape, larger, first, last, True))
        done &= bool(self.module.spread_first(self.table, self.shape, larger, first))
        self.buckets, self.shape = buckets, larger
        return done

    def moved(self, buckets: int) -> Pairs:
        other = Pairs(self.module, buckets, self.most)
        assert self.module.move(self.table, self.shape, other.table, other.shape)
        return other


@cache
def _entering(module: Any) -> Any:
    place, enter = module.place, module.enter

    @njit
    def entering(table: Any, shape: Any, pairs: Any) -> Any:
        outcomes = np.zeros(len(pairs), dtype=np.int64)
        for i in range(len(pairs)):
            home, rest = place(pairs[i, 0], pairs[i, 1], shape)
            outcomes[i] = enter(table, home, rest, True)
        return outcomes

    return entering


@cache
def _reading(module: Any) -> Any:
    pair_at = module.pair_at

    @njit
    def reading(buckets: Any, entries: Any, shape: Any) -> Any:
        pairs = np.zeros((len(entries), 2), dtype=np.uint64)
        for i in range(len(entries)):
            pairs[i, 0], pairs[i, 1] = pair_at(buckets[i], U(entries[i]), shape)
        return pairs

    return reading


def some_pairs(count: int, table: Pairs, seed: int) -> Any:
    """Different pairs: half of them with small numbers, as in a search, and half of any that a key has room for."""
    left, right = int(table.shape.left_bits), int(table.shape.key_bits - table.shape.left_bits)
    generator = np.random.default_rng(seed)
    dense = np.array([(i // 40, i % 40) for i in range(count // 2)], dtype=np.uint64)
    wide = np.stack([generator.integers(0, 1 << bits, count, dtype=np.uint64) for bits in (left, right)], axis=1)
    return np.unique(np.concatenate([dense, wide]), axis=0)[generator.permutation(count)[: count * 3 // 4]]


def holds(table: Pairs, pairs: Any) -> bool:
    """The table has these pairs, each once, and knows them again."""
    expected = sorted(map(tuple, pairs.tolist()))
    return sorted(table.stored()) == expected and set(table.enter(pairs)) == {pair_table.THERE}


def crowded(table: Pairs) -> Any:
    """Pairs that belong to the first 24 buckets and need 54, so that the last of them is 30 buckets from home."""
    pairs = some_pairs(SLOTS * 4 * table.buckets, table, 5)
    homes = [int(pair_table.place(U(left), U(right), table.shape)[0]) for left, right in pairs]
    return pairs[np.array(homes) < 24][: SLOTS * 54]


def is_exact_where_homes_are_crowded(module: Any) -> bool:
    """A table that grows in its place while pairs lie further from home than buckets are moved together."""
    table = Pairs(module, 64, 256)
    pairs = crowded(table)
    assert len(pairs) == SLOTS * 54
    table.enter(pairs)
    return table.spread(85) and holds(table, pairs)


def is_exact(module: Any, buckets: int, key_bits: int = 0) -> bool:
    """Pairs entered into a table, nearly full, that is moved; and spread in its place twice, and then moved."""
    table = Pairs(module, buckets, 4 * buckets, key_bits)
    pairs = some_pairs(buckets * SLOTS * 10 // 9, table, buckets)
    first = len(pairs) * 98 // 100
    if set(table.enter(pairs[:first])) != {pair_table.NEW} or not holds(table, pairs[:first]):
        return False
    if not holds(table.moved(buckets + 1), pairs[:first]):
        return False
    for larger in (buckets * 4 // 3, buckets * 4 // 3 + buckets // 8 + 1):
        if not table.spread(larger) or not holds(table, pairs[:first]):
            return False
    other = table.moved(2 * buckets + 1)
    return set(other.enter(pairs[first:])) == {pair_table.NEW} and holds(other, pairs)


@pytest.mark.slow
@pytest.mark.parametrize(("buckets", "key_bits"), [(64, 32), (300, 0), (5000, 33), ((1 << 13) - 1, 0)])
def test_pairs_are_kept_apart_exactly_however_the_table_grows(buckets: int, key_bits: int) -> None:
    assert is_exact(pair_table, buckets, key_bits)


def test_pairs_far_from_home_are_kept_where_the_table_grows_in_its_place() -> None:
    assert is_exact_where_homes_are_crowded(pair_table)


def test_what_a_home_and_a_rest_leave_of_a_key_fits_into_an_entry() -> None:
    for buckets in (64, 65, 1000, 4096, (1 << 20) - 1, 1 << 20, (1 << 27) + 12345):
        made = shape(buckets, most_key_bits(buckets), 20)
        for some in (0, 1, (1 << 37) + 5, -1, 0x2BCDEF0123):
            number = some % (1 << int(made.key_bits))
            home, rest = pair_table.home_and_rest(U(number), made)
            assert 0 <= home < buckets
            assert rest < 1 << pair_table.REST_BITS
            assert pair_table.mixed_of(home, rest, made) == number


def test_a_bucket_that_is_not_copied_holds_nothing_that_belongs_further_down() -> None:
    """See `copied_buckets`: the lowest home that a pair in the first such bucket may have."""
    for before in (64, 300, 4096, 1_000_000):
        for after in (before * 17 // 16 + 1, before * 4 // 3, 2 * before):
            bucket = copied_buckets(before, after)
            if bucket < before + FARTHEST:
                assert (bucket - FARTHEST) * after // before - 1 >= bucket


PAIRS = {
    "loses a bit of the rest": ("<< low | low_bits(number, low)", "<< low | low_bits(number, low - ONE)"),
    "loses a bit of what the home leaves": (
        "(product & HALF) >> shape.shift <<",
        "(product & HALF) >> (shape.shift + ONE) <<",
    ),
    "does not note how far from home a pair is": (
        "            value += ONE\n            bucket += ONE\n        elif fill_entry(table, (bucket << BUCKET_BITS) + "
        "lowest(empty), value, alone):\n            return NEW",
        "            bucket += ONE\n        elif fill_entry(table, (bucket << BUCKET_BITS) + "
        "lowest(empty), value, alone):\n            return NEW",
    ),
    "takes the bucket for the home when it grows": (
        "home = U(bucket) - low_bits(entry, DISTANCE_BITS) + ONE",
        "home = U(bucket)",
    ),
    "does not copy the first buckets": (
        "return min(before + FARTHEST, (FARTHEST + 1) * before // (after - before) + FARTHEST + 2)",
        "return 0",
    ),
    "tears a pair": ("left | right << shape.left_bits", "left | right << (shape.left_bits - ONE)"),
    "mixes two keys into one": (
        "    return key ^ key >> half\n\n\n@njit\ndef unmixed",
        "    return key | key >> half\n\n\n@njit\ndef unmixed",
    ),
    "leaves some behind when it is moved": (
        "end, first = before.buckets + U(FARTHEST), ZERO",
        "end, first = before.buckets, ZERO",
    ),
    "leaves some of what is moved together behind": (
        "for j in range(begin, count, SLOTS):",
        "for j in range(begin, count - count % SLOTS, SLOTS):",
    ),
    "moves some buckets twice": ("first += U(TOGETHER)", "first += U(TOGETHER) - ONE"),
    "does not clear what it moves": ("            entries[:] = 0\n", ""),
}


@pytest.mark.one_in(4)
@pytest.mark.slow
@pytest.mark.parametrize("what", PAIRS)
def test_a_table_that_is_not_exact_is_noticed(what: str) -> None:
    module = changed(pair_table, PAIRS[what])
    assert not (is_exact(module, 64, 32) and is_exact(module, 300) and is_exact_where_homes_are_crowded(module))


# -- words ----------------------------------------------------------------------------------------------------------


def numbers_words(module: Any) -> Iterator[bool]:
    """Whether words get the numbers of their first occurrence, in an index that grows."""
    bits, most = 11, 1 << 14
    index, words = lines(4 << bits + 2).view(np.uint32), np.zeros(most, dtype=np.int64)
    generator = np.random.default_rng(3)
    asked = generator.integers(-(1 << 62), 1 << 62, 5600)[generator.integers(0, 5600, 20_000)]
    first = dict(reversed([(word, at) for at, word in enumerate(asked.tolist())]))
    expected = {word: number for number, (word, _) in enumerate(sorted(first.items(), key=lambda item: item[1]))}
    hashes, numbers = np.zeros(512, dtype=np.uint64), np.zeros(512, dtype=np.uint64)
    known, own = np.zeros(1, dtype=np.uint64), np.zeros(2, dtype=np.int64)
    for begin in range(0, len(asked), 300):
        if known[0] > (1 << bits) * 7 // 8 - 316:
            bits += 1
            index[: 1 << bits] = 0
            module.fill(index, U(bits), words, U(own[0]))
        some = asked[begin : begin + 300]
        module.number_all(index, U(bits), words, known, 0, own, some, U(len(some)), hashes, numbers, True)
        yield numbers[: len(some)].tolist() == [expected[word] for word in some.tolist()]
    yield words[: int(own[0])].tolist() == list(expected)


def numbers_few_words(module: Any) -> bool:
    """Whether words of which there are few get the numbers of their first occurrence, as those of many do."""
    bits, index, words = 11, lines(4 << 11).view(np.uint32), np.zeros(1 << 11, dtype=np.int64)
    generator = np.random.default_rng(6)
    asked = np.repeat(generator.integers(-(1 << 62), 1 << 62, 20)[generator.integers(0, 20, 300)], 3)
    known, own = np.zeros(1, dtype=np.uint64), np.zeros(2, dtype=np.int64)
    hashes, numbers = np.zeros(512, dtype=np.uint64), np.zeros(512, dtype=np.uint64)
    found: list[int] = []
    for begin in range(0, len(asked), 100):
        some = asked[begin : begin + 100]
        module.number_all(index, U(bits), words, known, 0, own, some, U(len(some)), hashes, numbers, True)
        found += numbers[: len(some)].tolist()
    first = {word: number for number, word in enumerate(dict.fromkeys(asked.tolist()))}
    return found == [first[word] for word in asked.tolist()]


SHORT_TAG = ("(ONE << (U(32) - bits)) - ONE\n\n\n@njit\ndef next_bucket", "ONE\n\n\n@njit\ndef next_bucket")
"""Tags that are alike as often as those of a large index."""

WORDS: dict[str, tuple[str, str]] = {
    "takes any word for that before": ("asked[j] == asked[j - ONE]", "asked[j] != ZERO"),
    "takes another's number for that before": ("numbers[j] = numbers[j - ONE]", "numbers[j] = numbers[ZERO]"),
    "takes a word whose tag is alike for this one": (
        "if number == UNKNOWN or words[number] != asked[j]:",
        "if number == UNKNOWN:",
    ),
    "takes any word of the bucket with the tag": ("            if words[number] == word:", "            if True:"),
    "looks only at the first word whose tag is alike": ("alike &= alike - ONE", "alike = ZERO"),
    "forgets words when the index is made anew": ("for number in range(known):", "for number in range(known // U(2)):"),
    "gives a number twice": ("            own[NEXT] += 1\n", "            own[NEXT] += np.int64(number & ONE)\n"),
}

IN_TWO_FUNCTIONS = {
    "takes any word of the bucket with the tag",
    "looks only at the first word whose tag is alike",
}
"""What stands where words get their numbers, and where a word is looked up."""


def numbers_all(module: Any) -> bool:
    """Many words, and few."""
    return all(numbers_words(module)) and numbers_few_words(module)


@pytest.mark.slow
def test_each_word_has_one_number() -> None:
    assert numbers_all(word_table)
    assert numbers_all(changed(word_table, SHORT_TAG))
    assert int(UNKNOWN) > 1 << 32


@pytest.mark.slow
@pytest.mark.parametrize("what", WORDS)
def test_an_index_that_takes_a_word_for_another_is_noticed(what: str) -> None:
    places = 2 if what in IN_TWO_FUNCTIONS else 1
    assert not numbers_all(changed(word_table, SHORT_TAG, WORDS[what], places=places))
