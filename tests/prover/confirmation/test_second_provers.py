"""Each second prover, asked in this process: its answers are told apart, and whatever goes wrong is no answer."""

from __future__ import annotations

import pytest

from postcopy.prover.confirmation.second_provers import PROVERS, ask
from tests.prover.confirmation.installed import needs

EACH = pytest.mark.parametrize("prover", [pytest.param(name, marks=needs(name)) for name in PROVERS])
X = "(set-logic QF_BV)(declare-fun x () (_ BitVec 8))"


@EACH
@pytest.mark.parametrize(
    ("assertions", "result"),
    [
        ("(assert (= x (bvadd x #x01)))", "unsat"),
        ("(assert (= x #x07))(assert (= x #x08))", "unsat"),
        ("(assert (= x #x07))", "sat"),
        ("", "sat"),
    ],
)
def test_an_answer(prover: str, assertions: str, result: str) -> None:
    said = ask(prover, f"{X}{assertions}(check-sat)")
    assert (said.result, said.why) == (result, "")
    assert said.seconds > 0


@EACH
@pytest.mark.parametrize(
    "text",
    [
        "(set-logic QF_BV)(assert (no-such-function))(check-sat)",
        f"{X}(assert (= x (",
        f"{X}(assert (= x #x0001))(check-sat)",
    ],
    ids=["unknown name", "cut short", "wrong sort"],
)
def test_a_text_that_cannot_be_read_has_no_answer(prover: str, text: str) -> None:
    said = ask(prover, text)
    assert said.result == "unknown"
    assert said.why


@needs("cvc5")
def test_a_text_that_asks_nothing_has_no_answer() -> None:
    assert ask("cvc5", f"{X}(assert false)").why == "no answer"
