"""Fair lassos in random graphs: the search finds one exactly where trying all sets of nodes does, with a stem as short,
and what it finds is one. A search that is wrong is found out by the same comparison."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postcopy.explorer.liveness import lasso
from postcopy.explorer.liveness.components import components
from postcopy.explorer.liveness.lasso import Answer, Fairness, Graph, Nodes, fair_lasso, fairness
from tests.explorer.naive_liveness import Case, faults_of, shortest_stem


def searched(case: Case) -> Answer[int, int]:
    graph = case.graph
    initial = np.array(sorted(case.initial), dtype=np.int64)
    return fair_lasso(
        graph, fairness(graph, case.own, case.strongly), initial, case.flags(case.when), case.flags(case.then)
    )


def wrong(case: Case) -> str | None:
    """How the search and the definition differ, or None."""
    expected, found = shortest_stem(case), searched(case).lasso
    if (found is None) != (expected is None):
        return "a lasso is missed" if found is None else "there is no lasso"
    if found is not None and len(found.stem) != expected:
        return "the stem is not shortest"
    return next(faults_of(case, found), None) if found is not None else None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    nodes = draw(st.integers(1, 6))
    node, some = st.integers(0, nodes - 1), st.frozensets(st.integers(0, nodes - 1))
    edges = draw(st.lists(st.tuples(node, node, st.integers(0, 3), st.sampled_from([True, True, False])), max_size=16))
    units = draw(st.lists(st.frozensets(st.integers(0, 3), max_size=3), max_size=3))
    then = draw(st.frozensets(node, max_size=2))
    strong = draw(st.frozensets(st.integers(0, 2), max_size=2))
    return Case(nodes, tuple(sorted(edges)), tuple(units), draw(some), draw(some), then, strong)


@settings(max_examples=500, deadline=None)
@given(case=cases())
def test_the_search_agrees_with_the_definition(case: Case) -> None:
    assert wrong(case) is None


GRAPHS = st.integers(1, 7).flatmap(
    lambda nodes: st.lists(st.lists(st.integers(0, nodes - 1), max_size=5), min_size=nodes, max_size=nodes)
)
"""For each node where its edges lead; an edge may be there twice."""


def together(count: int, component: Nodes) -> set[frozenset[int]]:
    """Components as sets of nodes."""
    assert sorted(set(component.tolist())) == list(range(count))
    return {frozenset(np.flatnonzero(component == number).tolist()) for number in range(count)}


def reached(edges: list[list[int]], start: int) -> set[int]:
    seen, ahead = {start}, [start]
    while ahead:
        fresh = set(edges[ahead.pop()]) - seen
        seen |= fresh
        ahead += fresh
    return seen


@settings(max_examples=300, deadline=None)
@given(edges=GRAPHS)
@example(edges=[[1, 1], [2], [0, 3], [3]])
def test_components_are_the_nodes_that_reach_each_other(edges: list[list[int]]) -> None:
    from_each = [reached(edges, node) for node in range(len(edges))]
    expected = {frozenset(b for b in from_each[a] if a in from_each[b]) for a in range(len(edges))}
    first = np.cumsum([0, *map(len, edges)])
    target = np.array([node for each in edges for node in each], dtype=np.int64)
    assert together(*components(first, target)) == expected


def drawn(seed: int) -> Case:
    """A case of a fixed series, for mutations: they have to be found again each time."""
    random = Random(seed)
    nodes = random.randint(1, 6)

    def pick(most: int) -> frozenset[int]:
        return frozenset(random.choices(range(nodes), k=random.randint(0, most)))

    edges = sorted(
        (random.randrange(nodes), random.randrange(nodes), random.randrange(4), random.random() < 0.8)
        for _ in range(random.randint(0, 14))
    )
    units = tuple(frozenset(random.sample(range(4), random.randint(1, 2))) for _ in range(random.randint(0, 3)))
    strong = frozenset({seed % 3} if seed % 2 else ())
    return Case(nodes, tuple(edges), units, pick(2), pick(4), pick(2), strong)


SERIES = range(400)

LEAVES = frozenset({1})
NESTED = Case(
    4,
    ((0, 1, 0, True), (1, 0, 0, True), (1, 2, 0, True), (2, 1, 0, True), (2, 3, 1, True)),
    (LEAVES,),
    frozenset({2}),
    frozenset({2}),
    frozenset({3}),
    frozenset({0}),
)
"""Three nodes to and fro. A strongly fair unit could leave the last one, so that a run has to keep to the other two."""


def test_the_series_has_lassos_of_all_kinds_and_cases_without() -> None:
    found = [searched(case).lasso for case in map(drawn, SERIES)]
    assert sum(run is None for run in found) > 50
    assert sum(run is not None and not run.loop for run in found) > 50
    assert sum(run is not None and len(run.loop) > 1 for run in found) > 10
    assert not any(map(wrong, map(drawn, SERIES)))


def neglects_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fairness of one thread is ignored."""
    plain = lasso._fair_components

    def mutated(graph: Graph, fair: Fairness, region: Nodes) -> Any:
        return plain(graph, Fairness(fair.own[:, 1:], fair.can_move[:, 1:], fair.strong[1:]), region)

    monkeypatch.setattr(lasso, "_fair_components", mutated)
    monkeypatch.setattr(lasso, "_round", lambda *_: ())


