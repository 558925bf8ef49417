"""What is known on a path makes conditions simpler, and no state can tell the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postcopy.explorer.kernel import path_facts
from postcopy.explorer.kernel.path_facts import Facts, simplified
from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr, PagesExpr, TruthExpr, TruthNode
from postcopy.language.instance import Instance, State
from postcopy.language.trees import Branch, Leaf, leaves
from postcopy.language.variables import Sort, Variable
from tests.language.evaluator import evaluate

NUMBERS = tuple(Variable(name, "machine", Sort.NUMBER, size) for name, size in (("a", 2), ("b", 3)))
SETS = tuple(Variable(name, "machine", Sort.PAGES) for name in ("s", "t"))
A, B = (ex.as_number(ex.variable(v)) for v in NUMBERS)
S, T = (ex.as_pages(ex.variable(v)) for v in SETS)


def places(pages: int) -> Instance:
    """All that the meaning of an expression needs of a size."""
    index = {variable: at for at, variable in enumerate((*NUMBERS, *SETS))}
    return cast(Instance, SimpleNamespace(pages=pages, group=1, index=index))


def states(pages: int) -> Iterator[tuple[State, int]]:
    """All states, with all pages of an action."""
    sets = range(1 << pages)
    for *state, page in product(range(2), range(3), sets, sets, range(pages)):
        yield tuple(state), page


def sets_of(truths: st.SearchStrategy[TruthExpr]) -> st.SearchStrategy[PagesExpr]:
    return st.recursive(
        st.sampled_from([S, T, ex.PAGE, ex.FULL_SET, ex.EMPTY_SET]),
        lambda sets: st.one_of(
            st.builds(ex.set_complement, sets),
            st.builds(ex.intersection, sets, sets, sets),
            st.builds(ex.union, sets, sets, sets),
            st.builds(ex.neighbours, sets, st.booleans()),
            st.builds(ex.choose, truths, sets, sets),
        ),
        max_leaves=5,
    )


def truths_over(truths: st.SearchStrategy[TruthExpr]) -> st.SearchStrategy[TruthExpr]:
    small = st.integers(0, 2).map(ex.number)
    numbers = st.one_of(st.sampled_from([A, B]), small, st.builds(ex.choose, truths, st.just(A), small))
    return st.one_of(
        st.builds(ex.equal, numbers, numbers),
        st.builds(ex.less, numbers, numbers),
        st.builds(ex.is_empty, sets_of(truths)),
        st.builds(ex.negation, truths),
        st.builds(ex.conjunction, truths, truths, truths),
        st.builds(ex.disjunction, truths, truths, truths),
    )


TRUTHS = st.recursive(st.sampled_from([ex.equal(A, ex.number(1)), ex.is_empty(S)]), truths_over, max_leaves=8)
KNOWN = st.lists(st.tuples(TRUTHS, st.booleans()), max_size=3)


def simple_where(pages: int, known: list[tuple[TruthExpr, bool]], e: Expr) -> Expr:
    facts = Facts(pages == 1).knowing(known)
    if isinstance(e, TruthNode):
        return facts(e)
    return facts(cast(PagesExpr, e))


def assert_same(pages: int, known: list[tuple[TruthExpr, bool]], e: Expr) -> None:
    """Where all that is known holds, an expression has the value that it has as simple as that makes it."""
    simple, size = simple_where(pages, known, e), places(pages)
    for at in states(pages):
        if all(evaluate(condition, *at, size) == holds for condition, holds in known):
            assert evaluate(e, *at, size) == evaluate(simple, *at, size), (known, e, simple, at)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 2), KNOWN, st.one_of(TRUTHS, sets_of(TRUTHS)))
@example(2, [(ex.is_empty(ex.intersection(ex.PAGE, S)), False)], ex.is_empty(S))
@example(2, [(ex.is_empty(S), False)], ex.is_empty(ex.set_complement(S)))
@example(1, [(ex.less(ex.number(1), B), False)], ex.equal(B, ex.number(2)))
def test_no_state_on_the_path_can_tell(pages: int, known: list[tuple[TruthExpr, bool]], e: Expr) -> None:
    assert_same(pages, known, e)


Known = list[tuple[TruthExpr, bool]]

SIMPLE: tuple[tuple[Known, Expr, Expr], ...] = (
    # what is known, an expression, and what is left of it
    ([(ex.equal(B, ex.number(2)), True)], ex.equal(B, ex.number(1)), ex.FALSE),
    ([(ex.equal(B, ex.number(0)), False)], ex.less(ex.number(0), B), ex.TRUE),
    ([(ex.less(B, ex.number(2)), False)], ex.equal(B, ex.number(2)), ex.TRUE),
    ([(ex.is_empty(S), True)], ex.union(S, T), T),
    ([(ex.disjunction(ex.is_empty(S), ex.is_empty(T)), False)], ex.is_empty(T), ex.FALSE),
    ([], ex.conjunction(ex.less(A, B), ex.disjunction(ex.negation(ex.less(A, B)), ex.is_empty(S))),
     ex.conjunction(ex.less(A, B), ex.is_empty(S))),
    ([], ex.intersection(ex.union(S, T), ex.set_complement(S), ex.set_complement(T)), ex.EMPTY_SET),
)  # fmt: skip


@pytest.mark.parametrize(("known", "e", "left"), SIMPLE, ids=[str(e) for _, e, _ in SIMPLE])
def test_what_is_known_makes_simpler(known: list[tuple[TruthExpr, bool]], e: Expr, left: Expr) -> None:
    assert simple_where(2, known, e) is left
    assert_same(2, known, e)


def wrong_keep(self: Facts, variable: Variable, values: int, holds: bool) -> None:
    self._values[variable] = values  # as if whatever is asked held


def wrong_page(e: PagesExpr, known: object) -> PagesExpr:
    return ex.EMPTY_SET if isinstance(e, ex.Intersection) else e


FAULTS: tuple[tuple[object, str, Callable[..., object], Known, Expr], ...] = (
    (Facts, "_keep", wrong_keep, [(ex.equal(B, ex.number(2)), False)], ex.equal(B, ex.number(2))),
    (path_facts, "_in_each_page", wrong_page, [], ex.is_empty(ex.intersection(S, T))),
)


@pytest.mark.parametrize(("where", "name", "fault", "known", "e"), FAULTS, ids=[name for _, name, *_ in FAULTS])
def test_a_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    fault: Callable[..., object],
    known: list[tuple[TruthExpr, bool]],
    e: Expr,
) -> None:
    monkeypatch.setattr(where, name, fault)
    with pytest.raises(AssertionError):
        assert_same(2, known, e)


def test_one_page_is_in_each_set_that_is_not_empty_and_of_two_it_is_not() -> None:
    known = [(ex.is_empty(S), False)]
    assert Facts(one_page=True).knowing(known)(S) is ex.FULL_SET
    assert Facts(one_page=False).knowing(known)(S) is S


def test_a_tree_keeps_the_leaves_that_are_reached_and_says_which_they_were() -> None:
    two, check = ex.number(2), (ex.is_empty(T), "no page is in t", "here")
    reached = Leaf({NUMBERS[1]: two, SETS[0]: ex.intersection(S, T)}, (), ((3, ex.equal(B, two)),), (check,))
    other = Leaf({NUMBERS[0]: A}, (), ((3, ex.equal(B, two)),), ())
    tree = Branch(ex.equal(B, two), Branch(ex.less(B, two), other, reached), other)
    simple, originals = simplified(tree, Facts(one_page=False).knowing([(ex.is_empty(S), True)]))
    yes, no = leaves(simple)
    assert isinstance(simple, Branch)
    assert simple.condition is tree.condition
    assert [originals[id(leaf)] for leaf in (yes, no)] == [reached, other]
    assert (yes.updates, yes.violated, yes.checks) == ({}, ((3, ex.TRUE),), (check,))  # both have their value already
    assert (no.updates, no.violated) == ({}, ())


def test_a_number_with_many_values_is_not_followed() -> None:
    """It would take as many bits as it has values."""
    large = Variable("large", "machine", Sort.NUMBER, 1 << 62)
    condition = ex.less(ex.as_number(ex.variable(large)), ex.number(1 << 61))
    facts = Facts(one_page=False).knowing([(condition, True)])
    assert facts(condition) is ex.TRUE
    other = ex.equal(ex.as_number(ex.variable(large)), ex.number(3))
    assert facts(other) is other
