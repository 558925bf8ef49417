"""Sets of pages that are chosen at the start, known to all, and changed by no step: the blocks of a guest's memory."""

from __future__ import annotations

from postcopy.language.fields import EITHER
from postcopy.language.variables import Sort, Variable


class Chosen:
    """A set of whole host pages, declared in a protocol: ``second_block = Chosen("pages of the second block")``.

    Every choice is explored: there is an initial state for each. Machines read it as ``self.second_block``, properties
    as ``state.second_block``.

    Attributes:
        doc: its meaning, in the document's words.
    """

    def __init__(self, doc: str) -> None:
        self.doc = doc

    def variable(self, name: str) -> tuple[Variable, object]:
        """The variable that the set is, and its initial value."""
        return Variable(name, name, Sort.PAGES, doc=self.doc, chosen=True), EITHER
