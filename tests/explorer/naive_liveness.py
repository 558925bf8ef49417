"""Fair lassos found the obvious way, and lassos judged by the definition: what the checker is held against."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import networkx as nx
import numpy as np

from postcopy.explorer.liveness.lasso import Graph, Lasso


@dataclass(frozen=True)
class Case:
    """A small graph with a promise.

    Attributes:
        nodes: how many.
        edges: origin, target, label, and whether the edge counts as a step, in the order of the origins.
        units: for each unit, the labels of its steps.
        initial: the nodes that runs start in.
        when: where the promise is made.
        then: where it is kept.
        strong: the numbers of the units that are treated fairly if they can move again and again.
    """

    nodes: int
    edges: tuple[tuple[int, int, int, bool], ...]
    units: tuple[frozenset[int], ...]
    initial: frozenset[int]
    when: frozenset[int]
    then: frozenset[int]
    strong: frozenset[int] = frozenset()

    @property
    def graph(self) -> Graph:
        """As the checker wants it."""
        counts = [sum(origin == node for origin, *_ in self.edges) for node in range(self.nodes)]
        return Graph(
            np.array([0, *np.cumsum(counts)], dtype=np.int64),
            np.array([target for _, target, _, _ in self.edges], dtype=np.int32),
            np.array([label for *_, label, _ in self.edges], dtype=np.int16),
            np.array([moves for *_, moves in self.edges], dtype=np.bool_),
        )

    def flags(self, nodes: frozenset[int]) -> Any:
        return np.array([node in nodes for node in range(self.nodes)], dtype=np.bool_)

    @property
    def own(self) -> Any:
        """Which labels are whose; bool[labels, units]."""
        return np.array([[label in unit for unit in self.units] for label in range(4)], dtype=np.bool_).reshape(4, -1)

    @property
    def strongly(self) -> Any:
        """Which units are strongly fair; bool[units]."""
        return np.array([number in self.strong for number in range(len(self.units))], dtype=np.bool_)

    def can_move(self, node: int, unit: frozenset[int]) -> bool:
        return any(origin == node and label in unit and moves for origin, _, label, moves in self.edges)


def shortest_stem(case: Case) -> int | None:
    """The fewest steps to a set of nodes in which a fair run can stay for ever: by trying every set of nodes."""
    steps = nx.DiGraph()
    steps.add_nodes_from(("start", *((node, owed) for node in range(case.nodes) for owed in (False, True))))
    for node in case.initial:
        steps.add_edge("start", (node, False), weight=0)
    for node in case.when - case.then:
        steps.add_edge((node, False), (node, True), weight=0)
    for origin, target, _, _ in case.edges:
        steps.add_edge((origin, False), (target, False), weight=1)
        if target not in case.then:
            steps.add_edge((origin, True), (target, True), weight=1)
    far = nx.single_source_dijkstra_path_length(steps, "start")
    owing = [node for node in range(case.nodes) if (node, True) in far]
    stays = (set(s) for s in chain.from_iterable(combinations(owing, size) for size in range(1, len(owing) + 1)))
    return min((min(far[node, True] for node in nodes) for nodes in stays if is_fair_set(case, nodes)), default=None)


def is_fair_set(case: Case, nodes: set[int]) -> bool:
    """Whether a run that goes through exactly these nodes, and all edges among them, again and again exists and is
    fair."""
    within = [edge for edge in case.edges if edge[0] in nodes and edge[1] in nodes]
    graph = nx.DiGraph([(origin, target) for origin, target, _, _ in within])
    graph.add_nodes_from(nodes)
    return nx.is_strongly_connected(graph) and all(
        any(label in unit and moves for *_, label, moves in within) or _is_excused(case, number, nodes)
        for number, unit in enumerate(case.units)
    )


def _is_excused(case: Case, number: int, nodes: Iterable[int]) -> bool:
    """Whether a unit need not move on a run that visits these nodes again and again."""
    able = [case.can_move(node, case.units[number]) for node in nodes]
    return not any(able) if number in case.strong else not all(able)


def faults_of(case: Case, lasso: Lasso[int, int]) -> Iterator[str]:
    """What is wrong with a lasso, by the definition of what it should be."""
    node, owed = lasso.start, lasso.start in case.when - case.then
    if node not in case.initial:
        yield "it does not start in an initial node"
    for edge in lasso.stem:
        if case.edges[edge][0] != node:
            yield "the stem is torn"
        node = case.edges[edge][1]
        owed = node not in case.then and (owed or node in case.when)
    home, visited = node, [node]
    if not owed:
        yield "nothing is owed when the loop begins"
    for edge in lasso.loop:
        if case.edges[edge][0] != node:
            yield "the loop is torn"
        node = case.edges[edge][1]
        visited.append(node)
    if node != home:
        yield "the loop does not close"
    if case.then.intersection(visited):
        yield "the promise is kept in the loop"
    for number, unit in enumerate(case.units):
        steps = any(case.edges[edge][2] in unit and case.edges[edge][3] for edge in lasso.loop)
        if not steps and not _is_excused(case, number, visited):
            yield "a unit is neglected"


def never_kept(
    edges: dict[Hashable, list[tuple[str, Hashable]]],
    moving: Any,
    units: list[frozenset[str]],
    initial: list[Hashable],
    when: Any,
    then: Any,
    strong: frozenset[int] = frozenset(),
) -> bool:
    """Whether a fair run never keeps a promise, in a graph of any hashable nodes: component by component.

    Args:
        edges: for each node its edges, as label and target.
        moving: whether a step from one node to another counts.
        units: for each unit, the labels of its steps.
        initial: where runs start.
        when, then: whether the promise is made, or kept, in a node.
        strong: the numbers of the units that are strongly fair.
    """
    reached, queue = set(initial), list(initial)
    owing: set[Hashable] = set()
    while queue:
        node = queue.pop()
        owing |= {node} if when(node) and not then(node) else set()
        for _, target in edges[node]:
            if target not in reached:
                reached.add(target)
                queue.append(target)
    queue = list(owing)
    graph: nx.DiGraph[Hashable] = nx.DiGraph()
    graph.add_nodes_from(owing)
    while queue:
        node = queue.pop()
        for _, target in edges[node]:
            if not then(target):
                if target not in graph:
                    queue.append(target)
                graph.add_edge(node, target)
    return _has_fair_part(graph, edges, moving, units, strong)


def _has_fair_part(
    graph: nx.DiGraph[Hashable],
    edges: dict[Hashable, list[tuple[str, Hashable]]],
    moving: Any,
    units: list[frozenset[str]],
    strong: frozenset[int],
) -> bool:
    for component in nx.strongly_connected_components(graph):
        content, keeps_away = 0, set[Hashable]()
        for number, unit in enumerate(units):
            steps = {n: [t for label, t in edges[n] if label in unit and moving(n, t)] for n in component}
            acts = any(component.intersection(targets) for targets in steps.values())
            able = {n for n, targets in steps.items() if targets}
            if number in strong and not acts:
                keeps_away |= able
            content += acts or number in strong or able != component
        if keeps_away:
            if _has_fair_part(graph.subgraph(component - keeps_away), edges, moving, units, strong):
                return True
        elif content == len(units):
            return True
    return False
