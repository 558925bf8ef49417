"""Found conjuncts: disjunctions of atoms, as properties that are read like any other, as source text, and in words."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType

from postcopy.language import Property, about, conjunct
from postcopy.language.machines import Monitor
from postcopy.prover.inference.atoms import Atom, Names


@dataclass(frozen=True)
class Clause:
    """Some atoms of which at least one has its wanted value: in every state, for every page.

    Attributes:
        parts: each atom with the value that it has to have.
    """

    parts: tuple[tuple[Atom, bool], ...]

    @property
    def of_page(self) -> bool:
        """Whether it is claimed for every page."""
        return any(atom.of_page for atom, _ in self.parts)

    @property
    def says_empty(self) -> bool:
        """Whether it says of a field that it has no page, in the longer of two ways: an atom says it, too."""
        of_page = [(atom, wanted) for atom, wanted in self.parts if atom.of_page]
        return len(of_page) == 1 and of_page[0][0].is_field and not of_page[0][1]

    @property
    def answer(self) -> str:
        """The expression in the language of properties."""
        return " or ".join(atom.yes if wanted else atom.no for atom, wanted in self._ordered())

    @property
    def monitor(self) -> type[Monitor] | None:
        """The history that it asks, if any; if it asks two, the first."""
        return next((atom.monitor for atom, _ in self.parts if atom.monitor is not None), None)

    @property
    def cost(self) -> int:
        """The sum of the atoms' costs."""
        return sum(atom.cost for atom, _ in self.parts)

    def _ordered(self) -> list[tuple[Atom, bool]]:
        """Conditions first, conclusions last."""
        return sorted(self.parts, key=lambda part: (part[0].of_page, part[1]))

    @property
    def sentence(self) -> str:
        """What it says, in words."""
        given, then = self._conditions()
        pages = _of_pages([part for part in self.parts if part[0].of_page])
        if pages:
            return _sentence(given, pages)
        return _sentence(given, then or "that is never so")

    def _conditions(self) -> tuple[list[str], str]:
        """What is assumed of the state, and what follows of it where no page is spoken of."""
        of_state = [part for part in self._ordered() if not part[0].of_page]
        last = None if self.of_page or len(of_state) == 0 else of_state[-1]
        given = [atom.fails if wanted else atom.holds for atom, wanted in of_state if (atom, wanted) != last]
        return given, "" if last is None else last[0].holds if last[1] else last[0].fails


def _of_pages(parts: Sequence[tuple[Atom, bool]]) -> str:
    if not parts:
        return ""
    inside = [atom.holds for atom, wanted in parts if not wanted]
    then = [atom.holds for atom, wanted in parts if wanted]
    if inside and then:
        return f"each page in {' and in '.join(inside)} is in {' or in '.join(then)}"
    if then:
        return f"each page is in {' or in '.join(then)}"
    if len(inside) == 2:
        return f"{inside[0]} and {inside[1]} share no page"
    return f"no page is in {' and in '.join(inside)}"


def _sentence(given: Sequence[str], then: str) -> str:
    if not given:
        return then if "." in then.split(maxsplit=1)[0] else then[0].upper() + then[1:]  # a name keeps its letters
    return f"While {' and '.join(given)}, {then}"


def source_of(clause: Clause, name: str) -> str:
    """The conjunct as Python source text, to be put into a file and named in `invariant = (...)`."""
    page = ", page: Page" if clause.of_page else ""
    monitor = f", monitor={clause.monitor.__name__}" if clause.monitor is not None else ""
    lines = [
        f"@conjunct({clause.sentence!r}{monitor})",
        f"def {name}(state: View{page}) -> Answer:",
        '    """Found by the machine, and proved."""',
        f"    return {clause.answer}",
    ]
    return "\n".join(lines) + "\n"


def property_of(clause: Clause, name: str, names: Names) -> Property:
    """The conjunct as a property. It is made of its source text, so that what is proved is what is shown."""
    where = f"<conjunct {name}: {clause.answer}>"
    page = ", page" if clause.of_page else ""
    text = f"def {name}(state{page}):\n    return {clause.answer}\n"
    linecache.cache[where] = (len(text), None, text.splitlines(keepends=True), where)
    space: dict[str, object] = {"about": about, **names.known, "__name__": __name__}
    exec(compile(ast.parse(text), where, "exec"), space)
    function = space[name]
    assert isinstance(function, FunctionType)
    return conjunct(clause.sentence, monitor=clause.monitor)(function)
