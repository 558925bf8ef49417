"""The state space as a graph: a node for every state, or for all with equal values of chosen variables.

Made with the explorer's kernel from the states that it has stored. How a graph is drawn stands in
`postcopy.report.state_graph.dot`, how it is written in `postcopy.report.state_graph.files`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from postcopy.errors import UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.calling_convention import rests
from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.explorer.kernel.labels import Meaning
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Kind
from postcopy.language.trace import Trace
from postcopy.language.variables import Sort, Variable
from postcopy.report.story.words import contents, contents_words, value_words
from postcopy.suggestions import did_you_mean
from postcopy.surface import setting

MAX_STATES = 500_000
"""More are not expanded once more for a graph: Python needs a minute for these."""

NODE_BYTES = 20_000
"""Memory that a node takes with its edges until it is in a file."""

READABLE = 300
"""Nodes that a person can still find their way among."""


@dataclass(frozen=True)
class Quotient:
    """A state space as a graph.

    Nodes are numbered in the order in which the search came to them, and have the attributes

        values      what is equal in all its states: name -> value in words
        size        how many states (with symmetry: representatives) it stands for
        distance    steps of a shortest way to it
        initial     whether a run can start in it
        deadlock    how many of its states are deadlocks
        final       whether a run may end in it: no thread has to take another step
        violating   names of the properties that a state in it, or a step into it, violates
        path        at which steps the counterexample is in it (0: at its start)
        open        whether steps of its states lead to states that the search did not come to

    An edge stands for all steps from one node to another (or the same), and has the attributes

        actions     their names, in the order of the protocol
        threads     whose steps they are
        free        whether none of them has to happen (steps of the guest, the operator or the network)
        count       how many steps between states it stands for
        path        the steps of the counterexample that take it: (number, name of the action)

    Attributes:
        networkx: the graph itself, at most one edge from one node to another.
        instance: the protocol at its size.
        variables: those that distinguish the nodes.
        by: the variables as they were asked for, or None when every state is a node.
        states: how many states the nodes stand for.
        symmetry: whether a state stands for all that are equal up to a renaming of pages.
        trace: the counterexample, if there is one.
        readable: names of variables by which the graph would have at most `READABLE` nodes, and how many;
            looked for only where this graph has more.
    """

    networkx: nx.MultiDiGraph
    instance: Instance
    variables: tuple[Variable, ...]
    by: tuple[str, ...] | None
    states: int
    symmetry: bool
    trace: Trace | None
    readable: tuple[tuple[str, ...], int] | None

    @property
    def phase(self) -> str | None:
        """The variable whose values are drawn as boxes around nodes, if the nodes have it."""
        first = next(iter(usual_variables(self.instance)), None)
        return first if first in self.networkx.nodes[0]["values"] else None

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return int(self.networkx.number_of_nodes())


def build(exploration: Exploration, by: Sequence[str] | None) -> Quotient:
    """The graph of an exploration that has been run.

    Where the search ended early (a violation, no more memory), the graph has the states seen until then, the
    steps between them, and the whole counterexample.

    Args:
        exploration: what was searched.
        by: variables that distinguish the states: names such as ``source.phase``, names of machines, of
            channels or of variables of every vCPU for all of theirs, or globs such as ``destination.*``. With
            symmetry, classes that are equal up to a renaming of pages are one. None: every state is a node.

    Raises:
        UsageError: no such variable, far too many states, or more than the memory of the search's options holds.
        SpecError: the search came to a step that leaves a field's range.
    """
    instance = exploration.instance
    variables = choose_variables(instance, by) if by else instance.variables
    if exploration.findings.states > MAX_STATES:
        raise UsageError(
            f"{exploration.findings.states:,} states are too many for a graph ({MAX_STATES:,} at most): "
            f"use fewer {setting('pages')} or a smaller {setting('in_flight')}"
        )
    if not by:
        _refuse_memory(exploration, exploration.findings.states)
    trace = exploration.verdict().counterexample
    stored = exploration.stored()
    if trace is not None:
        end = exploration.kernel.representative(trace.states[-1])
        if end not in set(stored):
            stored.append(end)  # a step that violates something is not entered any more
    kernel = exploration.kernel
    classes = _Classes(kernel, variables if by else None)
    node_of = {words: classes.number(words) for words in stored}
    _refuse_memory(exploration, len(classes.keys))
    graph = nx.MultiDiGraph()
    columns = _columns(instance, variables)
    for number, key in enumerate(classes.keys):
        state = kernel.layout.unpack(key)
        values = {name: text(state) for name, text in columns}
        graph.add_node(
            number, values=values, size=0, distance=None, initial=False,
            deadlock=0, final=False, violating=(), path=(), open=False,
        )  # fmt: skip
    _Expansion(kernel, node_of, graph).run()
    if trace is not None:
        _mark(graph, trace, [node_of[kernel.representative(state)] for state in trace.states])
    readable = _readable(kernel, stored) if len(graph) > READABLE else None
    symmetry = PAGES in kernel.reductions
    return Quotient(graph, instance, variables, tuple(by) if by else None, len(stored), symmetry, trace, readable)


def _refuse_memory(exploration: Exploration, nodes: int) -> None:
    needed, memory = nodes * NODE_BYTES, exploration.options.max_memory
    if needed > memory:
        raise UsageError(
            f"a graph of {nodes:,} nodes takes about {-(-needed >> 20):,} MiB, and {setting('max_memory')} allows "
            f"{memory >> 20:,}: allow more, choose fewer variables with {setting('by')}, or use "
            f"fewer {setting('pages')}"
        )


def usual_variables(instance: Instance) -> tuple[str, ...]:
    """The names by which a graph of a protocol is drawn where none are chosen (see `build`): those that the protocol
    declares, without what a change has removed; or else its machines' enumerations. Empty where it has neither."""
    named = tuple(
        name for name in instance.protocol.drawn_by if any(_stands_for(name, v.name) for v in instance.variables)
    )
    return named or tuple(v.name for v in _enumerations(instance))


