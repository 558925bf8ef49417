"""A table of pairs of numbers in which an entry has 32 bits and identifies its pair exactly.

A pair is a key of `key_bits` bits: its left number in the low `left_bits`, its right number above them. An invertible
mixing turns the key into another number of as many bits, which says where the pair's home bucket is; what the home
does not say of it, the rest, stands in the entry. So home and rest together are the pair, and nothing is compared with
states (Cleary 1984). The number of buckets need not be a power of two:

    product = (the high 32 bits of the mixed key) * buckets
    home    = product >> 32
    rest    = (product & 2^32 - 1) >> shift, and behind it the low bits of the mixed key

Two high parts with one home differ by at least `buckets` in the product, and `2^shift` is no more than that, so their
rests differ. A larger table keeps the order of homes.

Sixteen entries are a bucket, one line of the processor's cache. Where a home is full the pair goes into one of the
next buckets: an entry has in its low `DISTANCE_BITS` how far from home it is, plus 1, so that an empty entry is zero.
Buckets fill from their first entry on, and nothing is taken out. Behind the last home lie as many buckets as a pair
may be far from home.

Several workers may enter pairs at the same time. An entry is filled in one atomic step, and only if it is empty; where
another worker was faster, the bucket is looked through again. All who enter a pair go through the same places, and none
goes past an empty one, so the second finds what the first has put there.
"""

# ruff: noqa: D103  (what each does is said here)

from typing import NamedTuple

import numpy as np
from numba import njit, types

from postcopy.explorer.search.intrinsics import lowest, places, prefetch
from postcopy.explorer.search.intrinsics import put as fill_entry

U = np.uint64
ZERO, ONE, U32, HALF = U(0), U(1), U(32), U(0xFFFFFFFF)

DISTANCE_BITS = U(6)
DISTANCES = (ONE << DISTANCE_BITS) - ONE
FARTHEST = 62
"""How many buckets from its home a pair may be."""

REST_BITS = 32 - int(DISTANCE_BITS)
"""Bits of an entry for what the home does not say of a pair."""

BUCKET_BITS, SLOTS = U(4), 16

TOGETHER = 16
"""How many buckets are moved into a larger table together."""

STUCK, THERE, NEW = range(3)
"""What came of entering a pair: no room near its home, it was there, it is there now."""

FACTORS = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93)
INVERSES = tuple(U(pow(int(factor), -1, 1 << 64)) for factor in FACTORS)


class Shape(NamedTuple):
    """What a pair's home and rest depend on.

    Attributes:
        buckets: how many may be homes.
        shift: the greatest number of which 2^shift is not above `buckets`.
        key_bits: bits of a key: 32 at least, and at most `REST_BITS + shift`.
        left_bits: bits of a key for the left number.
    """

    buckets: np.uint64
    shift: np.uint64
    key_bits: np.uint64
    left_bits: np.uint64


SHAPE = types.NamedUniTuple(types.uint64, 4, Shape)


def shape(buckets: int, key_bits: int, left_bits: int) -> Shape:
    """The shape of a table of so many buckets."""
    assert 32 <= key_bits <= most_key_bits(buckets)
    assert 0 < left_bits < key_bits
    return Shape(U(buckets), U(buckets.bit_length() - 1), U(key_bits), U(left_bits))


def most_key_bits(buckets: int) -> int:
    """As many bits of a key as a table of so many buckets can hold."""
    return REST_BITS + buckets.bit_length() - 1


@njit
def low_bits(number, bits):
    return number & (ONE << bits) - ONE


@njit
def mixed(key, shape):
    """The key mixed: as many bits, and each key another."""
    half = shape.key_bits + ONE >> ONE
    key ^= key >> half
    key = low_bits(key * FACTORS[0], shape.key_bits)
    key ^= key >> half
    key = low_bits(key * FACTORS[1], shape.key_bits)
    return key ^ key >> half


@njit
def unmixed(number, shape):
    """The key that `mixed` made this of."""
    half = shape.key_bits + ONE >> ONE
    number ^= number >> half
    number = low_bits(number * INVERSES[1], shape.key_bits)
    number ^= number >> half
    number = low_bits(number * INVERSES[0], shape.key_bits)
    return number ^ number >> half


@njit
def home_and_rest(number, shape):
    """Where a mixed key belongs, and what that does not say of it."""
    low = shape.key_bits - U32
    product = (number >> low) * shape.buckets
    return product >> U32, (product & HALF) >> shape.shift << low | low_bits(number, low)


@njit
def mixed_of(home, rest, shape):
    """The mixed key that belongs here."""
    low = shape.key_bits - U32
    product = home << U32 | rest >> low << shape.shift
    return (product + shape.buckets - ONE) // shape.buckets << low | low_bits(rest, low)


@njit
def place(left, right, shape):
    """A pair's home and rest."""
    return home_and_rest(mixed(left | right << shape.left_bits, shape), shape)


@njit
def pair_at(bucket, entry, shape):
    """The pair that an entry in this bucket stands for."""
    distance = low_bits(entry, DISTANCE_BITS) - ONE
    key = unmixed(mixed_of(bucket - distance, entry >> DISTANCE_BITS, shape), shape)
    return low_bits(key, shape.left_bits), key >> shape.left_bits


