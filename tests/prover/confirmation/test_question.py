"""The text that a second prover reads: what is in it, and that a hypothesis is not lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
import z3

from postcopy.prover.confirmation.question import (
    BIT_VECTORS,
    MissingHypothesisError,
    Question,
    question_of,
    smt_text,
)
from postcopy.prover.confirmation.second_provers import ask
from tests.prover.confirmation.installed import needs_cvc5

PAGE = z3.DeclareSort("Page")
DIRTY, SENT = z3.Function("source.dirty", PAGE, z3.BoolSort()), z3.Function("source.sent", PAGE, z3.BoolSort())
X = z3.Const("x", PAGE)
PHASE, STATE = z3.Int("source.phase"), z3.Int("a name with blanks")
HYPOTHESES = {
    "sent-is-clean": [z3.ForAll([X], z3.Implies(SENT(X), z3.Not(DIRTY(X))))],
    "in-two-parts": [PHASE > 3, STATE >= PHASE],
    "of-no-use": [PHASE != 17],
}
WRONG = [SENT(X), DIRTY(X)]
ABOUT = (("conjunct", "c"), ("action", "a"))


def answer(question: Question) -> str:
    return ask("cvc5", question.text).result


def of_a_step(core: list[str], wrong: list[Any] = WRONG) -> Question:
    return question_of(ABOUT, wrong, HYPOTHESES, core)


def test_a_text_says_what_it_belongs_to_and_asks_once() -> None:
    question = of_a_step(["sent-is-clean"])
    assert question.name == "conjunct c, action a"
    assert question.text.startswith("; conjunct: c\n; action: a\n(set-logic ALL)\n")
    assert question.text.count("(check-sat)") == 1
    assert question.text.count("(assert") == 3


def test_hypotheses_that_z3_did_not_need_are_left_out() -> None:
    assert "source.phase" not in of_a_step(["sent-is-clean"]).text
    assert "source.phase" in of_a_step(["sent-is-clean", "of-no-use"]).text


@needs_cvc5
def test_a_second_prover_refutes_it_with_the_hypotheses() -> None:
    assert answer(of_a_step(["sent-is-clean"])) == "unsat"
    assert answer(of_a_step(["in-two-parts"], [STATE == 3])) == "unsat"


@needs_cvc5
@pytest.mark.parametrize(
    ("core", "wrong"),
    [([], WRONG), (["in-two-parts"], WRONG), ([], [STATE == 3]), (["of-no-use"], [STATE == 3])],
    ids=["none", "another", "none of numbers", "another of numbers"],
)
def test_without_the_hypotheses_that_it_needs_no_prover_refutes_it(core: list[str], wrong: list[Any]) -> None:
    assert answer(of_a_step(core, wrong)) == "sat"


@needs_cvc5
def test_a_hypothesis_behind_a_literal_that_is_not_asserted_is_none() -> None:
    """How a core is lost: the implication is in the text, and nothing says that its literal is true."""
    assumed = z3.Bool("assumed sent-is-clean")
    behind = [z3.Implies(assumed, HYPOTHESES["sent-is-clean"][0])]
    solver = z3.SimpleSolver()
    solver.add(*behind, *WRONG)
    assert solver.check(assumed) == z3.unsat
    assert answer(question_of(ABOUT, solver.assertions())) == "sat"
    assert answer(question_of(ABOUT, [*solver.assertions(), *solver.unsat_core()])) == "unsat"


@needs_cvc5
def test_the_wrong_sign_is_no_refutation() -> None:
    assert answer(of_a_step(["in-two-parts"], [z3.Not(STATE == 3)])) == "sat"
    assert answer(of_a_step(["sent-is-clean"], [z3.Not(z3.And(*WRONG))])) != "unsat"


@pytest.mark.parametrize("hypotheses", [{}, {"another": [PHASE > 0]}, {"missing": []}])
def test_a_core_of_which_no_formula_is_there_is_refused(hypotheses: dict[str, list[Any]]) -> None:
    with pytest.raises(MissingHypothesisError, match="missing is in the core, and no formula has that name"):
        question_of(ABOUT, WRONG, hypotheses, ["missing"])


def test_the_same_formulas_in_the_order_of_their_names() -> None:
    names = ["of-no-use", "in-two-parts", "sent-is-clean"]
    assert of_a_step(names).text == of_a_step(names[::-1]).text


@needs_cvc5
def test_a_text_that_has_lost_all_assertions_confirms_nothing() -> None:
    assert smt_text([]).count("(assert") == 0
    assert answer(question_of(ABOUT, [])) == "sat"


def test_what_z3_reads_is_what_it_wrote() -> None:
    question = of_a_step(["sent-is-clean", "in-two-parts"])
    solver = z3.Solver()
    solver.from_string(question.text)
    assert solver.check() == z3.unsat
    bits = question_of(ABOUT, [z3.BitVec("x", 64) == 1], logic=BIT_VECTORS)
    solver = z3.Solver()
    solver.from_string(bits.text)
    assert solver.check() == z3.sat