def _enumerations(instance: Instance) -> list[Variable]:
    """The numbers of the machines that have more than two values."""
    return [v for v in instance.variables if v.owner in instance.machines and v.sort is Sort.NUMBER and v.size > 2]


def choose_variables(instance: Instance, by: Sequence[str]) -> tuple[Variable, ...]:
    """The variables that names stand for (see `build`), each once.

    Raises:
        UsageError: a name stands for none.
    """
    chosen: dict[Variable, None] = {}
    for name in by:
        found = [v for v in instance.variables if _stands_for(name, v.name)]
        if not found:
            known = dict.fromkeys(known for v in instance.variables for known in (v.owner, v.name))
            owners = ", ".join(dict.fromkeys(v.owner for v in instance.variables))
            example = f"; there are those of {owners}, e.g. {instance.variables[0].name}"
            meant = did_you_mean(name, known) or example
            raise UsageError(f"there is no variable {name}{meant}")
        chosen |= dict.fromkeys(found)
    return tuple(chosen)


def _stands_for(name: str, variable: str) -> bool:
    if variable == name or variable.startswith((f"{name}.", f"{name}[")):
        return True
    glob = re.escape(name).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(glob, variable) is not None


class _Classes:
    """Numbers for classes of packed states, in the order in which they are first asked for.

    A class's key is what is left of its states' words when all but the variables is blanked out. What is left
    may differ in no more than the names of pages: it is made canonical once more.
    """

    def __init__(self, kernel: Kernel, variables: Sequence[Variable] | None) -> None:
        layout = kernel.layout
        self._canonical = kernel.functions.canonical
        self._masks: list[int] | None = None
        if variables is not None:
            self._masks = [0] * layout.words
            for offset, v in enumerate(layout.sets):
                if v in variables:
                    for word, base in layout.records:
                        self._masks[word] |= 1 << base + offset
            for v, place in layout.numbers.items():
                if v in variables:
                    self._masks[place.word] |= place.mask << place.shift
        self._numbers: dict[Words, int] = {}

    @property
    def keys(self) -> list[Words]:
        """One packed state for each class, with 0 for the variables that do not count."""
        return list(self._numbers)

    def number(self, words: Words) -> int:
        """The number of a state's class."""
        key = words
        if self._masks is not None:
            key = self._canonical(*(word & mask for word, mask in zip(words, self._masks, strict=True)))
        return self._numbers.setdefault(key, len(self._numbers))


def _columns(instance: Instance, variables: Sequence[Variable]) -> list[tuple[str, Callable[[State], str]]]:
    """The values of a node: each variable by name, and a channel with all its variables as one list."""
    columns: dict[str, Callable[[State], str]] = {}
    whole: dict[Variable, str] = {}
    for name, channel in instance.channels.items():
        slots = [v for slot in channel.slots for v in slot.variables]
        if all(v in variables for v in slots):
            whole |= dict.fromkeys(slots, name)

    def messages(name: str) -> Callable[[State], str]:
        return lambda state: contents_words(contents(instance, state, instance.channels[name]))

    def value(v: Variable) -> Callable[[State], str]:
        return lambda state: value_words(v, state[instance.index[v]])

    for v in variables:
        if v in whole:
            columns[whole[v]] = messages(whole[v])
        else:
            columns[v.name] = value(v)
    return list(columns.items())


