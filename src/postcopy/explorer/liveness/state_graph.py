"""From a finished search to its graph: every stored state is expanded once more, and its successors are looked up.

All that liveness needs of the kernel and of the drivers is here: `expand`, `canonical` and `examine` on packed
states, and the stored states in some order. `postcopy.explorer.liveness.compiled_state_graph` does the same in Numba.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.compiled import Functions
from postcopy.explorer.kernel.expression_code import STAYS
from postcopy.explorer.kernel.layout import Layout
from postcopy.explorer.liveness.lasso import Graph
from postcopy.explorer.search.interpreted import Interpreted

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
        states: the packed states, by node; uint64[nodes, words].
        found: what `examine` says of each; int64[nodes].
        initial: the nodes of the initial states.
    """

    graph: Graph
    states: npt.NDArray[np.uint64]
    found: npt.NDArray[np.int64]
    initial: npt.NDArray[np.int64]


def state_graph(exploration: Exploration, max_bytes: int) -> StateGraph:
    """Build the graph of a search that has come to its end.

    Raises:
        MemoryError: it would take more than `max_bytes`.
    """
    states = exploration.search.array()
    history, most = history_masks(exploration.layout), max_bytes // BYTES_PER_EDGE
    action_of = exploration.kernel.numbering.action_of
    search = exploration.search
    if isinstance(search, Interpreted):
        graph, found = expand_interpreted(search.stored(), history, exploration.functions, action_of, most)
    else:
        from postcopy.explorer.liveness.compiled_state_graph import expand_all
        from postcopy.explorer.search.compiled import Compiled

        assert isinstance(search, Compiled)
        graph, found = expand_all(states.view(np.int64), history, search.machine, search.question, most)
    roots = {exploration.representative(state) for state in exploration.instance.initial_states()}
    rows = [np.array(root, dtype=np.uint64) for root in sorted(roots)]
    initial = np.array([np.flatnonzero((states == row).all(axis=1))[0] for row in rows], dtype=np.int64)
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


def _leaf(successor: tuple[int, ...]) -> int:
    return successor[0] & STAYS - 1


def expand_interpreted(
    states: Sequence[tuple[int, ...]], history: list[int], functions: Functions, action_of: list[int], most: int
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """The graph, and what `examine` says of each state, in plain Python.

    Args:
        states: the packed states, closed under successors.
        history: see `history_masks`.
        functions: the kernel.
        action_of: for each leaf, the index of its action.
        most: edges that there is room for.

    Raises:
        MemoryError: there are more.
    """
    node = {state: at for at, state in enumerate(states)}
    first, target, action, moves = [0], [], [], []
    for state in states:
        for label, *after in sorted(functions.expand(*state), key=_leaf):
            if label & STAYS or tuple(after) == state:
                continue
            moves.append(any((a ^ b) & ~mask for a, b, mask in zip(state, after, history, strict=True)))
            target.append(node[functions.canonical(*after)])
            action.append(action_of[label & STAYS - 1])
        first.append(len(target))
        if len(target) > most:
            raise MemoryError
    graph = Graph(
        np.array(first, dtype=np.int64),
        np.array(target, dtype=np.int32),
        np.array(action, dtype=np.int16),
        np.array(moves, dtype=np.bool_),
    )
    return graph, np.array([functions.examine(*state) for state in states], dtype=np.int64)
