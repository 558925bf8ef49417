"""Sets of pages mean what Python's sets mean, and refuse whatever would tell pages apart."""

# ruff: noqa: PLR0124

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcopy.language import ALL, NONE, PageSet
from postcopy.language.values import ConcretePages, UnsupportedOperation, Whole

PAGES, GROUP = 6, 2
EVERY = frozenset(range(PAGES))

sets = st.frozensets(st.sampled_from(sorted(EVERY)))
others = st.one_of(sets, st.sampled_from([NONE, ALL]))


def pages(members: frozenset[int]) -> ConcretePages:
    return ConcretePages(sum(1 << page for page in members), PAGES, GROUP)


def given_as(members: frozenset[int] | Whole) -> PageSet | Whole:
    return members if isinstance(members, Whole) else pages(members)


def meant(members: frozenset[int] | Whole) -> frozenset[int]:
    if isinstance(members, Whole):
        return EVERY if members is ALL else frozenset()
    return members


def members_of(value: PageSet) -> frozenset[int]:
    assert isinstance(value, ConcretePages)
    return frozenset(page for page in EVERY if value.bits >> page & 1)


@given(sets, others)
def test_operators(left: frozenset[int], right: frozenset[int] | Whole) -> None:
    a, b = pages(left), given_as(right)
    assert members_of(a & b) == left & meant(right)
    assert members_of(a | b) == left | meant(right)
    assert members_of(a - b) == left - meant(right)
    assert members_of(~a) == EVERY - left


@given(sets, st.sampled_from([NONE, ALL]))
def test_operators_with_a_fixed_set_on_the_left(right: frozenset[int], left: Whole) -> None:
    assert members_of(left & pages(right)) == meant(left) & right
    assert members_of(left | pages(right)) == meant(left) | right
    assert members_of(left - pages(right)) == meant(left) - right


@given(sets, others)
def test_questions(left: frozenset[int], right: frozenset[int] | Whole) -> None:
    a, b = pages(left), given_as(right)
    assert a.subset_of(b) == (left <= meant(right))
    assert a.same_as(b) == (left == meant(right))
    assert a.empty == (not left)
    assert a.full == (left == EVERY)


@given(sets, st.integers(0, PAGES - 1))
def test_membership(left: frozenset[int], page: int) -> None:
    assert pages(left)[pages(frozenset({page}))] == (page in left)


@given(sets)
def test_host_pages_are_whole(left: frozenset[int]) -> None:
    hosts = {page // GROUP for page in left}
    assert members_of(pages(left).host_pages) == {page for page in EVERY if page // GROUP in hosts}


@given(sets)
def test_it_is_shown_as_a_set(left: frozenset[int]) -> None:
    assert repr(pages(left)) == "{" + ", ".join(map(str, sorted(left))) + "}"


LOOPED = (
    "a set of pages cannot be looped over: write whole-bitmap operators, or an action with a page parameter and a set "
    "of the pages that are done"
)
ORDERED = "pages have no order: ask subset_of()"
COMPARED = "compare sets of pages with same_as() or subset_of()"


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (list, LOOPED),
        (sorted, LOOPED),
        (max, LOOPED),
        (len, "the pages of a set cannot be counted: ask .empty or .full"),
        (bool, "a set of pages is not a truth value: ask .empty, .full or pages[page]"),
        (int, "a page has no number: pages are interchangeable"),
        (hash, "a set of pages cannot be looked up in a Python set or dictionary"),
        (lambda a: a == a, COMPARED),
        (lambda a: a != a, COMPARED),
        (lambda a: a < a, ORDERED),
        (lambda a: a <= a, ORDERED),
        (lambda a: a > a, ORDERED),
        (lambda a: a >= a, ORDERED),
        (
            lambda a: a in a,
            "ask whether a page is in a set with pages[page], whether a set is with subset_of()",
        ),
        (
            lambda a: a.__setitem__(a, False),
            "a set of pages is not changed in place: write pages |= page or pages -= page",
        ),
        (lambda a: a | 3, "a set of pages is needed here, not 3"),
    ],
)
def test_what_would_tell_pages_apart_is_refused(misuse: Callable[[Any], object], message: str) -> None:
    with pytest.raises(UnsupportedOperation) as caught:
        misuse(pages(frozenset({1})))
    assert str(caught.value) == message
