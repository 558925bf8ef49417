"""A question that z3 has answered with "unsat", as a text that any prover reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

ANY_LOGIC = "ALL"
BIT_VECTORS = "QF_BV"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        about: what it belongs to, as pairs of a label and a name: protocol, conjunct, action.
        text: SMT-LIB 2 with one ``(check-sat)``; z3's answer is "unsat".
        logic: the logic that the text names.
    """

    about: tuple[tuple[str, str], ...]
    text: str
    logic: str = ANY_LOGIC

    @property
    def name(self) -> str:
        """What it belongs to, in one line."""
        return ", ".join(f"{label} {name}" for label, name in self.about)


class MissingHypothesisError(LookupError):
    """A refutation is said to need a hypothesis that is not there."""


def question_of(
    about: Sequence[tuple[str, str]],
    facts: Sequence[Any],
    hypotheses: Mapping[str, Sequence[Any]] | None = None,
    core: Collection[str] = (),
    logic: str = ANY_LOGIC,
) -> Question:
    """A question from the formulas that were asked.

    The formulas have to be those that were made, not those that a solver of z3 gives back: z3 rewrites what it is
    given, and stores an implication from a literal as clauses, in which the literal is hard to find.

    Args:
        about: see `Question`.
        facts: what is asserted in any case.
        hypotheses: more formulas, by name, that the refutation may use.
        core: the names of the hypotheses that it did use, as z3 says. Others are left out: without them the refutation
            is harder to find, and no less a refutation.
        logic: see `Question`.

    Raises:
        MissingHypothesisError: a name of the core has no formula.
    """
    given = hypotheses or {}
    asserted = list(facts)
    for name in sorted(core):
        if not given.get(name):
            raise MissingHypothesisError(f"{name} is in the core, and no formula has that name")
        asserted.extend(given[name])
    heading = "".join(f"; {label}: {name}\n" for label, name in about)
    return Question(tuple(about), f"{heading}(set-logic {logic})\n{smt_text(asserted)}", logic)


def smt_text(formulas: Sequence[Any]) -> str:
    """Declarations, an assertion for each formula that is not plainly true, and ``(check-sat)``, in SMT-LIB 2."""
    context = z3.main_ctx()
    *first, last = formulas or [z3.BoolVal(True)]
    asts = (z3.Ast * len(first))(*(formula.as_ast() for formula in first))
    text: str = z3.Z3_benchmark_to_smtlib_string(context.ref(), "", "", "unknown", "", len(first), asts, last.as_ast())
    return text.removeprefix("; \n")
