"""What a protocol does, seen through chosen observations; and whether another protocol can do the same.

A protocol is taken as a graph whose steps carry an observation or are hidden. Its behaviours are the sequences of
observations of its runs. That all behaviours of one are behaviours of another is trace inclusion, decided by
following one protocol step by step beside all states in which the other may be (antichains: a smaller set of such
states covers a larger one).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from postcopy.explorer.kernel.stepper import Stepper
from postcopy.language.concrete import Transition, take
from postcopy.language.instance import Instance, State

Observation = tuple[str, ...]
"""The observation of a step; empty for a hidden step."""


@dataclass(frozen=True)
class Behaviour:
    """A protocol's graph with observations.

    Attributes:
        initial: numbers of the initial states.
        steps: for each state its steps: the observation, the state that it leads to, and who does what.
        complete: whether all states are there.
    """

    initial: tuple[int, ...]
    steps: tuple[tuple[tuple[Observation, int, str], ...], ...]
    complete: bool

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
        differences: those that are not: for each observation that the other cannot make a shortest one, shortest first.
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
    """Explore all states of a small instance, with the observation of each step.

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
    complete = len(steps) == len(order)
    return Behaviour(initial, tuple(steps) + ((),) * (len(order) - len(steps)), complete)


def _taken(instance: Instance, stepper: Stepper, state: State) -> Iterator[Transition]:
    for index in dict.fromkeys(move.action for move in stepper.moves(stepper.pack(state))):
        action = instance.actions[index]
        for page in range(instance.pages) if action.takes_page else [None]:
            step = take(instance, state, action, page)
            if step is not None:
                yield step


def included(one: Behaviour, other: Behaviour, limit: int) -> Inclusion:
    """Look for shortest behaviours of one that the other does not have. None goes on after what the other cannot do.

    Args:
        one: its behaviours are followed.
        other: has to be able to do the same.
        limit: so many pairs are looked at, then the search is given up.
    """
    closures = _Closures(other)
    start = closures.of(other.initial)
    queue: deque[tuple[int, frozenset[int]]] = deque()
    came: dict[tuple[int, frozenset[int]], tuple[tuple[int, frozenset[int]] | None, str, Observation]] = {}
    smallest: dict[int, list[frozenset[int]]] = {}

    def meet(
        pair: tuple[int, frozenset[int]], before: tuple[int, frozenset[int]] | None, what: str, seen: Observation
    ) -> None:
        state, others = pair
        if any(known <= others for known in smallest.get(state, ())):
            return
        smallest[state] = [known for known in smallest.get(state, ()) if not others <= known] + [others]
        came[pair] = (before, what, seen)
        queue.append(pair)

    for state in one.initial:
        meet((state, start), None, "", ())
    found: dict[Observation, Difference] = {}
    while queue:
        if len(came) > limit:
            return Inclusion(tuple(found.values()), False, len(came))
        pair = queue.popleft()
        state, others = pair
        for seen, after, what in one.steps[state]:
            following = closures.after(others, seen) if seen else others
            if following:
                meet((after, following), pair, what, seen)
            elif seen not in found:
                found[seen] = _told(came, pair, what, seen)
    return Inclusion(tuple(found.values()), one.complete and other.complete, len(came))


def _told(
    came: dict[tuple[int, frozenset[int]], tuple[tuple[int, frozenset[int]] | None, str, Observation]],
    pair: tuple[int, frozenset[int]],
    what: str,
    seen: Observation,
) -> Difference:
    run = [(what, seen)]
    at: tuple[int, frozenset[int]] | None = pair
    while at is not None:
        at, what, seen = came[at]
        if what:
            run.append((what, seen))
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
