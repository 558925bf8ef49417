"""A set of pages as a bitmap of 64-bit words. Imports nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

WORD = 64
FULL = (1 << WORD) - 1


class Bitmap:
    """A set of numbers below a size. One number is a matter of one word; whole sets are combined as one large number.

    Attributes:
        size: how many numbers there could be.
        count: how many there are.
    """

    __slots__ = ("_words", "count", "size")

    def __init__(self, size: int, *, full: bool = False) -> None:
        self.size = size
        self.count = 0
        self._words = array("Q", bytes(8 * -(-size // WORD)))
        if full:
            self.add_all(range(size))

    def __contains__(self, page: int) -> bool:
        return bool(self._words[page >> 6] >> (page & 63) & 1)

    def __bool__(self) -> bool:
        return self.count > 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and self.size == other.size and self._words == other._words

    __hash__ = None  # type: ignore[assignment]

    def __int__(self) -> int:
        """Bit n is set where n is in the set."""
        return int.from_bytes(self._words.tobytes(), "little")

    def add(self, page: int) -> bool:
        """Put a page in; whether it was not there before."""
        bit = 1 << (page & 63)
        word = self._words[page >> 6]
        if word & bit:
            return False
        self._words[page >> 6] = word | bit
        self.count += 1
        return True

    def remove(self, page: int) -> bool:
        """Take a page out; whether it was there before."""
        bit = 1 << (page & 63)
        word = self._words[page >> 6]
        if not word & bit:
            return False
        self._words[page >> 6] = word ^ bit
        self.count -= 1
        return True

    def first_of(self, pages: range) -> int | None:
        """The first of these pages that is in the set."""
        for index, bits in _words(pages):
            if found := self._words[index] & bits:
                return (index << 6) + (found & -found).bit_length() - 1
        return None

    def assign(self, bits: int) -> None:
        """Become the set of the bits of a number."""
        self._words = array("Q", bits.to_bytes(8 * len(self._words), "little"))
        self.count = bits.bit_count()

    def add_all(self, pages: range) -> None:
        """Put a run of pages in."""
        for index, bits in _words(pages):
            word = self._words[index]
            self._words[index] = word | bits
            self.count += (bits & ~word).bit_count()

    def remove_all(self, pages: range) -> None:
        """Take a run of pages out."""
        for index, bits in _words(pages):
            word = self._words[index]
            self._words[index] = word & ~bits
            self.count -= (bits & word).bit_count()

    def runs(self) -> Iterator[range]:
        """The pages as runs, from below."""
        begin = end = 0
        for index, word in enumerate(self._words):
            at, rest = index << 6, word
            while rest:
                skip = (rest & -rest).bit_length() - 1
                rest >>= skip
                length = (~rest & (rest + 1)).bit_length() - 1
                rest >>= length
                at += skip
                if at != end:
                    if end > begin:
                        yield range(begin, end)
                    begin = at
                at += length
                end = at
        if end > begin:
            yield range(begin, end)

    def clear(self) -> None:
        """Become empty."""
        self.assign(0)

    def next(self, start: int) -> int | None:
        """The first page from a number on; after the last it begins again from 0."""
        if not self.count:
            return None
        words = self._words
        index = start >> 6
        word = words[index] & FULL << (start & 63) & FULL if start < self.size else 0
        length = len(words)
        while not word:
            index = index + 1 if index + 1 < length else 0
            word = words[index]
        return (index << 6) + (word & -word).bit_length() - 1

    def run(self, start: int, most: int) -> range:
        """The pages that follow each other from `next` on, at most so many; an empty range where there is none."""
        first = self.next(start)
        if first is None:
            return range(0)
        at, stop = first + 1, min(first + most, self.size)
        while at < stop:
            word = self._words[at >> 6] >> (at & 63)
            ones = (~word & (word + 1)).bit_length() - 1
            at += ones
            if ones < 64 - ((at - ones) & 63):
                break
        return range(first, min(at, stop))


def _words(pages: range) -> Iterator[tuple[int, int]]:
    """A run of pages as words of a bitmap: index and bits."""
    at = pages.start
    while at < pages.stop:
        upto = min(pages.stop, (at | 63) + 1)
        yield at >> 6, ((1 << (upto - at)) - 1) << (at & 63)
        at = upto
