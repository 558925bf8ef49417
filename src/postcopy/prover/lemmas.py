"""The bitmap lemmas, run on z3 bit-vectors: for all words, host pages of every size from 1 to a word."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import z3

from postcopy.bitmaps import Bitmaps
from postcopy.language.lemmas import Lemma
from postcopy.prover.solving import Status

GROUPS = (1, 2, 4, 8, 16, 32, 64)
WORK = 200_000_000
"""See `postcopy.prover.solving.NARROW`."""


@dataclass(frozen=True)
class LemmaResult:
    """What z3 says of a lemma for host pages of one size.

    Attributes:
        lemma: the lemma.
        bits: the algebra that it was asked of.
        status: proved, open (there are words for which it fails) or unknown.
        words: for an open one, words for which it fails, by name.
        seconds: how long it took.
    """

    lemma: Lemma
    bits: Bitmaps
    status: Status
    words: dict[str, int]
    seconds: float

    @property
    def picture(self) -> list[str]:
        """The words as bits, page 0 first, host pages apart."""
        width = max((len(name) for name in self.words), default=0)
        return [f"{name:>{width}}  {as_bits(word, self.bits)}" for name, word in self.words.items()]


def as_bits(word: int, bits: Bitmaps) -> str:
    """A word as bits, page 0 first, with a space between host pages (of more than one page) and every 8 pages else."""
    step = bits.group if 1 < bits.group < bits.pages else 8
    text = "".join(str(word >> page & 1) for page in range(bits.pages))
    return " ".join(text[at : at + step] for at in range(0, bits.pages, step))


def ask(lemma: Lemma, bits: Bitmaps, seed: int = 0) -> LemmaResult:
    """Ask z3 for words for which a lemma fails."""
    start = time.perf_counter()
    words, formulas = failing(lemma, bits)
    solver = z3.SolverFor("QF_BV")
    solver.set("random_seed", seed)
    solver.set("rlimit", WORK)
    solver.add(*formulas)
    answer = solver.check()
    status = Status.PROVED if answer == z3.unsat else Status.OPEN if answer == z3.sat else Status.UNKNOWN
    found = {}
    if status is Status.OPEN:
        model = solver.model()
        found = {name: model.eval(word, model_completion=True).as_long() for name, word in words.items()}
    return LemmaResult(lemma, bits, status, found, time.perf_counter() - start)


def failing(lemma: Lemma, bits: Bitmaps) -> tuple[dict[str, Any], list[Any]]:
    """Words by name, and the formulas that say that the lemma fails for them. (SMT-LIB has no "or" of one formula.)"""
    words = {name: z3.BitVec(name, bits.pages) for name in lemma.words}
    given, then = lemma.says(bits, *words.values())
    differ = [a != b for a, b in then]
    return words, [*(a == b for a, b in given), z3.Or(*differ) if len(differ) > 1 else differ[0]]


def prove_lemmas(lemmas: Iterable[Lemma], pages: int = 64, seed: int = 0) -> Iterator[LemmaResult]:
    """Every lemma, for host pages of every size that it speaks of."""
    for lemma in lemmas:
        for group in GROUPS if lemma.grouped else GROUPS[:1]:
            if group <= pages:
                yield ask(lemma, Bitmaps(pages, group), seed)


def refute_mistake(lemma: Lemma, pages: int = 16) -> LemmaResult:
    """Ask the lemma of the algebra with the mistake: there have to be words for which it fails."""
    return ask(lemma, lemma.broken(pages, 4 if lemma.grouped else 1))