def drops_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The components are looked for in a graph that lacks an edge."""

    def mutated(first: Nodes, target: Nodes) -> tuple[int, Nodes]:
        return components(np.minimum(first, max(len(target) - 1, 0)), target[:-1])

    monkeypatch.setattr(lasso, "components", mutated)


def counts_steps_that_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that spins in place is taken to have acted."""
    plain = lasso._fair_components

    def mutated(graph: Graph, fair: Fairness, region: Nodes) -> Any:
        return plain(Graph(graph.first, graph.target, graph.action, np.ones_like(graph.moves)), fair, region)

    monkeypatch.setattr(lasso, "_fair_components", mutated)
    monkeypatch.setattr(lasso, "_round", lambda *_: ())


def sees_no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that keeps the promise does not count as possible."""
    plain = lasso._fair_components

    def mutated(graph: Graph, fair: Fairness, region: Nodes) -> Any:
        can_move = fair.can_move.copy()
        outside = np.ones(len(graph.first) - 1, dtype=np.bool_)
        outside[region] = False
        for node in region:
            edges, _ = graph.edges_from(np.array([node]))
            if outside[graph.target[edges]].any():
                can_move[node] = False
        return plain(graph, Fairness(fair.own, can_move, fair.strong), region)

    monkeypatch.setattr(lasso, "_fair_components", mutated)
    monkeypatch.setattr(lasso, "_round", lambda *_: ())


def forgets_to_ask_for_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs on which nothing was ever promised count too."""
    plain = lasso._promised
    monkeypatch.setattr(lasso, "_promised", lambda graph, initial, made, kept: plain(graph, initial, ~kept, kept))


def takes_strong_fairness_for_weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that is strongly fair is excused where it cannot move at times."""
    plain = lasso._fair_components

    def mutated(graph: Graph, fair: Fairness, region: Nodes) -> Any:
        return plain(graph, Fairness(fair.own, fair.can_move, np.zeros_like(fair.strong)), region)

    monkeypatch.setattr(lasso, "_fair_components", mutated)
    monkeypatch.setattr(lasso, "_round", lambda *_: ())


def takes_out_whole_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """A component in which a strongly fair unit is neglected is given up, and nothing is looked for inside of it."""
    plain = lasso._components

    def given_up(graph: Graph, fair: Fairness, region: Nodes) -> Any:
        component, own_steps = plain(graph, fair, region)
        neglected = (fair.can_move[region] & fair.strong & ~own_steps[component]).any(axis=1)
        return whole(graph, fair, region[~np.isin(component, component[neglected])])

    whole = lasso._fair_components
    monkeypatch.setattr(lasso, "_fair_components", given_up)


@pytest.mark.parametrize(
    "mutate",
    [
        takes_strong_fairness_for_weak,
        takes_out_whole_components,
        neglects_a_unit,
        drops_an_edge,
        counts_steps_that_change_nothing,
        sees_no_way_out,
        forgets_to_ask_for_the_promise,
    ],
)
def test_a_search_that_is_wrong_is_found_out(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    assert any(map(wrong, [*map(drawn, SERIES), NESTED]))


def test_a_loop_goes_to_every_place_that_fairness_asks_for() -> None:
    """Round a ring of four; a thread could leave it everywhere but at its far end."""
    ring = [(node, (node + 1) % 4, 0, True) for node in range(4)]
    ways_out = [(node, 4, 1, True) for node in (0, 1, 3)]
    leaves = frozenset({1})
    case = Case(5, tuple(sorted(ring + ways_out)), (leaves,), frozenset({0}), frozenset({0}), frozenset({4}))
    found = searched(case)
    assert found.lasso is not None
    assert [case.edges[edge][:2] for edge in found.lasso.loop] == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert found.open == 4


def test_a_run_keeps_away_from_where_a_strongly_fair_unit_could_leave() -> None:
    found = searched(NESTED).lasso
    assert found is not None
    assert [NESTED.edges[edge][:2] for edge in found.stem] == [(2, 1)]
    assert [NESTED.edges[edge][:2] for edge in found.loop] == []


def test_a_strongly_fair_unit_leaves_a_ring_that_a_weakly_fair_one_may_stay_in() -> None:
    ring = [(node, (node + 1) % 4, 0, True) for node in range(4)]
    edges = tuple(sorted([*ring, (3, 4, 1, True)]))
    weak = Case(5, edges, (LEAVES,), frozenset({0}), frozenset({0}), frozenset({4}))
    mover = (LEAVES, frozenset({0}))
    strong = Case(5, edges, mover, frozenset({0}), frozenset({0}), frozenset({4}), frozenset({0}))
    assert searched(weak).lasso is not None
    assert searched(strong) == Answer(4, None)


def test_a_thread_that_could_always_leave_does() -> None:
    ring = [(node, (node + 1) % 4, 0, True) for node in range(4)]
    ways_out = [(node, 4, 1, True) for node in range(4)]
    leaves = frozenset({1})
    case = Case(5, tuple(sorted(ring + ways_out)), (leaves,), frozenset({0}), frozenset({0}), frozenset({4}))
    assert searched(case) == Answer(4, None)
