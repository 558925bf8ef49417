"""What partial-order reduction could save at most, measured on whole graphs.

    python benchmarks/partial_order.py [--pages 2] [--in-flight 1] [--without THREAD]

An ample set is taken to be all that one thread can do in a state, chosen with more than any analysis of the protocol's
text can know: the whole graph. A thread qualifies where, along every path of the others' steps from there, its own stay
the same, and each of theirs commutes with each of its own (condition C1 exactly). In each state the thread with the
fewest steps is taken, all threads where none qualifies. Only deadlocks are kept so: nothing is asked of visibility or
of cycles. So no reduction that follows whole threads and keeps more can store fewer states, but for luck in the choice
between them. With --without, threads whose steps commute with next to nothing (network, source host) can be left out.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

from postcopy.language.actions import PageChoice
from postcopy.language.concrete import successors
from postcopy.language.instance import Instance, State
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy

Name = tuple[str, PageChoice]
"""A step's identity: its action and its page."""

Steps = dict[str, dict[Name, State]]
"""For each thread what it can do in a state, and where that leads."""


def explore(instance: Instance, without: list[str]) -> dict[State, Steps]:
    """All states that are reached without some threads, each with its steps that change something."""
    graph: dict[State, Steps] = {}
    todo = list(instance.initial_states())
    while todo:
        state = todo.pop()
        if state in graph:
            continue
        steps: Steps = defaultdict(dict)
        for step in successors(instance, state):
            if step.state != state and step.action.thread not in without:
                steps[step.action.thread][step.action.name, step.page] = step.state
                todo.append(step.state)
        graph[state] = dict(steps)
    return graph


def commute(graph: dict[State, Steps], state: State, thread: str) -> bool:
    """Whether each step of others leaves the thread's steps as they are and commutes with each of them."""
    mine = graph[state][thread]
    for other, steps in graph[state].items():
        for name, after in steps.items() if other != thread else ():
            there = graph[after].get(thread, {})
            if there.keys() != mine.keys():
                return False
            for own, first in mine.items():
                if graph[first].get(other, {}).get(name) != there[own]:
                    return False
    return True


def qualifying(graph: dict[State, Steps], thread: str) -> set[State]:
    """The states in which all that a thread can do is an ample set: the greatest set closed under others' steps."""
    good = {state for state, steps in graph.items() if thread in steps and commute(graph, state, thread)}
    reached_from = defaultdict(list)
    for state in good:
        for other, steps in graph[state].items():
            for after in steps.values() if other != thread else ():
                reached_from[after].append(state)
    bad = [state for state in graph if state not in good]
    while bad:
        for before in reached_from[bad.pop()]:
            if before in good:
                good.remove(before)
                bad.append(before)
    return good


def reduced(graph: dict[State, Steps], initial: list[State]) -> int:
    """How many states a search stores that follows one thread wherever that is enough."""
    threads = sorted({thread for steps in graph.values() for thread in steps})
    ample = {thread: qualifying(graph, thread) for thread in threads}
    seen, todo = set(initial), list(initial)
    while todo:
        state = todo.pop()
        enough = [thread for thread in threads if state in ample[thread]]
        if enough:
            following = list(graph[state][min(enough, key=lambda thread: len(graph[state][thread]))].values())
        else:
            following = [after for steps in graph[state].values() for after in steps.values()]
        for after in following:
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return len(seen)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--without", metavar="THREAD", action="append", default=[])
    options = parser.parse_args()
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    graph = explore(instance, options.without)
    stored = reduced(graph, list(instance.initial_states()))
    print(f"{instance.size}: {len(graph):,} states, {stored:,} with ample sets: {len(graph) / stored:.2f} times fewer")


if __name__ == "__main__":
    main()
