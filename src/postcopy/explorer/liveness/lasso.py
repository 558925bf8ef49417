"""Fair lassos in a graph: is there a run on which a promise is made and never kept, although no unit is neglected?

This file knows graphs and no protocols: nodes are numbers, and edges lie one after the other, node by node. A run can
always idle in a node, which is no unit's step. Why the search below is right stands in docs/decisions/0011-liveness.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from postcopy.explorer.liveness.components import components

Nodes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

Node = TypeVar("Node")
Step = TypeVar("Step")
OtherNode = TypeVar("OtherNode")
OtherStep = TypeVar("OtherStep")

_UNSEEN, _START, _PROMISE = -1, -1, -2


@dataclass(frozen=True)
class Graph:
    """A graph with labelled edges.

    Attributes:
        first: for each node the number of its first edge, and at the end how many edges there are; int64[nodes + 1].
        target: where each edge leads; int32[edges].
        action: its label; int16[edges].
        moves: whether it counts as a step of its unit; bool[edges].
    """

    first: npt.NDArray[np.int64]
    target: npt.NDArray[np.int32]
    action: npt.NDArray[np.int16]
    moves: Flags

    def edges_from(self, nodes: Nodes) -> tuple[Nodes, Nodes]:
        """The edges that leave some nodes, and how many leave each."""
        counts = self.first[nodes + 1] - self.first[nodes]
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        return np.repeat(self.first[nodes] - ends + counts, counts) + np.arange(total), counts

    def origin(self, edge: int) -> int:
        """The node that an edge leaves."""
        return int(np.searchsorted(self.first, edge, side="right")) - 1


@dataclass(frozen=True)
class Lasso(Generic[Node, Step]):
    """A run that goes on for ever.

    Attributes:
        start: where it starts.
        stem: the steps that are taken once.
        loop: the steps that are taken over and over; empty where it idles.
    """

    start: Node
    stem: tuple[Step, ...]
    loop: tuple[Step, ...]

    def told(self, node: Callable[[Node], OtherNode], step: Callable[[Step], OtherStep]) -> Lasso[OtherNode, OtherStep]:
        """The same run in other terms, which the functions give."""
        return Lasso(node(self.start), tuple(map(step, self.stem)), tuple(map(step, self.loop)))


@dataclass(frozen=True)
class Answer(Generic[Node, Step]):
    """What was found of a promise.

    Attributes:
        open: how many nodes can be reached with the promise made and not yet kept.
        lasso: a fair run that never keeps it, with a stem as short as any has; None where every fair run keeps it.
    """

    open: int
    lasso: Lasso[Node, Step] | None


@dataclass
class _Layer:
    """A breadth-first search: for each node the number of steps to it, and the edge by which it was first reached."""

    nodes: int
    depth: npt.NDArray[np.int32] = field(init=False)
    via: Nodes = field(init=False)

    def __post_init__(self) -> None:
        self.depth = np.full(self.nodes, _UNSEEN, dtype=np.int32)
        self.via = np.full(self.nodes, _START, dtype=np.int64)

    def grow(self, graph: Graph, frontier: Nodes, depth: int, barred: Flags | None) -> Nodes:
        """Go one step from the frontier; returns the nodes that are new."""
        edges, _ = graph.edges_from(frontier)
        targets = graph.target[edges]
        fresh = self.depth[targets] == _UNSEEN
        if barred is not None:
            fresh &= ~barred[targets]
        found, where = np.unique(targets[fresh], return_index=True)
        self.depth[found] = depth
        self.via[found] = edges[fresh][where]
        return found.astype(np.int64)


@dataclass(frozen=True)
class Fairness:
    """The units that have to be treated fairly.

    Attributes:
        own: for each label and unit, whether an edge with that label is the unit's step; bool[labels, units].
        can_move: for each node and unit, whether a step of the unit leaves the node; bool[nodes, units].
        strong: whether a unit has to move if it can move again and again; bool[units]. Of the others that is only asked
            if they can move at all times.
    """

    own: Flags
    can_move: Flags
    strong: Flags


def fairness(graph: Graph, own: Flags, strong: Flags) -> Fairness:
    """Find out where each unit can move."""
    nodes = len(graph.first) - 1
    can_move = np.zeros((nodes, own.shape[1]), dtype=np.bool_)
    origins = np.repeat(np.arange(nodes), np.diff(graph.first))[graph.moves]
    labels = graph.action[graph.moves]
    for unit in range(own.shape[1]):
        can_move[origins[own[labels, unit]], unit] = True
    return Fairness(own, can_move, strong)


def fair_lasso(graph: Graph, fair: Fairness, initial: Nodes, when: Flags, then: Flags) -> Answer[int, int]:
    """Look for a fair run, as edges, from an initial node that comes to `when` and from there on never to `then`."""
    before, after = _promised(graph, initial, when & ~then, then)
    region = np.flatnonzero(after.depth != _UNSEEN)
    inside, component, is_fair = _fair_components(graph, fair, region)
    starts = inside[is_fair[component]]
    if not len(starts):
        return Answer(len(region), None)
    nearest = int(starts[np.argmin(after.depth[starts])])
    home = component[np.searchsorted(inside, nearest)]
    start, stem = _way(graph, before, after, nearest)
    loop = _round(graph, fair, nearest, set(inside[component == home].tolist()))
    return Answer(len(region), Lasso(start, stem, loop))


def _promised(graph: Graph, initial: Nodes, made: Flags, kept: Flags) -> tuple[_Layer, _Layer]:
    """Search breadth first, before the promise and (in a layer of its own) after it, as long as it is not kept."""
    before, after = _Layer(len(made)), _Layer(len(made))
    first = np.unique(initial, return_index=True)[0]  # without, NumPy imports its masks
    ahead, behind, depth = first.astype(np.int64), np.zeros(0, dtype=np.int64), 0
    before.depth[ahead] = 0
    while len(ahead) or len(behind):
        promising = ahead[made[ahead] & (after.depth[ahead] == _UNSEEN)]
        after.depth[promising], after.via[promising] = depth, _PROMISE
        behind = np.concatenate((behind, promising))
        depth += 1
        ahead = before.grow(graph, ahead, depth, None)
        behind = after.grow(graph, behind, depth, kept)
    return before, after


def _fair_components(graph: Graph, fair: Fairness, region: Nodes) -> tuple[Nodes, Nodes, Flags]:
    """The parts of a region in which a run can stay for ever and neglect no unit.

    They are strongly connected components. Where a strongly fair unit can move in one, and never does inside of it, a
    run that stays in it keeps away from the nodes where the unit can move: these are taken out, and components are
    looked for again in what is left.

    Returns:
        What is left of the region, for each of its nodes the component, and for each component whether it is fair.
    """
    while True:
        component, own_steps = _components(graph, fair, region)
        able = fair.can_move[region]
        neglected = able & fair.strong & ~own_steps[component]
        if not neglected.any():
            break
        region = region[~neglected.any(axis=1)]
    content = own_steps | fair.strong  # a strongly fair unit has a step of its own in what is left, or none is possible
    for unit in np.flatnonzero(~fair.strong):
        content[component[~able[:, unit]], unit] = True
    is_fair: Flags = np.asarray(content.all(axis=1), dtype=np.bool_)
    return region, component, is_fair


def _components(graph: Graph, fair: Fairness, region: Nodes) -> tuple[Nodes, Flags]:
    """The strongly connected components of a region: for each node its component; for each component and unit, whether
    a step of the unit stays inside."""
    number = np.full(len(graph.first) - 1, -1, dtype=np.int64)
    number[region] = np.arange(len(region))
    edges, counts = graph.edges_from(region)
    origins, targets = np.repeat(np.arange(len(region)), counts), number[graph.target[edges]]
    within = targets >= 0
    edges, origins, targets = edges[within], origins[within], targets[within]
    starts = np.searchsorted(origins, np.arange(len(region) + 1))
    count, component = components(starts, targets)
    steps = (component[origins] == component[targets]) & graph.moves[edges]
    homes, labels = component[origins[steps]], graph.action[edges[steps]]
    own_steps = np.zeros((count, fair.own.shape[1]), dtype=np.bool_)
    for unit in range(fair.own.shape[1]):
        own_steps[homes[fair.own[labels, unit]], unit] = True
    return component, own_steps


def _way(graph: Graph, before: _Layer, after: _Layer, node: int) -> tuple[int, tuple[int, ...]]:
    """The way to a node after the promise: where it starts, and its edges."""
    stem: list[int] = []
    layer = after
    while True:
        edge = int(layer.via[node])
        if layer is after and edge == _PROMISE:
            layer = before
        elif edge == _START:
            return node, tuple(reversed(stem))
        else:
            stem.append(edge)
            node = graph.origin(edge)


def _round(graph: Graph, fair: Fairness, home: int, nodes: set[int]) -> tuple[int, ...]:
    """A way from a node of a fair component back to it on which no unit is neglected; empty where it can idle."""

    possible = fair.can_move[sorted(nodes)].any(axis=0)
    no_excuse = fair.strong & possible

    def content(node: int, edge: int | None) -> set[int]:
        units = set(np.flatnonzero(~fair.can_move[node] & ~no_excuse).tolist())
        if edge is not None and graph.moves[edge]:
            units.update(np.flatnonzero(fair.own[graph.action[edge]]).tolist())
        return units

    missing = set(range(fair.own.shape[1])) - content(home, None)

    def helps(node: int, edge: int) -> bool:
        return not missing.isdisjoint(content(node, edge))

    walk: list[int] = []
    here = home
    while missing:
        part = _search(graph, here, nodes, helps)
        for edge in part:
            missing.difference_update(content(int(graph.target[edge]), edge))
        walk += part
        here = int(graph.target[walk[-1]])
    if here != home:
        walk += _search(graph, here, nodes, lambda node, _: node == home)
    return tuple(walk)


def _search(graph: Graph, start: int, nodes: set[int], wanted: Callable[[int, int], bool]) -> list[int]:
    """The edges of a shortest way, of at least one, whose last edge and end are wanted; it stays within the nodes."""
    via: dict[int, int] = {}
    queue = deque([start])
    while queue:
        origin = queue.popleft()
        for edge in range(int(graph.first[origin]), int(graph.first[origin + 1])):
            node = int(graph.target[edge])
            if node not in nodes:
                continue
            if wanted(node, edge):
                way = [edge]
                while origin != start:
                    way.append(via[origin])
                    origin = graph.origin(via[origin])
                return way[::-1]
            if node not in via and node != start:
                via[node] = edge
                queue.append(node)
    raise AssertionError("a strongly connected component is not connected")
