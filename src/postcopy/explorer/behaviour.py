"""What a protocol does, seen through chosen observations; and whether another protocol can do the same.

A protocol is taken as a graph whose steps carry an observation or are hidden. Its behaviours are the sequences of
observations of its runs. That all behaviours of one are behaviours of another is trace inclusion. It is decided by
following one protocol step by step beside all states in which the other may be. Each pair of a state and such a set is
looked at once. Dropping a pair where a smaller set was met with the same state (antichains) would decide the same, and
lose differences whose last observation is another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from postcopy.explorer.kernel.stepper import Stepper
from postcopy.language.concrete import Transition, take
from postcopy.language.instance import Instance, State

Observation = tuple[Hashable, ...]
"""The observation of a step; empty for a hidden step."""

_Pair = tuple[int, frozenset[int]]
"""A state of the one, and all states in which the other may be."""

_Came = tuple[_Pair | None, str, Observation]
"""The pair before, and the step from it."""


@dataclass(frozen=True)
class Behaviour:
    """A protocol's graph with observations.

    Attributes:
        initial: numbers of the initial states.
        steps: for each state its steps: the observation, the state that it leads to, and who does what.
        expanded: of so many states the steps are there; of the others, which come last, they are not known.
    """

    initial: tuple[int, ...]
    steps: tuple[tuple[tuple[Observation, int, str], ...], ...]
    expanded: int

    @property
    def complete(self) -> bool:
        """Whether the steps of all states are there."""
        return self.expanded == len(self.steps)

    @property
    def states(self) -> int:
        """How many there are."""
        return len(self.steps)


@dataclass(frozen=True)
class Difference:
    """A shortest behaviour that one protocol has and another has not.

    Attributes:
        run: the steps, each with its observation; the other protocol cannot take the last one.
    """

    run: tuple[tuple[str, Observation], ...]


@dataclass(frozen=True)
class Inclusion:
    """Whether all behaviours of one protocol are behaviours of another.

    Attributes:
        differences: those that are not, shortest first: for each kind of their last observation, which the other cannot
            make after the ones before it, a shortest one.
        decided: whether these are all; else the search was given up, or not all states were there.
        pairs: how many pairs of a state and a set of states were looked at.
    """

    differences: tuple[Difference, ...]
    decided: bool
    pairs: int

    @property
    def difference(self) -> Difference | None:
        """A shortest one, or None."""
        return self.differences[0] if self.differences else None


def behaviour(instance: Instance, observe: Callable[[State, Transition], Observation], limit: int) -> Behaviour:
    """Explore the states of a small instance, at most so many as `limit` says and one block of successors more, with
    the observation of each step.

    The kernel says which steps can be taken; these are taken concretely, to see their events.
    """
    stepper = Stepper(instance)
    numbers: dict[State, int] = {}
    order: list[State] = []
    steps: list[tuple[tuple[Observation, int, str], ...]] = []

    def number(state: State) -> int:
        if state not in numbers:
            numbers[state] = len(order)
            order.append(state)
        return numbers[state]

    initial = tuple(number(state) for state in instance.initial_states())
    while len(steps) < len(order) and len(order) <= limit:
        state = order[len(steps)]
        steps.append(
            tuple(
                (observe(state, step), number(step.state), f"{step.action.thread}: {step.action.doc}")
                for step in _taken(instance, stepper, state)
                if step.state != state or observe(state, step)
            )
        )
    return Behaviour(initial, tuple(steps) + ((),) * (len(order) - len(steps)), len(steps))


def _taken(instance: Instance, stepper: Stepper, state: State) -> Iterator[Transition]:
    for index in dict.fromkeys(move.action for move in stepper.moves(stepper.pack(state))):
        action = instance.actions[index]
        for page in action.choices(instance.pages):
            step = take(instance, state, action, page)
            if step is not None:
                yield step


def included(
    one: Behaviour, other: Behaviour, limit: int, kind: Callable[[Observation], Hashable] = lambda seen: seen
) -> Inclusion:
    """Look for shortest behaviours of one that the other does not have. None goes on after what the other cannot do.

    Where the other may be in a state whose steps are not known, nothing is said of what it cannot do from there on.

    Args:
        one: its behaviours are followed.
        other: has to be able to do the same.
        limit: so many pairs are looked at, then the search is given up.
        kind: of all behaviours whose last observation is of one kind, one is given.
    """
    closures = _Closures(other)
    start = closures.of(other.initial)
    came: dict[_Pair, _Came] = {(state, start): (None, "", ()) for state in one.initial}
    queue = deque(came)
    found: dict[Hashable, Difference] = {}
    while queue and len(came) <= limit:
        pair = queue.popleft()
        if max(pair[1]) >= other.expanded:
            continue
        for seen, after, what in one.steps[pair[0]]:
            following = closures.after(pair[1], seen) if seen else pair[1]
            if not following:
                if kind(seen) not in found:
                    found[kind(seen)] = _difference(came, (pair, what, seen))
            elif (after, following) not in came:
                came[after, following] = (pair, what, seen)
                queue.append((after, following))
    return Inclusion(tuple(found.values()), not queue and one.complete and other.complete, len(came))


def _difference(came: dict[_Pair, _Came], last: _Came) -> Difference:
    run: list[tuple[str, Observation]] = []
    before, what, seen = last
    while before is not None:
        run.append((what, seen))
        before, what, seen = came[before]
    return Difference(tuple(reversed(run)))


class _Closures:
    """Sets of states that hidden steps lead to, each worked out once."""

    def __init__(self, of: Behaviour) -> None:
        self.graph = of
        self.known: dict[tuple[int, ...], frozenset[int]] = {}
        self.moves: dict[tuple[frozenset[int], Observation], frozenset[int]] = {}

    def of(self, states: tuple[int, ...]) -> frozenset[int]:
        """All states that these lead to without anything being seen."""
        if states not in self.known:
            found, todo = set(states), list(states)
            while todo:
                for seen, after, _ in self.graph.steps[todo.pop()]:
                    if not seen and after not in found:
                        found.add(after)
                        todo.append(after)
            self.known[states] = frozenset(found)
        return self.known[states]

    def after(self, states: frozenset[int], seen: Observation) -> frozenset[int]:
        """All states that these lead to when just this is seen."""
        key = (states, seen)
        if key not in self.moves:
            reached = {after for state in states for what, after, _ in self.graph.steps[state] if what == seen}
            self.moves[key] = self.of(tuple(sorted(reached)))
        return self.moves[key]
