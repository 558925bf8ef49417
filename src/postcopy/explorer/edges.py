"""From a finished search to its graph: every stored state is expanded once more, and its successors are looked up.

All that liveness needs of the kernel and of the drivers is here: `expand`, `canonical` and `examine` on packed
states, and the stored states in some order. `postcopy.explorer.edges_fast` does the same in Numba.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from postcopy.explorer.codegen import STAYS
from postcopy.explorer.compiled import Functions, compile_kernel, interpret
from postcopy.explorer.lasso import Graph
from postcopy.explorer.layout import Layout
from postcopy.explorer.search import MAX_SUCCESSORS

if TYPE_CHECKING:
    from postcopy.explorer.explore import Exploration

BYTES_PER_EDGE = 80
"""What a graph and its analysis take, states included; measured at 4 pages and 2 messages in flight: 74. An edge is
stored in 7 bytes; most is taken while components are looked for."""


@dataclass(frozen=True)
class StateGraph:
    """The graph of a search.

    Attributes:
        graph: its edges, labelled with action numbers; those that change nothing at all are left out.
        states: the packed states, by node; int64[nodes, words].
        found: what `examine` says of each; int64[nodes].
        initial: the nodes of the initial states.
    """

    graph: Graph
    states: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]
    initial: npt.NDArray[np.int64]


def state_graph(exploration: Exploration, max_bytes: int) -> StateGraph:
    """Build the graph of a search that has come to its end.

    Raises:
        MemoryError: it would take more than `max_bytes`.
    """
    states = np.array(exploration.stored(), dtype=np.int64).reshape(-1, exploration.layout.words)
    history = history_masks(exploration.layout)
    if exploration.engine == "compiled":
        from postcopy.explorer.edges_fast import expand_all

        graph, found = expand_all(states, history, compile_kernel(exploration.kernel), max_bytes // BYTES_PER_EDGE)
    else:
        functions = interpret(exploration.kernel)
        graph, found = expand_interpreted(exploration.stored(), history, functions, max_bytes // BYTES_PER_EDGE)
    roots = {exploration.representative(state) for state in exploration.instance.initial_states()}
    initial = np.array([np.flatnonzero((states == root).all(axis=1))[0] for root in sorted(roots)], dtype=np.int64)
    return StateGraph(graph, states, found, initial)


def history_masks(layout: Layout) -> list[int]:
    """For each word of a state, the bits that only an observer knows."""
    masks = [0] * layout.words
    for variable, place in layout.numbers.items():
        if variable.ghost:
            masks[place.word] |= place.mask << place.shift
    for offset, variable in enumerate(layout.sets):
        if variable.ghost:
            for word in range(layout.page_words):
                masks[word] |= layout.stride(word) << offset
    return masks


def expand_interpreted(
    states: Sequence[tuple[int, ...]], history: list[int], functions: Functions, most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """The graph, and what `examine` says of each state, in plain Python.

    Args:
        states: the packed states, closed under successors.
        history: see `history_masks`.
        functions: the kernel.
        most: edges that there is room for.

    Raises:
        MemoryError: there are more.
    """
    words = len(history)
    size = words + 1
    node = {state: at for at, state in enumerate(states)}
    out = [0] * MAX_SUCCESSORS * size
    first, target, action, moves = [0], [], [], []
    for state in states:
        for to in range(0, functions.expand(state, 0, out, 0) * size, size):
            label = out[to + words]
            after = out[to : to + words]
            if label & STAYS or tuple(after) == state:
                continue
            moves.append(any((a ^ b) & ~mask for a, b, mask in zip(state, after, history, strict=True)))
            functions.canonical(out, to)
            target.append(node[tuple(out[to : to + words])])
            action.append(label & STAYS - 1)
        first.append(len(target))
        if len(target) > most:
            raise MemoryError
    graph = Graph(
        np.array(first, dtype=np.int64),
        np.array(target, dtype=np.int32),
        np.array(action, dtype=np.int16),
        np.array(moves, dtype=np.bool_),
    )
    return graph, np.array([functions.examine(state, 0) for state in states], dtype=np.int64)
