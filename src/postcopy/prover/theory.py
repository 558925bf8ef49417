"""Goals as z3 formulas: what is assumed in all of them, and what says that a violation happens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import z3

from postcopy.prover.formulas import Meaning, Symbols
from postcopy.prover.goals import Conjunct, Path, Violation

_ASSUMED = "assumed "


@dataclass(frozen=True)
class Hypotheses:
    """What is assumed of the state before a step.

    Attributes:
        always: holds of every state.
        conjuncts: for each conjunct, by its name, the formulas that say that it holds.
    """

    always: list[Any]
    conjuncts: dict[str, list[Any]]


class Theory:
    """The formulas of all goals about a protocol.

    Attributes:
        symbols: of the state before a step.
        step: the page of a step.
        literals: for each conjunct, by its name, a truth value that stands for the assumption that it holds.

    Args:
        symbols: see above.
        conjuncts: what is assumed before a step.
    """

    def __init__(self, symbols: Symbols, conjuncts: Sequence[Conjunct]) -> None:
        self.symbols, self._conjuncts = symbols, conjuncts
        self.step, self._page = z3.Const("step's page", symbols.page), z3.Const("page", symbols.page)
        self.literals = {c.name: z3.Bool(_ASSUMED + c.name) for c in conjuncts}

    @cached_property
    def narrow(self) -> Hypotheses:
        """The hypotheses with few instances of quantifiers."""
        return self._hypotheses(wide=False)

    @cached_property
    def wide(self) -> Hypotheses:
        """The hypotheses with many instances of quantifiers."""
        return self._hypotheses(wide=True)

    def _hypotheses(self, wide: bool) -> Hypotheses:
        meaning = Meaning(self.symbols, "before", self.step, wide=wide)
        said: dict[str, list[Any]] = {}
        for conjunct in self._conjuncts:
            for part, _ in conjunct.parts:
                claim = partial(meaning.truth, part)
                holds = meaning.for_every_page(claim) if conjunct.each_page else claim()
                said.setdefault(conjunct.name, []).append(holds)
        return Hypotheses([*self.symbols.well_formed(), *meaning.definitions], said)

    def asserted(self, hypotheses: Hypotheses) -> list[Any]:
        """The hypotheses, each conjunct under the condition that it is assumed."""
        implied = [z3.Implies(self.literals[name], f) for name, those in hypotheses.conjuncts.items() for f in those]
        return [*hypotheses.always, *implied]

    def assumptions(self, names: Collection[str] | None = None) -> list[Any]:
        """The literals that assume conjuncts: those of these names, or all."""
        return [literal for name, literal in self.literals.items() if names is None or name in names]

    def path(self, path: Path) -> list[Any]:
        """The formulas that say that a path is taken."""
        meaning = Meaning(self.symbols, "guard", self.step, wide=True, of_step=True)
        guards = [meaning.truth(part) for part in path.guard]
        page = [self.symbols.given(each) for each in (self.step, self.symbols.other)[: path.pages]]
        return [*guards, *meaning.definitions, *page, *self.symbols.touched(path.guard, path.updates)]

    def violation(self, violation: Violation) -> list[Any]:
        """The formulas that say that a violation happens, beside those of its path."""
        param = self._page if violation.each_page else self.step
        meaning = Meaning(self.symbols, "wrong", param, violation.updates, self.step, wide=True, of_step=True)
        page = [self.symbols.given(self._page), self.symbols.named(self._page)] if violation.each_page else []
        return [meaning.truth(violation.wrong), *page, *meaning.definitions]

    @staticmethod
    def names(literals: Sequence[Any]) -> list[str]:
        """The conjuncts that literals assume."""
        return [str(literal).removeprefix(_ASSUMED) for literal in literals]
