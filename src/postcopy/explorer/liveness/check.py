"""Do promises get kept on every fair run? From properties of runs to lassos of a protocol.

A check searches once more, with the promises as witnesses and, where one is made for each page, with one page marked
(`promises`); then it looks for a fair lasso in the graph of that search (`lasso`) and turns it into a run. Page
symmetry stays on: threads are not renamed with pages, so that a renaming changes neither who can move nor a promise
about the marked page (docs/decisions/0011-liveness.md). Where bodies ask for neighbours of pages there is no page
symmetry, and each page is marked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from postcopy.errors import TraceError
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.explorer.liveness.fairness import broken, is_fair, moves, units
from postcopy.explorer.liveness.lasso import Lasso, fair_lasso, fairness
from postcopy.explorer.liveness.promises import Finding, Liveness, Promise, promises
from postcopy.explorer.liveness.state_graph import StateGraph, state_graph
from postcopy.explorer.search.findings import Space
from postcopy.explorer.search.status import Status
from postcopy.language.concrete import Transition, take
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Property
from postcopy.language.trace import Label, Trace, go_round


def check_liveness(instance: Instance, explore: Callable[[Instance], Space], max_bytes: int) -> Liveness:
    """Look for a fair run that violates a property of runs, for each of the instance's.

    Args:
        instance: the protocol and its properties.
        explore: searches another instance of the protocol, and keeps the steps where the search is interpreted.
        max_bytes: what the search and the graph may take.

    Raises:
        SpecError: a property errs.
    """
    started = time.perf_counter()
    asked, space = _search(instance, explore, 1)
    neighbours = instance.pages > 1 and bool(space.kernel.program.looks_at_neighbours())
    if neighbours:  # pages are not interchangeable
        asked, space = _search(instance, explore, instance.pages)
    tracked = space.kernel.instance
    found = space.findings
    if found.status != Status.DONE:
        return Liveness.unfinished(_too_large(max_bytes), found.states)
    try:
        nodes = state_graph(space, max_bytes - found.bytes)
    except MemoryError:
        return Liveness.unfinished(_too_large(max_bytes), found.states)
    asked_of = units(tracked)
    own = np.array([[a.name in unit.actions for unit in asked_of] for a in tracked.actions], dtype=np.bool_)
    fair = fairness(nodes.graph, own, np.array([unit.strong for unit in asked_of], dtype=np.bool_))
    findings: dict[str, Finding] = {}
    for number, promise in enumerate(asked):
        when, then = ((nodes.found >> bit & 1).astype(np.bool_) for bit in (2 * number, 2 * number + 1))
        answer = fair_lasso(nodes.graph, fair, nodes.initial, when, then)
        earlier = findings.get(promise.prop.name, Finding(0, None))
        run = earlier.counterexample
        if run is None and answer.lasso is not None:
            run = _run(instance, space.kernel, nodes, answer.lasso, promise.prop)
        findings[promise.prop.name] = Finding(earlier.open + answer.open, run)
    seconds = time.perf_counter() - started
    return Liveness(findings, "", len(nodes.states), len(nodes.graph.target), seconds, neighbours)


def _search(instance: Instance, explore: Callable[[Instance], Space], pages: int) -> tuple[list[Promise], Space]:
    """The promises, with so many pages followed, and a search that looks for where they are made and kept."""
    asked = list(promises([p for p in instance.properties if p.of_runs], instance.cpus, pages))
    witnesses = [witness for promise in asked for witness in promise.witnesses()]
    return asked, explore(Instance(instance.protocol, instance.pages, instance.in_flight, witnesses, instance.group))


def _too_large(max_bytes: int) -> str:
    return f"liveness: {max_bytes >> 20} MiB do not hold the graph of all states"


def _run(instance: Instance, kernel: Kernel, nodes: StateGraph, lasso: Lasso, prop: Property) -> Trace:
    """A lasso of the graph as a run of the protocol. With symmetry a round may end in a state that differs from its
    first by a renaming of pages; rounds are added until both are the same state."""
    tracked = kernel.instance
    start = tuple(nodes.states[lasso.start].tolist())
    initial = next(s for s in tracked.initial_states() if kernel.representative(s) == start)
    steps = list(_lift(kernel, nodes, initial, lasso.stem))
    heads, rounds = [steps[-1].state if steps else initial], [len(steps)]
    while lasso.loop and heads[-1] not in heads[:-1]:
        steps += _lift(kernel, nodes, heads[-1], lasso.loop)
        heads.append(steps[-1].state)
        rounds.append(len(steps))
    labels: list[Label] = [(step.action.name, step.page) for step in steps]
    closed = rounds[heads.index(heads[-1])]
    names = {variable.name: stored for variable, stored in zip(tracked.variables, initial, strict=True)}
    plain = next(
        s for s in instance.initial_states()
        if all(names.get(v.name, stored) == stored for v, stored in zip(instance.variables, s, strict=True))
    )  # fmt: skip
    run = go_round(instance, plain, labels[:closed], labels[closed:], prop.name)
    if not is_fair(run) or not broken(run, prop):
        raise TraceError(f"the run does not violate {prop.name}: the compiled and the concrete interpretation disagree")
    return run


def _lift(kernel: Kernel, nodes: StateGraph, state: State, edges: Sequence[int]) -> Iterator[Transition]:
    """Concrete steps along edges of the graph, from a state that the first edge's origin stands for."""
    instance, graph = kernel.instance, nodes.graph
    for edge in edges:
        action = instance.actions[int(graph.action[edge])]
        wanted = tuple(nodes.states[graph.target[edge]].tolist())
        for page in action.choices(instance.pages):
            step = take(instance, state, action, page)
            if step is None or kernel.representative(step.state) != wanted:
                continue
            if moves(instance, state, step.state) == graph.moves[edge]:
                break
        else:
            raise TraceError(f"{action.name} leads elsewhere: the compiled and the concrete interpretation disagree")
        yield step
        state = step.state
