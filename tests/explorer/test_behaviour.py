"""Trace inclusion: on small graphs the same as comparing all behaviours one by one, and its run is a shortest one."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postcopy.explorer.behaviour import Behaviour, Observation, behaviour, included
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language.concrete import Transition
from postcopy.language.instance import Instance, State
from postcopy.model.postcopy import Postcopy

Graph = list[tuple[int, Observation, int]]
LETTERS: list[Observation] = [(), ("a",), ("b",)]
LENGTH = 5


def graph(edges: Graph, states: int, complete: bool = True) -> Behaviour:
    steps: list[list[tuple[Observation, int, str]]] = [[] for _ in range(states)]
    for one, seen, other in edges:
        steps[one].append((seen, other, f"{one} to {other}"))
    return Behaviour((0,), tuple(map(tuple, steps)), states if complete else states - 1)


def can(of: Behaviour, word: tuple[Observation, ...]) -> bool:
    """Whether it has a run on which just this is seen."""

    def closed(states: set[int]) -> set[int]:
        todo = list(states)
        while todo:
            for seen, after, _ in of.steps[todo.pop()]:
                if not seen and after not in states:
                    states.add(after)
                    todo.append(after)
        return states

    at = closed(set(of.initial))
    for letter in word:
        at = closed({after for state in at for seen, after, _ in of.steps[state] if seen == letter})
    return bool(at)


@st.composite
def graphs(draw: st.DrawFn) -> Behaviour:
    states = draw(st.integers(1, 4))
    number = st.integers(0, states - 1)
    return graph(draw(st.lists(st.tuples(number, st.sampled_from(LETTERS), number), max_size=8)), states)


BOTH = graph([(0, ("a",), 0), (0, ("b",), 0)], 1)
ENDS = graph([(0, ("a",), 0), (0, ("a",), 1), (1, ("b",), 1)], 2)
LATER = graph([(0, ("a",), 0), (0, ("a",), 1), (0, (), 2), (1, ("b",), 1), (2, ("b",), 3)], 4)
SPLIT = graph([(0, ("a",), 1), (0, ("a",), 2), (1, ("a",), 1), (2, ("b",), 0), (2, ("b",), 2)], 3)


@pytest.mark.unmeasured
@settings(max_examples=1000)
@given(graphs(), graphs())
@example(BOTH, ENDS)  # a search that drops pairs with larger sets (antichains) loses the difference a, b, a
@example(BOTH, LATER)
@example(BOTH, SPLIT)
@example(LATER, ENDS)
@example(SPLIT, ENDS)
def test_inclusion_is_what_comparing_all_behaviours_says(one: Behaviour, other: Behaviour) -> None:
    found = included(one, other, 10_000)
    assert found.decided
    words = [word for length in range(1, LENGTH + 1) for word in product(LETTERS[1:], repeat=length)]
    lacking = [word for word in words if can(one, word) and not can(other, word)]
    if found.difference is None:
        assert not lacking
    else:
        for difference in found.differences:
            seen = tuple(letter for _, letter in difference.run if letter)
            assert can(one, seen)
            assert not can(other, seen)
            assert can(other, seen[:-1])
        lasts = [difference.run[-1][1] for difference in found.differences]
        assert len(set(lasts)) == len(lasts)
        assert {word[-1] for word in lacking if can(other, word[:-1])} <= set(lasts)


def test_each_kind_of_difference_is_listed_with_a_shortest_one() -> None:
    found = included(BOTH, ENDS, 100)
    assert [tuple(seen for _, seen in each.run) for each in found.differences] == [
        (("b",),),
        (("a",), ("b",), ("a",)),
    ]
    assert len(included(BOTH, ENDS, 100, kind=lambda seen: len(seen)).differences) == 1


def test_a_difference_that_was_found_is_kept_when_the_search_is_given_up() -> None:
    assert included(BOTH, ENDS, 1).difference is not None
    assert not included(BOTH, ENDS, 1).decided


def test_the_run_is_a_shortest_one() -> None:
    long: Graph = [(0, ("a",), 1), (1, ("a",), 2), (2, ("b",), 3), (0, (), 4), (4, ("b",), 5)]
    found = included(graph(long, 6), graph([(0, ("a",), 0)], 1), 100)
    assert found.difference is not None
    assert found.difference.run == (("0 to 4", ()), ("4 to 5", ("b",)))


def test_hidden_steps_alone_make_no_difference() -> None:
    slow = graph([(0, (), 1), (1, ("a",), 2)], 3)
    fast = graph([(0, ("a",), 1)], 2)
    assert included(slow, fast, 100).difference is None
    assert included(fast, slow, 100).difference is None


def test_a_choice_that_is_made_earlier_is_the_same_behaviour() -> None:
    """Trace inclusion, and not simulation."""
    late = graph([(0, ("a",), 1), (1, ("a",), 2), (1, ("b",), 3)], 4)
    early = graph([(0, ("a",), 1), (0, ("a",), 2), (1, ("a",), 3), (2, ("b",), 4)], 5)
    assert included(late, early, 100).difference is None


def test_what_was_given_up_or_is_not_all_there_is_not_decided() -> None:
    loop = graph([(0, ("a",), 0)], 1)
    assert not included(loop, loop, 0).decided
    assert not included(graph([(0, ("a",), 0)], 1, complete=False), loop, 100).decided
    instance = Instance(Postcopy, 1, 1)
    some = behaviour(instance, lambda _, step: (step.action.name,), 50)
    assert not some.complete


def test_nothing_is_said_of_what_a_protocol_cannot_do_whose_steps_are_not_known() -> None:
    cut = graph([(0, ("a",), 1)], 2, complete=False)  # the steps of state 1 are not known
    both = graph([(0, ("a",), 1), (1, ("b",), 1), (0, ("c",), 1)], 2)
    found = included(both, cut, 100)
    assert [each.run[-1][1] for each in found.differences] == [("c",)]
    assert not found.decided
    instance = Instance(Postcopy, 1, 1)
    some, whole = (behaviour(instance, lambda _, step: (step.action.name,), limit) for limit in (500, 5_000))
    assert included(whole, some, 100_000).differences == ()


def test_all_states_and_steps_of_the_protocol_are_there() -> None:
    def which(_: State, step: Transition) -> Observation:
        return (step.action.name,)

    instance = Instance(Postcopy, 1, 1)
    whole = behaviour(instance, which, 5_000)
    searched = explore(instance, Options(engine=Engine.INTERPRETED))
    assert whole.complete
    assert whole.states == searched.states == 2_304
    assert sum(len(steps) for steps in whole.steps) == searched.transitions
