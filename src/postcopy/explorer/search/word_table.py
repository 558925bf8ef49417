"""Each different word once: a word is known by its number, the place at which it was found first.

The words stand in an array in the order of their numbers. An index finds a word's number: entries of 32 bits in buckets
of sixteen, with the number plus 1 in the low bits, as many as an entry's place has, and above it a tag, some bits of
the word's hash. Where a tag agrees the word itself is compared.

Several workers may number words at the same time. Each takes numbers by the chunk. It writes a new word at a number of
its own and then fills the entry, in one atomic step and only if the entry is empty; where another worker was faster,
the bucket is looked through again and the number is kept for the next word. So a number that is seen has its word.
"""

# ruff: noqa: D103  (what each does is said here)

import numpy as np
from numba import njit

from postcopy.explorer.search.intrinsics import fetch_add, lowest, places, prefetch
from postcopy.explorer.search.intrinsics import put as fill_entry

U = np.uint64
ZERO, ONE = U(0), U(1)

UNKNOWN = U((1 << 64) - 1)
"""No word's number."""

BUCKET_BITS = U(4)

CHUNK = 16
"""How many numbers a worker takes at once."""

FEW = 64
"""Up to so many words of a node are few."""

NEXT, LAST = range(2)
"""Where in a worker's `own` the next of its numbers stands, and the first that is not its own."""


@njit
def hash_of(word):
    mixed = U(word) * U(0x9E3779B97F4A7C15)
    return (mixed ^ mixed >> U(32)) * U(0xD6E8FEB86659FD93)


@njit
def bucket_of(mixed, bits):
    """The first entry of a word's bucket, from the high bits of its hash."""
    return mixed >> (U(64) - bits + BUCKET_BITS) << BUCKET_BITS


@njit
def tag_of(mixed, bits):
    """Bits of a word's hash that its bucket does not depend on."""
    return mixed >> U(16) & (ONE << (U(32) - bits)) - ONE


@njit
def next_bucket(bucket, bits):
    return (bucket + (ONE << BUCKET_BITS)) & (ONE << bits) - ONE


@njit
def number_in(index, entry, bits):
    return (U(index[entry]) & (ONE << bits) - ONE) - ONE


@njit
def first_alike(index, bits, mixed):
    """The number of the first word in a bucket whose tag is alike, or `UNKNOWN`."""
    bucket = bucket_of(mixed, bits)
    alike, _ = places(index, bucket, bits, tag_of(mixed, bits))
    if alike == ZERO:
        return UNKNOWN
    return number_in(index, bucket + lowest(alike), bits)


@njit
def number_of(index, bits, words, known, node, own, word, mixed, alone):
    """A word's number: the one that it has, or else one of the worker's own.

    `known` says at `node` how many numbers have been taken.
    """
    tag, bucket = tag_of(mixed, bits), bucket_of(mixed, bits)
    while True:
        alike, empty = places(index, bucket, bits, tag)
        while alike != ZERO:
            number = number_in(index, bucket + lowest(alike), bits)
            if words[number] == word:
                return number
            alike &= alike - ONE
        if empty == ZERO:
            bucket = next_bucket(bucket, bits)
            continue
        if own[NEXT] == own[LAST]:
            own[NEXT] = fetch_add(known, node, CHUNK)
            own[LAST] = own[NEXT] + CHUNK
        number = U(own[NEXT])
        words[number] = word
        if fill_entry(index, bucket + lowest(empty), tag << bits | (number + ONE), alone):
            own[NEXT] += 1
            return number


@njit
def number_all(index, bits, words, known, node, own, asked, count, hashes, numbers, alone):
    """Write the numbers of some words.

    In four rounds, so that the memory brings a round's buckets, and then its words, all at once. Where there are few
    words, each is mostly that of the state before, and all are near.
    """
    if known[node] <= FEW:
        for j in range(count):
            if j != ZERO and asked[j] == asked[j - ONE]:
                numbers[j] = numbers[j - ONE]
            else:
                numbers[j] = number_of(index, bits, words, known, node, own, asked[j], hash_of(asked[j]), alone)
        return
    for j in range(count):
        hashes[j] = hash_of(asked[j])
        prefetch(index, bucket_of(hashes[j], bits))
    for j in range(count):
        numbers[j] = first_alike(index, bits, hashes[j])
    for j in range(count):
        if numbers[j] != UNKNOWN:
            prefetch(words, numbers[j])
    for j in range(count):
        number = numbers[j]
        if number == UNKNOWN or words[number] != asked[j]:
            numbers[j] = number_of(index, bits, words, known, node, own, asked[j], hashes[j], alone)


@njit
def find(index, bits, words, word):
    """A word's number, or `UNKNOWN`."""
    mixed = hash_of(word)
    tag, bucket = tag_of(mixed, bits), bucket_of(mixed, bits)
    while True:
        alike, empty = places(index, bucket, bits, tag)
        while alike != ZERO:
            number = number_in(index, bucket + lowest(alike), bits)
            if words[number] == word:
                return number
            alike &= alike - ONE
        if empty != ZERO:
            return UNKNOWN
        bucket = next_bucket(bucket, bits)


@njit
def fill(index, bits, words, known):
    """Make an index for all words below a number; there is nothing in it yet, and no number is a worker's own."""
    for number in range(known):
        mixed = hash_of(words[number])
        bucket = bucket_of(mixed, bits)
        while True:
            _, empty = places(index, bucket, bits, ZERO)
            if empty != ZERO:
                index[bucket + lowest(empty)] = tag_of(mixed, bits) << bits | (number + ONE)
                break
            bucket = next_bucket(bucket, bits)
