"""Trace inclusion: on small graphs the same as comparing all behaviours one by one, and its run is a shortest one."""

from __future__ import annotations

from itertools import product

from hypothesis import given
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
    return Behaviour((0,), tuple(map(tuple, steps)), complete)


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


@given(graphs(), graphs())
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


def test_the_run_is_a_shortest_one() -> None:
    long = [(0, ("a",), 1), (1, ("a",), 2), (2, ("b",), 3), (0, (), 4), (4, ("b",), 5)]
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


def test_all_states_and_steps_of_the_protocol_are_there() -> None:
    def which(_: State, step: Transition) -> Observation:
        return (step.action.name,)

    instance = Instance(Postcopy, 1, 1)
    whole = behaviour(instance, which, 5_000)
    searched = explore(instance, Options(engine=Engine.INTERPRETED))
    assert whole.complete
    assert whole.states == searched.states == 2_304
    assert sum(len(steps) for steps in whole.steps) == searched.transitions
