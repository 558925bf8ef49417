"""Fair lassos in random graphs: the search finds one exactly where trying all sets of nodes does, with a stem as short,
and what it finds is one. A search that is wrong is found out by the same comparison."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
import scipy.sparse.csgraph
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.explorer.liveness import lasso
from postcopy.explorer.liveness.lasso import Answer, Fairness, Graph, Nodes, fair_lasso, fairness
from tests.explorer.naive_liveness import Case, faults_of, shortest_stem


def searched(case: Case) -> Answer:
    graph = case.graph
    initial = np.array(sorted(case.initial), dtype=np.int64)
    return fair_lasso(graph, fairness(graph, case.own), initial, case.flags(case.when), case.flags(case.then))


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
    return Case(nodes, tuple(sorted(edges)), tuple(units), draw(some), draw(some), then)


@settings(max_examples=500, deadline=None)
@given(case=cases())
def test_the_search_agrees_with_the_definition(case: Case) -> None:
    assert wrong(case) is None


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
    return Case(nodes, tuple(edges), units, pick(2), pick(4), pick(2))


SERIES = range(400)


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
        return plain(graph, Fairness(fair.own[:, 1:], fair.can_move[:, 1:]), region)

    monkeypatch.setattr(lasso, "_fair_components", mutated)
    monkeypatch.setattr(lasso, "_round", lambda *_: ())


def drops_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The components are looked for in a graph that lacks an edge."""
    plain = scipy.sparse.csgraph.connected_components

    def mutated(matrix: Any, **how: Any) -> Any:
        matrix.data[-1:] = 0
        matrix.eliminate_zeros()
        return plain(matrix, **how)

    monkeypatch.setattr(lasso, "connected_components", mutated)


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
        return plain(graph, Fairness(fair.own, can_move), region)

    monkeypatch.setattr(lasso, "_fair_components", mutated)
    monkeypatch.setattr(lasso, "_round", lambda *_: ())


def forgets_to_ask_for_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs on which nothing was ever promised count too."""
    plain = lasso._promised
    monkeypatch.setattr(lasso, "_promised", lambda graph, initial, made, kept: plain(graph, initial, ~kept, kept))


@pytest.mark.parametrize(
    "mutate",
    [
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
    assert any(map(wrong, map(drawn, SERIES)))


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


def test_a_thread_that_could_always_leave_does() -> None:
    ring = [(node, (node + 1) % 4, 0, True) for node in range(4)]
    ways_out = [(node, 4, 1, True) for node in range(4)]
    leaves = frozenset({1})
    case = Case(5, tuple(sorted(ring + ways_out)), (leaves,), frozenset({0}), frozenset({0}), frozenset({4}))
    assert searched(case) == Answer(4, None)
