"""What is chosen at the start, known to all, and changed by no step: the blocks of a guest's memory, and options."""

from __future__ import annotations

from postcopy.language.fields import EITHER, Either
from postcopy.language.variables import Sort, Variable


class Chosen:
    """A set of whole host pages, declared in a protocol: ``second_block = Chosen("pages of the second block")``.

    Every choice is explored: there is an initial state for each. Machines read it as ``self.second_block``, properties
    as ``state.second_block``.

    Attributes:
        doc: its meaning, in the document's words.
        initial: its value in the initial states; `EITHER` where every choice is explored.
    """

    def __init__(self, doc: str) -> None:
        self.doc = doc
        self.initial: bool | Either = EITHER

    def variable(self, name: str) -> tuple[Variable, object]:
        """The variable that the choice is, and its initial value."""
        return Variable(name, name, Sort.PAGES, doc=self.doc, chosen=True), self.initial

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        return None


class Option(Chosen):
    """A capability or another setting, on or off, declared in a protocol: ``preempt = Option("the capability ...")``.

    Both are explored, unless `initial` fixes it. Machines read it as ``self.preempt``, properties as ``state.preempt``.
    """

    def __init__(self, doc: str, initial: bool | Either = EITHER) -> None:
        super().__init__(doc)
        self.initial = initial

    def variable(self, name: str) -> tuple[Variable, object]:
        """The variable that the option is, and its initial value."""
        return Variable(name, name, Sort.NUMBER, 2, (False, True), doc=self.doc, chosen=True), self.initial

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        fits = isinstance(self.initial, bool | Either)
        return None if fits else f"starts as {self.initial!r}: it can start as False, True or EITHER"
