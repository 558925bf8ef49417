"""The bitmap algebra of a migration: what is discarded, in which host pages, in which ranges, and what is sent again.

Written once, with nothing but ``& | ^ ~ << >>`` and comparison, so that the very same code runs on Python integers,
on NumPy words and on z3 bit-vectors. Bit i of a word is target page i. Imports nothing of this package: the model
and the engine call it, and `postcopy prove --bitmaps` proves it (`postcopy.properties.bitmaps`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Word = Any
"""A Python integer, a NumPy unsigned integer (or an array of them), or a z3 bit-vector."""

Pages = TypeVar("Pages")

RANGES_IN_A_COMMAND = 12
"""How many ranges one discard command carries (QEMU's MAX_DISCARDS_PER_COMMAND)."""


def clean_up(sent: Pages, dirty: Pages, whole: Callable[[Pages], Pages]) -> tuple[Pages, Pages]:
    """The discard set and the migration bitmap at the switch, in whole host pages (rules R11 and R21).

    A host page of which a target page is dirty becomes wholly dirty; if any of it was sent it is wholly discarded.

    Args:
        sent: the sent map.
        dirty: the migration bitmap.
        whole: gives all target pages of the host pages that a set touches.

    Returns:
        What to discard, and what is dirty from now on. QEMU: ram_postcopy_send_discard_bitmap.
    """
    dirty = whole(dirty)
    discard: Pages = whole(sent) & dirty  # type: ignore[operator]
    return discard, dirty


@dataclass(frozen=True)
class Bitmaps:
    """Bitmaps of a number of target pages.

    Attributes:
        pages: bits of a word.
        group: target pages of one host page; the first begins at bit 0.
    """

    pages: int = 64
    group: int = 1

    @property
    def all(self) -> int:
        """The word with every page."""
        return (1 << self.pages) - 1

    @property
    def first_pages(self) -> int:
        """The first target page of every host page."""
        return self.all // ((1 << self.group) - 1)

    def up(self, word: Word, by: int) -> Word:
        """Every page moved up; what leaves the word is gone."""
        return (word << by) & self.all if by < self.pages else word & 0

    def down(self, word: Word, by: int) -> Word:
        """Every page moved down. The mask is for z3, whose ``>>`` copies the top bit."""
        return (word >> by) & (self.all >> by) if by < self.pages else word & 0

    def host_pages(self, word: Word) -> Word:
        """All target pages of the host pages that the word touches (rule R21)."""
        word = _doubling(word, self.group, self.down) & self.first_pages
        return _doubling(word, self.group, self.up)

    def switch(self, sent: Word, dirty: Word) -> tuple[Word, Word]:
        """What to discard at the switch, and what is dirty from then on: see `clean_up`."""
        return clean_up(sent, dirty, self.host_pages)

    def recovery(self, received: Word) -> Word:
        """What is dirty after a recovery: what the destination has not received (QEMU: ram_dirty_bitmap_reload)."""
        return ~received & self.all

    def wrote(self, dirty: Word, written: Word) -> Word:
        """The migration bitmap after the guest has written pages (rule R10)."""
        return dirty | written

    def sends(self, sent: Word, dirty: Word, page: Word) -> tuple[Word, Word]:
        """The sent map and the migration bitmap after pages have been sent (rules R2, R10)."""
        return sent | page, dirty & ~page

    def first_range(self, word: Word) -> Word:
        """The lowest run of pages in the word; no page if there is none."""
        starts = word & ~self.up(word, 1)
        ends = word & ~self.down(word, 1)
        return self._from_lowest(starts) & ~self._above_lowest(ends)

    def without_first_range(self, word: Word) -> Word:
        """What is left when the lowest run of pages is taken out."""
        return word & ~self.first_range(word)

    def command(self, word: Word) -> tuple[Word, Word]:
        """What one discard command takes, up to `RANGES_IN_A_COMMAND` ranges, and what is left for the next."""
        taken, left = word & 0, word
        for _ in range(RANGES_IN_A_COMMAND):
            taken, left = self.take(taken, left)
        return taken, left

    def take(self, taken: Word, left: Word) -> tuple[Word, Word]:
        """One more range goes into a command."""
        return taken | self.first_range(left), self.without_first_range(left)

    def ranges(self, word: int) -> Iterator[tuple[int, int]]:
        """(first page, number of pages) of every run of pages of a Python integer, lowest first."""
        while word:
            run = self.first_range(word)
            start = (run & ~self.up(run, 1)).bit_length() - 1
            yield start, run.bit_length() - start
            word = self.without_first_range(word)

    def commands(self, word: int) -> Iterator[list[tuple[int, int]]]:
        """The ranges of a Python integer, as many at a time as one discard command carries."""
        while word:
            taken, word = self.command(word)
            yield list(self.ranges(taken))

    def _from_lowest(self, word: Word) -> Word:
        """The lowest page and everything above it."""
        return _doubling(word, self.pages, self.up)

    def _above_lowest(self, word: Word) -> Word:
        """Everything above the lowest page."""
        return self.up(self._from_lowest(word), 1)


def _doubling(word: Word, reach: int, move: Callable[[Word, int], Word]) -> Word:
    """The word and all its moves by less than `reach`, in few steps."""
    done = 1
    while done < reach:
        by = min(done, reach - done)
        word = word | move(word, by)
        done += by
    return word
