"""What must hold of the bitmap algebra, for every word; and for each lemma a mistake that it catches.

A lemma speaks of some words: if its `given` equations hold, its `then` equations hold. It runs on whatever words
the algebra runs on; `postcopy.prover.lemmas` runs it on z3 bit-vectors, the tests on Python integers and NumPy words.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from postcopy.bitmaps import Bitmaps, Word
from postcopy.language.lemmas import Equations, Lemma, Statement

LEMMAS: list[Lemma] = []
"""All lemmas."""


def _lemma(broken: type[Bitmaps], grouped: bool = True) -> Callable[[Statement], Statement]:
    def add(says: Statement) -> Statement:
        words = tuple(inspect.signature(says).parameters)[1:]
        sentence = " ".join((inspect.getdoc(says) or "").split())
        LEMMAS.append(Lemma(says.__name__.replace("_", "-"), sentence, words, says, broken, grouped))
        return says

    return add


def _unsent_is_dirty(bits: Bitmaps, sent: Word, dirty: Word) -> Equations:
    return [(~(sent | dirty) & bits.all, sent & 0)]


def _nothing(word: Word) -> tuple[Word, Word]:
    return word, word & 0


class _DiscardsSent(Bitmaps):
    """All that was sent is discarded, dirty or not."""

    def switch(self, sent: Word, dirty: Word) -> tuple[Word, Word]:
        return self.host_pages(sent), self.host_pages(dirty)


class _DiscardsInTargetPages(Bitmaps):
    """Only the target pages that are sent and dirty are discarded, not their host pages."""

    def switch(self, sent: Word, dirty: Word) -> tuple[Word, Word]:
        return sent & dirty, self.host_pages(dirty)


class _LeavesDirtyAlone(Bitmaps):
    """Host pages are discarded whole, but the migration bitmap is not cleaned up."""

    def switch(self, sent: Word, dirty: Word) -> tuple[Word, Word]:
        return self.host_pages(sent & dirty), dirty


class _ForgetsOneSide(Bitmaps):
    """A host page is only filled up from its first dirty target page on."""

    def host_pages(self, word: Word) -> Word:
        done = word
        for by in range(1, self.group):
            keep = sum(1 << i for i in range(self.pages) if i % self.group >= by)
            done = done | (self.up(word, by) & keep)
        return done


class _ForgetsSent(Bitmaps):
    """A send is not noted in the sent map."""

    def sends(self, sent: Word, dirty: Word, page: Word) -> tuple[Word, Word]:
        return sent, dirty & ~page


class _EndsTooEarly(Bitmaps):
    """A range ends one page too early."""

    def first_range(self, word: Word) -> Word:
        run = super().first_range(word)
        return run & self.up(run, 1)


class _TwoAtOnce(Bitmaps):
    """A range goes on over a gap of one page."""

    def first_range(self, word: Word) -> Word:
        closed = word | (self.up(word, 1) & self.down(word, 1))
        return super().first_range(closed)


class _DropsTheLastPage(Bitmaps):
    """The last page of the word is taken out and never put into a command."""

    def take(self, taken: Word, left: Word) -> tuple[Word, Word]:
        taken, left = super().take(taken, left)
        return taken & (self.all >> 1), left


class _SendsReceivedAgain(Bitmaps):
    """After a recovery the received bitmap is taken for the migration bitmap."""

    def recovery(self, received: Word) -> Word:
        return received & self.all


@_lemma(_DiscardsSent)
def discard_is_exact(bits: Bitmaps, sent: Word, dirty: Word) -> tuple[Equations, Equations]:
    """A host page is discarded if, and only if, something of it was sent and something of it is dirty: what is stale at
    the destination is discarded, and no host page that is good there is."""
    discard, _ = bits.switch(sent, dirty)
    touched, stale = _plain_host_pages(bits, sent), _plain_host_pages(bits, dirty)
    return [], [(discard, touched & stale), _nothing(sent & dirty & ~discard)]


@_lemma(_LeavesDirtyAlone)
def discarded_is_sent_again(bits: Bitmaps, sent: Word, dirty: Word) -> tuple[Equations, Equations]:
    """Nothing is discarded that the source will not send again."""
    discard, after = bits.switch(sent, dirty)
    return [], [_nothing(discard & ~after), _nothing(dirty & ~after)]


@_lemma(_DiscardsInTargetPages)
def no_host_page_is_partly_there(bits: Bitmaps, sent: Word, dirty: Word) -> tuple[Equations, Equations]:
    """After the clean-up no host page is partly dirty, partly discarded or partly kept."""
    discard, after = bits.switch(sent, dirty)
    kept = sent & ~discard
    whole = [(_plain_host_pages(bits, word), word) for word in (discard, after, kept)]
    return _unsent_is_dirty(bits, sent, dirty), [*whole, (kept, ~after & bits.all)]


@_lemma(_ForgetsOneSide)
def host_pages_are_whole(bits: Bitmaps, word: Word) -> tuple[Equations, Equations]:
    """The host pages of some pages are these pages and the rest of their host pages, and nothing else."""
    return [], [(bits.host_pages(word), _plain_host_pages(bits, word))]


@_lemma(_ForgetsSent, grouped=False)
def unsent_is_dirty(bits: Bitmaps, sent: Word, dirty: Word, written: Word, page: Word) -> tuple[Equations, Equations]:
    """What was never sent is dirty: at first, and after every write and every send. (So the unsent map that QEMU kept
    until 2019 said nothing that the migration bitmap does not say.)"""
    dirty_after = bits.wrote(dirty, written)
    sent_then, dirty_then = bits.sends(sent, dirty_after, page)
    then = [*_unsent_is_dirty(bits, sent & 0, sent | bits.all), *_unsent_is_dirty(bits, sent_then, dirty_then)]
    return _unsent_is_dirty(bits, sent, dirty), then


@_lemma(_EndsTooEarly, grouped=False)
def ranges_lose_nothing(bits: Bitmaps, word: Word) -> tuple[Equations, Equations]:
    """The first range and what is left are all pages, and no page is in both; while there are pages the first range has
    one: so range by range all pages are covered, each once."""
    run, left = bits.first_range(word), bits.without_first_range(word)
    lowest = word & ~bits.up(_spread(bits, word, bits.up), 1)
    return [], [(run | left, word), _nothing(run & left), (run & lowest, lowest)]


@_lemma(_TwoAtOnce, grouped=False)
def ranges_are_runs(bits: Bitmaps, word: Word) -> tuple[Equations, Equations]:
    """A range has no gap, its neighbours are not in the bitmap, and all that is left lies above it: so the ranges are
    in order and as long as they can be."""
    run, left = bits.first_range(word), bits.without_first_range(word)
    upwards, downwards = _spread(bits, run, bits.up), _spread(bits, run, bits.down)
    beside = (bits.up(run, 1) | bits.down(run, 1)) & ~run
    return [], [(upwards & downwards, run), _nothing(beside & word), _nothing(left & downwards), _nothing(run & ~word)]


@_lemma(_DropsTheLastPage, grouped=False)
def commands_lose_nothing(bits: Bitmaps, word: Word, taken: Word, left: Word) -> tuple[Equations, Equations]:
    """If a command's ranges and what is left are all pages, and no page is in both, then so it is after one more range:
    so it is after twelve, and after every command."""
    taken_then, left_then = bits.take(taken, left)
    given = [(taken | left, word), _nothing(taken & left)]
    return given, [(taken_then | left_then, word), _nothing(taken_then & left_then)]


@_lemma(_SendsReceivedAgain, grouped=False)
def recovery_sends_the_rest(bits: Bitmaps, received: Word) -> tuple[Equations, Equations]:
    """After a recovery exactly what was not received is dirty."""
    dirty = bits.recovery(received)
    return [], [(dirty | (received & bits.all), received | bits.all), _nothing(dirty & received)]


def _plain_host_pages(bits: Bitmaps, word: Word) -> Word:
    """The same as `Bitmaps.host_pages`, said page by page: a page is in if any page of its host page is."""
    result = word & 0
    for distance in range(bits.group):
        up = sum(1 << i for i in range(bits.pages) if i % bits.group >= distance)
        down = sum(1 << i for i in range(bits.pages) if i % bits.group < bits.group - distance)
        result = result | (bits.up(word, distance) & up) | (bits.down(word, distance) & down)
    return result


def _spread(bits: Bitmaps, word: Word, move: Callable[[Word, int], Word]) -> Word:
    """The word and all its moves."""
    for by in range(bits.pages.bit_length()):
        word = word | move(word, 1 << by)
    return word
