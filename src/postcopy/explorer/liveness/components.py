"""Strongly connected components of the graph of an interpreted search, which is small enough for plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_UNSEEN, _DONE = -1, 1 << 62


def components(first: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> tuple[int, npt.NDArray[np.int64]]:
    """How many components there are, and for each node the number of its own.

    Args:
        first: for each node the number of its first edge, and at the end how many edges there are; int64[nodes + 1].
        target: where each edge leads; int64[edges].
    """
    count, found = _components_of_lists(first.tolist(), target.tolist())
    return count, np.array(found, dtype=np.int64)


def _components_of_lists(first: Sequence[int], target: Sequence[int]) -> tuple[int, list[int]]:
    """The same of a graph in lists: Tarjan's search (1972), with a stack of its own in place of calls."""
    nodes = len(first) - 1
    lowest, component = [_UNSEEN] * nodes, [_UNSEEN] * nodes
    number = count = 0
    waiting: list[int] = []
    for root in range(nodes):
        if lowest[root] != _UNSEEN:
            continue
        path, edges = [root], [first[root]]
        own = [number]
        lowest[root] = number
        number += 1
        waiting.append(root)
        while path:
            node, edge, end = path[-1], edges[-1], first[path[-1] + 1]
            low = lowest[node]
            while edge < end:
                there = lowest[target[edge]]
                if there == _UNSEEN:
                    break
                low = min(low, there)
                edge += 1
            lowest[node] = low
            if edge < end:  # go there, and look at this edge again afterwards
                child, edges[-1] = target[edge], edge
                path.append(child)
                edges.append(first[child])
                own.append(number)
                lowest[child] = number
                number += 1
                waiting.append(child)
                continue
            if low == own[-1]:
                while True:
                    member = waiting.pop()
                    component[member], lowest[member] = count, _DONE
                    if member == node:
                        break
                count += 1
            path.pop()
            edges.pop()
            own.pop()
    return count, component
