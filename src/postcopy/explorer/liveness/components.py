"""Strongly connected components of the graph of an interpreted search, which is small enough for plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_UNSEEN, _DONE = -1, 1 << 62

PASSES = 200
"""How often nodes that no edge leads to are taken out; a graph that is a long chain goes faster without."""


def components(first: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> tuple[int, npt.NDArray[np.int64]]:
    """How many components there are, and for each node the number of its own.

    Args:
        first: for each node the number of its first edge, and at the end how many edges there are; int64[nodes + 1].
        target: where each edge leads; int64[edges].
    """
    left = _left_by_removal(first, target)
    nodes = np.flatnonzero(left)
    number = np.cumsum(left) - 1
    origin = np.repeat(np.arange(len(left)), np.diff(first))
    inner = left[origin] & left[target]
    starts = np.searchsorted(origin[inner], np.append(nodes, len(left)))
    count, found = _components_of_lists(starts.tolist(), number[target[inner]].tolist())
    component = np.empty(len(left), dtype=np.int64)
    component[nodes] = found
    component[~left] = np.arange(count, count + len(left) - len(nodes))
    return count + len(left) - len(nodes), component


def _left_by_removal(first: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which nodes are left when those that no edge leads to are taken out, and then those that only such led to.

    What is taken out (Kahn 1962) lies on no cycle: each is a component of its own.
    """
    counts, number = np.diff(first), np.bincount(target, minlength=len(first) - 1)
    left = np.ones(len(counts), dtype=np.bool_)
    taken = np.flatnonzero(number == 0)
    for _ in range(PASSES):
        if not len(taken):
            break
        left[taken] = False
        of_each = counts[taken]
        ends = np.cumsum(of_each)
        reached = target[np.repeat(first[taken] - ends + of_each, of_each) + np.arange(ends[-1])]
        np.subtract.at(number, reached, 1)
        taken = np.unique(reached[number[reached] == 0], return_index=True)[0]  # without, NumPy imports its masks
    return left


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