class _Expansion:
    """Expand every stored state once more, and add it and its steps to the graph."""

    def __init__(self, kernel: Kernel, node_of: dict[Words, int], graph: nx.MultiDiGraph) -> None:
        instance = kernel.instance
        self.functions, self.labels, self.bits = kernel.functions, kernel.labels, kernel.bits
        self.node_of, self.graph = node_of, graph
        self.actions = instance.actions
        self.properties = instance.properties
        self.initial = {kernel.representative(state) for state in instance.initial_states()}
        self.distance: dict[Words, int] = dict.fromkeys(self.initial, 0)
        self.violating: list[set[str]] = [set() for _ in graph]
        self.resting = [False] * len(graph)
        self.edges: dict[tuple[int, int], dict[int, int]] = {}

    def run(self) -> None:
        """Fill in nodes and edges."""
        for words, at in self.node_of.items():
            self._state(words, self.graph.nodes[at], at)
        for at, node in self.graph.nodes.items():
            node["violating"] = tuple(p.name for p in self.properties if p.name in self.violating[at])
        for (source, target), counts in self.edges.items():
            actions = [self.actions[i] for i in sorted(counts)]
            names, threads = (a.name for a in actions), dict.fromkeys(a.thread for a in actions)
            self.graph.add_edge(
                source, target, actions=tuple(names), threads=tuple(threads),
                free=all(a.info.environment for a in actions), count=sum(counts.values()), path=(),
            )  # fmt: skip
        nodes = self.graph.nodes
        for component in nx.strongly_connected_components(self.graph):
            leaves = any(nodes[n]["open"] or not component.issuperset(self.graph[n]) for n in component)
            for n in component:
                nodes[n]["final"] = self.resting[n] and not leaves

    def _state(self, words: Words, node: dict[str, Any], at: int) -> None:
        distance = self.distance[words]  # states come breadth first: it is known, and the least
        node["size"] += 1
        node["distance"] = distance if node["distance"] is None else node["distance"]
        node["initial"] = node["initial"] or words in self.initial
        found, moves = self.functions.examine(*words), False
        self.violating[at].update(p.name for i, p in enumerate(self.bits.seen) if found & self.bits.states & 1 << i)
        may_rest = rests(found)
        self.resting[at] = self.resting[at] or may_rest
        for step, after in self._steps(words):
            moves = moves or not self.actions[step.action].info.environment
            target = self.node_of.get(after)
            if target is None:
                node["open"] = True
                continue
            self.distance.setdefault(after, distance + 1)
            broken = step.violated & self.bits.steps
            self.violating[target].update(p.name for i, p in enumerate(self.properties) if broken & 1 << i)
            counts = self.edges.setdefault((at, target), {})
            counts[step.action] = counts.get(step.action, 0) + 1
        if not moves and not may_rest:
            node["deadlock"] += 1
            self.violating[at].update(p.name for p in self.properties if p.kind is Kind.NO_DEADLOCK)

    def _steps(self, words: Words) -> Iterator[tuple[Meaning, Words]]:
        for label, *after in self.functions.expand(*words):
            step = self.labels[label]
            if not step.failed:  # not a step that leaves a field's range, and that the search did not come to
                yield step, words if step.stays else self.functions.canonical(*after)


def _mark(graph: nx.MultiDiGraph, trace: Trace, nodes: list[int]) -> None:
    """Number the counterexample's way on nodes and edges."""
    for number, node in enumerate(nodes):
        graph.nodes[node]["path"] += (number,)
    for number, step in enumerate(trace.steps, start=1):
        source, target = nodes[number - 1], nodes[number]
        graph.edges[source, target, 0]["path"] += ((number, step.action.name),)


def _readable(kernel: Kernel, stored: Sequence[Words]) -> tuple[tuple[str, ...], int] | None:
    """The most choices of the machines, in order, that tell at most `READABLE` classes apart."""
    instance, best = kernel.instance, None
    candidates = _enumerations(instance) or [
        v for v in instance.variables if v.owner in instance.machines and v.sort is Sort.NUMBER
    ]
    for count in range(1, len(candidates) + 1):
        classes = _Classes(kernel, candidates[:count])
        for words in stored:
            classes.number(words)
        if len(classes.keys) > READABLE:
            break
        best = tuple(v.name for v in candidates[:count]), len(classes.keys)
    return best