@njit
def enter(table, home, rest, alone):
    """Enter a pair, if it is not there."""
    value, bucket = rest << DISTANCE_BITS | ONE, home
    while value & DISTANCES != ZERO:
        alike, empty = places(table, bucket << BUCKET_BITS, ZERO, value)
        if alike != ZERO:
            return THERE
        if empty == ZERO:
            value += ONE
            bucket += ONE
        elif fill_entry(table, (bucket << BUCKET_BITS) + lowest(empty), value, alone):
            return NEW
    return STUCK


@njit
def put(table, home, rest, alone):
    """Enter a pair that is not there; False where there is no room near its home. Looks at no other pair."""
    value, bucket = rest << DISTANCE_BITS | ONE, home
    while value & DISTANCES != ZERO:
        _, empty = places(table, bucket << BUCKET_BITS, ZERO, value)
        if empty == ZERO:
            value += ONE
            bucket += ONE
        elif fill_entry(table, (bucket << BUCKET_BITS) + lowest(empty), value, alone):
            return True
    return False


@njit
def put_placed(table, homes, rests, count, alone):
    """Enter some pairs that are not there; False where there is no room for one.

    Not one after the other: those that belong to one bucket lie side by side, and a bucket is looked through slowly as
    long as the processor has not written what was just put there.
    """
    for begin in range(SLOTS):
        for j in range(begin, count, SLOTS):
            if not put(table, homes[j], rests[j], alone):
                return False
    return True


@njit
def place_bucket(entries, bucket, before, after, homes, rests, count):
    """Where the pairs of a bucket of a table belong in a larger one with the same keys; how many have been placed.

    Their homes and rests are put behind those of `count` others.
    """
    for slot in range(SLOTS):
        entry = U(entries[slot])
        if entry == ZERO:
            break
        home = U(bucket) - low_bits(entry, DISTANCE_BITS) + ONE
        homes[count], rests[count] = home_and_rest(mixed_of(home, entry >> DISTANCE_BITS, before), after)
        count += 1
    return count


@njit
def spread(table, before, after, begin, end, alone):
    """Move some buckets of a table that becomes larger in its place, those behind them having been moved already.

    Some buckets at once, from the last ones on: what they held belongs to the first of them or above. That is not so of
    the first buckets (see `copied_buckets`). Several workers may each move some of the buckets that `apart_from`
    allows. False where there is no room for a pair, and then the table is lost.
    """
    homes, rests = np.empty(TOGETHER * SLOTS, dtype=np.uint64), np.empty(TOGETHER * SLOTS, dtype=np.uint64)
    while end > begin:
        first, count = max(begin, end - TOGETHER), 0
        for bucket in range(first, end):
            entries = table[bucket * SLOTS : (bucket + 1) * SLOTS]
            count = place_bucket(entries, bucket, before, after, homes, rests, count)
            entries[:] = 0
        if not put_placed(table, homes, rests, count, alone):
            return False
        end = first
    return True


@njit
def spread_first(table, before, after, first):
    """Move the first buckets, all others having been moved already; False where there is no room for a pair."""
    copied = table[: first * SLOTS].copy()
    table[: first * SLOTS] = 0
    homes, rests = np.empty(SLOTS, dtype=np.uint64), np.empty(SLOTS, dtype=np.uint64)
    for bucket in range(first):
        entries = copied[bucket * SLOTS : (bucket + 1) * SLOTS]
        count = place_bucket(entries, bucket, before, after, homes, rests, 0)
        if not put_placed(table, homes, rests, count, True):
            return False
    return True


@njit
def move(table, before, other, after):
    """Enter all pairs into another table, which is empty and may have another key; False where there is no room.

    They belong anywhere there. So the places of some are asked of the memory together, before the first is entered.
    """
    homes, rests = np.empty(TOGETHER * SLOTS, dtype=np.uint64), np.empty(TOGETHER * SLOTS, dtype=np.uint64)
    end, first = before.buckets + U(FARTHEST), ZERO
    while first < end:
        count = 0
        for bucket in range(first, min(first + U(TOGETHER), end)):
            for slot in range(SLOTS):
                entry = table[bucket * SLOTS + slot]
                if entry == 0:
                    break
                left, right = pair_at(U(bucket), U(entry), before)
                homes[count], rests[count] = place(left, right, after)
                prefetch(other, homes[count] << BUCKET_BITS)
                count += 1
        if not put_placed(other, homes, rests, count, True):
            return False
        first += U(TOGETHER)
    return True


def copied_buckets(before: int, after: int) -> int:
    """How many first buckets `spread` has to copy: those in which a pair may be that belongs further down.

    A pair in bucket q has its home at q - FARTHEST or above, and its new home at home * after / before - 1 or above.
    That is not below q where home * (after - before) / before is FARTHEST + 1 or more.
    """
    return min(before + FARTHEST, (FARTHEST + 1) * before // (after - before) + FARTHEST + 2)


def apart_from(end: int, before: int, after: int) -> int:
    """From which bucket on all that was before `end` belongs to `end` or above, when a table grows in its place.

    So workers that each move some of these buckets do not stand in each other's way.
    """
    return min(end, FARTHEST + 2 + (end + 1) * before // after)
