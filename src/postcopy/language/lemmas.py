"""How a fact about bitmaps is stated: for all words, where some equations hold, others hold."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from postcopy.bitmaps import Bitmaps, Word

Equations = list[tuple[Word, Word]]
Statement = Callable[..., tuple[Equations, Equations]]
"""From the algebra and the words: what is given, and what follows from it."""


@dataclass(frozen=True)
class Lemma:
    """One fact about all words.

    Attributes:
        name: short.
        sentence: the same as a sentence.
        words: names of the words that it speaks of.
        says: from the algebra and the words, what is given and what follows.
        broken: the algebra with the mistake that the lemma is there to catch.
        grouped: whether host pages matter to it.
    """

    name: str
    sentence: str
    words: tuple[str, ...]
    says: Statement
    broken: type[Bitmaps]
    grouped: bool

    @property
    def mistake(self) -> str:
        """What the algebra with the mistake does wrong, in words."""
        return " ".join((inspect.getdoc(self.broken) or "").split())
