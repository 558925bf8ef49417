"""All steps between given states, by machine code: what an interpreted search has kept is held against them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.liveness.lasso import Graph
from postcopy.explorer.liveness.recomputed import recomputed
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.records import Store
from postcopy.explorer.search.worker import lines


def compiled_edges(
    machine: Machine, states: npt.NDArray[np.int64], history: list[int], action_of: list[int]
) -> tuple[Graph, npt.NDArray[np.int64]]:
    """The graph, and what `examine` says of each state.

    Args:
        machine: what the states are expanded with.
        states: the packed states, closed under successors; int64[states, words].
        history: see `history_masks`.
        action_of: for each leaf, the index of its action.
    """
    code, loop = machine
    bits = np.uint64((2 * len(states)).bit_length() + 4)
    table = lines(4 << int(bits)).view(np.uint32)
    loop.fill(table, bits, states, 0, len(states), True)
    parents = np.full(len(states), -1, dtype=np.int32)
    shared = np.zeros(16, dtype=np.int64)
    own = np.zeros((max(action_of) + 1, 1), dtype=np.bool_)
    graph = recomputed(machine, Store(states, parents, table, bits, shared), history, own, action_of, own[0], 0)
    parts: list[tuple[Any, ...]] = []
    for begin in range(0, len(states), BLOCK):
        some = np.arange(begin, min(begin + BLOCK, len(states)))
        count, space = graph.expand(some), graph.space
        action = np.array(action_of, dtype=np.int16)[space.leaf[:count]]
        order = np.argsort(space.origin[:count], kind="stable")
        steps = (begin + space.origin[:count], space.target[:count], action, space.moves[:count] != 0)
        parts.append(tuple(part[order] for part in steps))
    origin, target, action, moves = (np.concatenate(part) for part in zip(*parts, strict=True))
    first = np.searchsorted(origin, np.arange(len(states) + 1)).astype(np.int64)
    found = np.zeros(len(states), dtype=np.int64)
    loop.examine(code.addresses, states, np.zeros((code.words, BLOCK), dtype=np.int64), found)
    return Graph(first, target.astype(np.int32), action, moves), found
