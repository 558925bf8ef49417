"""What z3 was asked of a bitmap lemma, as a text for second provers."""

from __future__ import annotations

from postcopy.bitmaps import Bitmaps
from postcopy.language.lemmas import Lemma
from postcopy.prover.confirmation.question import BIT_VECTORS, Question, question_of
from postcopy.prover.lemmas import failing


def question(lemma: Lemma, bits: Bitmaps) -> Question:
    """That a lemma fails for some words of an algebra."""
    pages = f"{bits.pages} pages" + (f", host pages of {bits.group}" if lemma.grouped else "")
    _, formulas = failing(lemma, bits)
    return question_of((("lemma", lemma.name), ("word", pages)), formulas, logic=BIT_VECTORS)
