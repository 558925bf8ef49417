"""The graph of an interpreted search, which has kept its steps (`edges`), and what is found in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.liveness.history_bits import history_masks
from postcopy.explorer.liveness.lasso import Graph, Lasso, fair_lasso, fairness
from postcopy.explorer.liveness.lasso_run import Found, StoredLasso, StoredStep
from postcopy.explorer.search.edges import Edges
from postcopy.explorer.search.findings import Space
from postcopy.explorer.search.interpreted import Interpreted

BYTES_PER_EDGE = 80
"""What a graph and its analysis take, states included; measured at 4 pages and 2 messages in flight: 74. An edge is
stored in 7 bytes; most is taken while components are looked for."""


def stored_answers(
    space: Space, own: npt.NDArray[np.bool_], strong: npt.NDArray[np.bool_], asked: int, max_bytes: int
) -> Iterator[Found]:
    """What is found of each promise in the graph of an interpreted search that has kept its steps.

    Args:
        space: the search, of which each two witnesses are one promise: it is made, it is kept.
        own: for each action and unit, whether it is a step of the unit; bool[actions, units].
        strong: whether a unit is strongly fair; bool[units].
        asked: how many promises there are.
        max_bytes: what the graph may take.

    Raises:
        MemoryError: it would take more.
    """
    search = space.search
    assert isinstance(search, Interpreted)
    assert search.edges is not None
    states = search.array()
    graph, found = recorded(search.edges, states, history_masks(space.kernel.layout), max_bytes // BYTES_PER_EDGE)
    initial = np.flatnonzero(np.array(search.parents) < 0)
    fair = fairness(graph, own, strong)
    for number in range(asked):
        when, then = ((found >> bit & 1).astype(np.bool_) for bit in (2 * number, 2 * number + 1))
        answer = fair_lasso(graph, fair, initial, when, then)
        yield Found(answer.open, None if answer.lasso is None else _stored(answer.lasso, graph, states))


def _stored(lasso: Lasso[int, int], graph: Graph, states: npt.NDArray[np.uint64]) -> StoredLasso:
    """A lasso with the states themselves."""

    def words(node: int) -> Words:
        return tuple(states[node].tolist())

    def step(edge: int) -> StoredStep:
        return StoredStep(int(graph.action[edge]), words(int(graph.target[edge])), bool(graph.moves[edge]))

    return lasso.told(words, step)


def recorded(
    edges: Edges, states: npt.NDArray[np.uint64], history: list[int], most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """The graph of the steps that a search has kept, and what `examine` says of each state.

    Args:
        edges: the steps.
        states: the packed states; uint64[states, words].
        history: see `history_masks`.
        most: edges that there is room for.

    Raises:
        MemoryError: there are more.
    """
    if len(edges.origin) > most:
        raise MemoryError
    origin = np.array(edges.origin, dtype=np.int64)
    after = np.array(edges.after, dtype=np.uint64).reshape(len(origin), states.shape[1])
    differs = (states[origin] ^ after) & ~np.array(history, dtype=np.uint64)
    moves = (differs != 0).any(axis=1)
    order = np.argsort(origin, kind="stable")
    first = np.zeros(len(states) + 1, dtype=np.int64)
    np.cumsum(np.bincount(origin, minlength=len(states)), out=first[1:])
    graph = Graph(
        first,
        np.array(edges.target, dtype=np.int32)[order],
        np.array(edges.action, dtype=np.int16)[order],
        moves[order],
    )
    return graph, np.array(edges.found, dtype=np.int64)
