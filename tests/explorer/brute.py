"""The obvious search that everything else is held against: the concrete interpretation, a set, and a list."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from postcopy.explorer.explore import Exploration
from postcopy.explorer.search.compiled import Compiled
from postcopy.language.concrete import may_rest, successors, violated_by
from postcopy.language.instance import Instance, State

Edge = tuple[State, str, State]
"""A labelled edge of the graph: state, action, state."""


@dataclass
class Graph:
    """All that can be reached.

    Attributes:
        depth: for each state, the fewest steps to it.
        edges: every labelled edge, with how often it is there (once for each page that makes it).
        bad: for each violated property, the fewest steps of a run that shows it.
    """

    depth: dict[State, int] = field(default_factory=dict)
    edges: Counter[Edge] = field(default_factory=Counter)
    bad: dict[str, int] = field(default_factory=dict)


def brute_force(instance: Instance, limit: int = 10**9) -> Graph:
    """Everything, or the first states in breadth-first order until there are more than `limit`."""
    graph = Graph()
    level = list(dict.fromkeys(instance.initial_states()))
    depth = 0
    while level:
        for state in level:
            graph.depth[state] = depth
            for name in violated_by(instance, state):
                graph.bad.setdefault(name, depth)
        found: dict[State, None] = {}
        for state in level:
            moves = False
            for step in successors(instance, state):
                moves |= not step.action.info.environment and step.state != state
                graph.edges[state, step.action.name, step.state] += 1
                for name in step.violated:
                    graph.bad.setdefault(name, depth + 1)
                if step.state not in graph.depth:
                    found[step.state] = None
            if not moves and not may_rest(instance, state):
                graph.bad.setdefault("no-deadlock", depth)
        level, depth = list(found), depth + 1
        if len(graph.depth) > limit:
            break
    return graph


def kernel_edges(instance: Instance, exploration: object) -> Iterator[Edge]:
    """Every labelled edge as the generated kernel sees it, from every state that was stored (no symmetry)."""
    from postcopy.explorer.explore import Exploration

    assert isinstance(exploration, Exploration)
    kernel = exploration.kernel
    for packed in exploration.stored():
        state = kernel.layout.unpack(packed)
        for label, *words in kernel.functions.expand(*packed):
            yield state, instance.actions[kernel.labels[label].action].name, kernel.layout.unpack(words)


def orphans(exploration: Exploration, found: Compiled) -> list[tuple[int, ...]]:
    """The states that are not among the successors of what is noted as their parent, nor initial ones without one."""
    functions, states = exploration.kernel.functions, found.stored()
    initial = {functions.canonical(*words) for words in exploration.question.initial}

    def has(at: int) -> bool:
        words, parent = found.shard.row(at)
        if parent < 0:
            return words in initial
        return words in {functions.canonical(*after) for _, *after in functions.expand(*states[parent])}

    return [states[at] for at in range(len(states)) if not has(at)]
