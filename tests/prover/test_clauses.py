"""Taking a truth value apart changes nothing: the parts together mean what it means."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr, TruthNode
from postcopy.language.variables import Sort
from postcopy.prover.clauses import parts_of
from tests.language.evaluator import evaluate
from tests.language.test_expressions import INSTANCE, Pair, pairs, states


def truth(pair: Pair) -> TruthExpr:
    assert isinstance(pair.expr, TruthNode)
    return pair.expr


@settings(max_examples=400, deadline=None)
@given(pairs(Sort.TRUTH, 3), states, st.integers(0, 3))
def test_the_parts_together_mean_the_whole(pair: Pair, state: tuple[int, ...], page: int) -> None:
    parts = [bool(evaluate(part, state, page, INSTANCE)) for part in parts_of(truth(pair))]
    assert all(parts) == bool(pair.meaning(state, page))


@settings(max_examples=200, deadline=None)
@given(*[pairs(Sort.TRUTH, 1)] * 3, states)
def test_an_if_is_taken_apart_by_its_condition(condition: Pair, yes: Pair, no: Pair, state: tuple[int, ...]) -> None:
    c = truth(condition)
    whole = ex.disjunction(ex.conjunction(c, truth(yes)), ex.conjunction(ex.negation(c), truth(no)))
    parts = [bool(evaluate(part, state, 0, INSTANCE)) for part in parts_of(whole)]
    assert all(parts) == bool(evaluate(whole, state, 0, INSTANCE))
