"""Folding while an expression is built never changes what it means, and what was written stays to be seen."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.language import expressions as ex
from postcopy.language import interning
from postcopy.language.expressions import Expr
from postcopy.language.instance import Instance
from postcopy.language.variables import Sort, Variable
from tests.language.evaluator import evaluate
from tests.language.tiny import Base, Phase, protocol_of

INSTANCE = Instance(protocol_of(Base), 4, 1, group=2)
UNIVERSE = 15
NUMBERS = [INSTANCE.variable[name] for name in ("left.phase", "left.count", "left.wide")]
SETS = [INSTANCE.variable[name] for name in ("left.dirty", "left.waiting[0]", "memory.old")]


@dataclass(frozen=True)
class Pair:
    """An expression, and what it should mean: a function of the state and the page."""

    expr: Expr
    meaning: Callable[[tuple[int, ...], int], int]


def variable(v: Variable) -> Pair:
    return Pair(ex.variable(v), lambda state, page: state[INSTANCE.index[v]])


def built(make: Callable[..., Expr], mean: Callable[..., int]) -> Callable[..., Pair]:
    """Build with a constructor on the left what a plain Python function means on the right."""

    def build(*parts: Pair) -> Pair:
        expr = make(*(part.expr for part in parts))
        return Pair(expr, lambda state, page: mean(*(part.meaning(state, page) for part in parts)))

    return build


def host(bits: int) -> int:
    return sum(pair for pair in (3, 12) if pair & bits)


def every(*parts: int) -> int:
    return reduce(lambda a, b: a & b, parts, UNIVERSE)


def some(*parts: int) -> int:
    return reduce(lambda a, b: a | b, parts, 0)


Pairs = st.SearchStrategy[Pair]

leaves: dict[Sort, Pairs] = {
    Sort.NUMBER: st.one_of(
        st.integers(-1, 4).map(lambda n: Pair(ex.number(n), lambda state, page: n)),
        st.sampled_from([variable(v) for v in NUMBERS]),
    ),
    Sort.PAGES: st.sampled_from(
        [
            *(variable(v) for v in SETS),
            Pair(ex.PAGE, lambda state, page: 1 << page),
            Pair(ex.EMPTY_SET, lambda state, page: 0),
            Pair(ex.FULL_SET, lambda state, page: UNIVERSE),
        ]
    ),
    Sort.TRUTH: st.sampled_from([Pair(ex.TRUE, lambda state, page: True), Pair(ex.FALSE, lambda state, page: False)]),
}


def pairs(sort: Sort, depth: int) -> Pairs:
    if depth == 0:
        return leaves[sort]
    numbers, sets, truths = (pairs(s, depth - 1) for s in (Sort.NUMBER, Sort.PAGES, Sort.TRUTH))
    same = {Sort.NUMBER: numbers, Sort.PAGES: sets, Sort.TRUTH: truths}[sort]
    chosen: Pairs = st.builds(built(ex.choose, lambda c, a, b: a if c else b), truths, same, same)
    if sort is Sort.NUMBER:
        more: list[Pairs] = [
            st.builds(built(ex.plus, lambda a, b: a + b), numbers, numbers),
            st.builds(built(ex.number_of, int), truths),
        ]
    elif sort is Sort.PAGES:
        more = [
            st.builds(built(ex.set_complement, lambda a: UNIVERSE & ~a), sets),
            st.builds(built(ex.host_pages, host), sets),
            st.builds(lambda parts: built(ex.intersection, every)(*parts), st.lists(sets, max_size=3)),
            st.builds(lambda parts: built(ex.union, some)(*parts), st.lists(sets, max_size=3)),
        ]
    else:
        more = [
            st.builds(built(ex.negation, lambda a: not a), truths),
            st.builds(built(ex.equal, lambda a, b: a == b), numbers, numbers),
            st.builds(built(ex.less, lambda a, b: a < b), numbers, numbers),
            st.builds(built(ex.is_empty, lambda a: a == 0), sets),
            st.builds(lambda p: built(ex.conjunction, lambda *a: all(a))(*p), st.lists(truths, max_size=3)),
            st.builds(lambda p: built(ex.disjunction, lambda *a: any(a))(*p), st.lists(truths, max_size=3)),
        ]
    return st.one_of(leaves[sort], chosen, *more)


states = st.tuples(*(st.integers(0, UNIVERSE if v.sort is Sort.PAGES else v.size - 1) for v in INSTANCE.variables))


@pytest.mark.unmeasured
@settings(max_examples=300, deadline=None)
@given(st.one_of([pairs(sort, 3) for sort in (Sort.NUMBER, Sort.PAGES, Sort.TRUTH)]), states, st.integers(0, 3))
def test_what_is_built_means_what_was_written(pair: Pair, state: tuple[int, ...], page: int) -> None:
    assert evaluate(pair.expr, state, page, INSTANCE) == pair.meaning(state, page)


@settings(max_examples=100, deadline=None)
@given(st.one_of([pairs(sort, 3) for sort in (Sort.NUMBER, Sort.PAGES, Sort.TRUTH)]))
def test_a_copy_is_equal_and_constants_stay_the_same_objects(pair: Pair) -> None:
    for copied in (copy.deepcopy(pair.expr), pickle.loads(pickle.dumps(pair.expr))):
        assert copied == pair.expr
        assert hash(copied) == hash(pair.expr)
        kept = (ex.TruthConstant, ex.NoPages, ex.AllPages, ex.ActionPage)
        constants = [node for node in ex.walk(copied) if isinstance(node, kept)]
        before = [node for node in ex.walk(pair.expr) if isinstance(node, kept)]
        assert all(a is b for a, b in zip(constants, before, strict=True))
    for constant in (ex.TRUE, ex.FALSE, ex.EMPTY_SET, ex.FULL_SET, ex.PAGE):
        assert copy.deepcopy(constant) is constant
        assert pickle.loads(pickle.dumps(constant)) is constant


PHASE, COUNT = (ex.NumberVariable(INSTANCE.variable[name]) for name in ("left.phase", "left.wide"))
DIRTY, OLD = (ex.PagesVariable(INSTANCE.variable[name]) for name in ("left.dirty", "memory.old"))
BUSY = ex.equal(PHASE, ex.number(1))


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (BUSY, "(left.phase == BUSY)"),
        (ex.negation(BUSY), "not (left.phase == BUSY)"),
        (ex.less(ex.number(1), PHASE), "(BUSY < left.phase)"),
        (ex.less(PHASE, ex.number(7)), "(left.phase < 7)"),
        (ex.equal(COUNT, ex.number(0)), "(left.wide == -5)"),
        (ex.plus(COUNT, ex.number(1)), "(left.wide + 1)"),
        (ex.is_empty(ex.intersection(DIRTY, ex.PAGE)), "(left.dirty & page).empty"),
        (ex.union(DIRTY, ex.host_pages(ex.PAGE)), "(left.dirty | page.host_pages)"),
        (ex.set_complement(DIRTY), "~left.dirty"),
        (ex.choose(BUSY, DIRTY, ex.EMPTY_SET), "(left.dirty if (left.phase == BUSY) else none)"),
        (ex.conjunction(BUSY, ex.is_empty(DIRTY)), "((left.phase == BUSY) and left.dirty.empty)"),
        (ex.disjunction(BUSY, ex.is_empty(DIRTY)), "((left.phase == BUSY) or left.dirty.empty)"),
    ],
)
def test_it_is_shown_as_a_person_would_write_it(expr: Expr, text: str) -> None:
    assert repr(expr) == text


@pytest.mark.parametrize(
    ("expr", "folded"),
    [
        (ex.intersection(DIRTY, ex.set_complement(DIRTY)), ex.EMPTY_SET),
        (ex.union(DIRTY, ex.set_complement(DIRTY)), ex.FULL_SET),
        (ex.conjunction(BUSY, ex.negation(BUSY)), ex.FALSE),
        (ex.disjunction(BUSY, ex.negation(BUSY)), ex.TRUE),
        (ex.conjunction(), ex.TRUE),
        (ex.union(), ex.EMPTY_SET),
        (ex.conjunction(BUSY, BUSY), BUSY),
        (ex.is_empty(ex.host_pages(DIRTY)), ex.is_empty(DIRTY)),
        (ex.is_empty(ex.PAGE), ex.FALSE),
        (ex.equal(ex.number_of(BUSY), ex.number(1)), BUSY),
        (ex.choose(ex.negation(BUSY), DIRTY, OLD), ex.choose(BUSY, OLD, DIRTY)),
        (ex.equal(PHASE, PHASE), ex.TRUE),
        (ex.negation(ex.negation(BUSY)), BUSY),
    ],
)
def test_the_obvious_is_folded(expr: Expr, folded: Expr) -> None:
    assert expr == folded


def test_what_an_expression_depends_on() -> None:
    mixed = ex.choose(BUSY, ex.union(DIRTY, ex.PAGE), OLD)
    assert mixed.variables() == {INSTANCE.variable[n] for n in ("left.phase", "left.dirty", "memory.old")}
    assert ex.mentions_page(mixed)
    assert not ex.mentions_page(OLD)
    assert mixed.ghost
    assert not ex.union(DIRTY, ex.PAGE).ghost


def test_a_stored_number_is_decoded() -> None:
    assert INSTANCE.variable["left.phase"].decode(1) is Phase.BUSY
    assert INSTANCE.variable["left.wide"].decode(0) == -5
    assert INSTANCE.variable["left.busy"].decode(1) is True


def test_expressions_are_immutable_in_practice() -> None:
    """Equal expressions hash alike whichever way they came about."""
    one: dict[Expr, Any] = {ex.conjunction(BUSY, ex.is_empty(DIRTY)): 1}
    assert one[ex.conjunction(ex.conjunction(BUSY), ex.is_empty(DIRTY), ex.TRUE)] == 1


class Colour(IntEnum):
    RED = 1


class Size(IntEnum):
    LARGE = 1


def test_what_is_equal_is_one_object() -> None:
    """Only so may expressions and variables be compared, and looked up, as objects."""
    assert ex.conjunction(BUSY, ex.is_empty(DIRTY)) is ex.conjunction(BUSY, ex.is_empty(DIRTY))
    number, again, other = (Variable("n", "left", Sort.NUMBER, size=size) for size in (3, 3, 4))
    assert ex.variable(number) is ex.variable(again)
    assert number is again
    assert ex.variable(number) != ex.variable(other)


def test_members_of_two_enumerations_with_one_number_make_two_variables() -> None:
    """They equal each other, but a value that is decoded has to be of its own enumeration."""
    colour, size = (Variable("n", "left", Sort.NUMBER, 1, (member,)) for member in (Colour.RED, Size.LARGE))
    assert colour != size
    assert ex.variable(colour) != ex.variable(size)
    assert (colour.decode(0), size.decode(0)) == (Colour.RED, Size.LARGE)
    assert type(size.decode(0)) is Size
    red, large = (Variable("n", "left", Sort.PAGES, role=member) for member in (Colour.RED, Size.LARGE))
    assert red != large


def test_what_nobody_has_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    table = interning._Table()
    monkeypatch.setattr(interning, "_table", table)
    table.latest = deque(maxlen=1)
    made = weakref.ref(ex.plus(COUNT, ex.number(123_456)))
    kept = ex.plus(COUNT, ex.number(123_457))
    gc.collect()
    assert made() is None
    before = len(table.known)
    table.sweep()
    assert len(table.known) == before - 1
    assert ex.plus(COUNT, ex.number(123_457)) is kept
