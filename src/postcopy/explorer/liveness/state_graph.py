"""The graph of a finished search: its states, and the steps between them.

An interpreted search has kept its steps (`edges`). A compiled one has not: every stored state is expanded once more,
and its successors are looked up (`compiled_state_graph`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.layout import Layout
from postcopy.explorer.liveness.lasso import Graph
from postcopy.explorer.search.edges import Edges
from postcopy.explorer.search.findings import Space
from postcopy.explorer.search.interpreted import Interpreted

BYTES_PER_EDGE = 80
"""What a graph and its analysis take, states included; measured at 4 pages and 2 messages in flight: 74. An edge is
stored in 7 bytes; most is taken while components are looked for."""


@dataclass(frozen=True)
class StateGraph:
    """The graph of a search.

    Attributes:
        graph: its edges, labelled with action numbers; those that change nothing at all are left out.
        states: the packed states, by node; uint64[nodes, words].
        found: what `examine` says of each; int64[nodes].
        initial: the nodes of the initial states.
    """

    graph: Graph
    states: npt.NDArray[np.uint64]
    found: npt.NDArray[np.int64]
    initial: npt.NDArray[np.int64]


def state_graph(space: Space, max_bytes: int) -> StateGraph:
    """Build the graph of a search that has come to its end; an interpreted one has to have kept its steps.

    Raises:
        MemoryError: it would take more than `max_bytes`.
    """
    kernel, search = space.kernel, space.search
    states, history, most = search.array(), history_masks(kernel.layout), max_bytes // BYTES_PER_EDGE
    if isinstance(search, Interpreted):
        assert search.edges is not None
        graph, found = recorded(search.edges, states, history, most)
    else:
        from postcopy.explorer.liveness.compiled_state_graph import expand_all
        from postcopy.explorer.search.compiled import Compiled

        assert isinstance(search, Compiled)
        graph, found = expand_all(states.view(np.int64), history, search.machine, kernel.labels.action_of, most)
    roots = {kernel.representative(state) for state in kernel.instance.initial_states()}
    rows = [np.array(root, dtype=np.uint64) for root in sorted(roots)]
    initial = np.array([np.flatnonzero((states == row).all(axis=1))[0] for row in rows], dtype=np.int64)
    return StateGraph(graph, states, found, initial)


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


def history_masks(layout: Layout) -> list[int]:
    """For each word of a state, the bits of history: what no thread knows."""
    masks = [0] * layout.words
    for variable, place in layout.numbers.items():
        if variable.ghost:
            masks[place.word] |= place.mask << place.shift
    for offset, variable in enumerate(layout.sets):
        if variable.ghost:
            for word in range(layout.page_words):
                masks[word] |= layout.stride(word) << offset
    return masks
