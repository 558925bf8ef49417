"""A run of a protocol, step by step: the content of a counterexample or a witness, in no layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from postcopy.errors import TraceError
from postcopy.language.actions import PageChoice
from postcopy.language.concrete import Transition, successors, take
from postcopy.language.instance import Instance, State

Label = tuple[str, PageChoice]
"""A step by its action's name and its page, or pages."""


@dataclass(frozen=True)
class Trace:
    """A run from an initial state: a finite one, or one that goes on for ever (a lasso).

    Attributes:
        instance: the protocol at its size.
        initial: the state it starts in.
        steps: the steps taken, each with the state after it.
        violated: name of the property that the run violates (``no-deadlock`` for a deadlock), or None for a witness.
        loop: for a run that goes on for ever, the index of the state that the last state is equal to: the steps between
            them are repeated. It is the last state itself for a run that stays there for ever.
    """

    instance: Instance
    initial: State
    steps: tuple[Transition, ...]
    violated: str | None
    loop: int | None = None

    @property
    def labels(self) -> list[Label]:
        """The steps by name."""
        return [(step.action.name, step.page) for step in self.steps]

    @property
    def states(self) -> list[State]:
        """All states, the initial one first."""
        return [self.initial, *(step.state for step in self.steps)]


def follow(instance: Instance, initial: State, labels: Sequence[Label], violated: str | None) -> Trace:
    """The run that takes the named actions (each with its page) in order.

    Raises:
        TraceError: there is no such action, or its guard forbids it here.
    """
    return Trace(instance, initial, tuple(_steps(instance, initial, labels, 1)), violated)


def go_round(
    instance: Instance, initial: State, stem: Sequence[Label], loop: Sequence[Label], violated: str | None
) -> Trace:
    """The run that takes the stem's steps once and then the loop's over and over: until a round begins in a state in
    which an earlier one began. The rounds before that one are part of the stem.

    Raises:
        TraceError: there is no such run.
    """
    steps = list(_steps(instance, initial, stem, 1))
    heads = [steps[-1].state if steps else initial]
    while loop and heads[-1] not in heads[:-1]:
        steps += _steps(instance, heads[-1], loop, len(steps) + 1)
        heads.append(steps[-1].state)
    return Trace(instance, initial, tuple(steps), violated, len(stem) + heads.index(heads[-1]) * len(loop))


def _steps(instance: Instance, state: State, labels: Sequence[Label], first: int) -> Iterator[Transition]:
    by_name = {action.name: action for action in instance.actions}
    for number, (name, page) in enumerate(labels, start=first):
        if name not in by_name:
            raise TraceError(f"step {number}: {instance.protocol.__name__} has no action {name}")
        step = take(instance, state, by_name[name], page)
        if step is None:
            raise TraceError(f"step {number}: {name} cannot be taken here in {instance.protocol.__name__}")
        yield step
        state = step.state


def thread_through(
    instance: Instance,
    states: Sequence[State],
    same: Callable[[State, State], bool],
    violated: str | None,
    last_violates: str | None = None,
) -> Trace:
    """The run that visits the given states, or states that are the `same` (equal up to a renaming of pages).

    Args:
        instance: the protocol at its size.
        states: the states that the explorer stored; the first has to be an initial state itself.
        same: whether two states are the same to the explorer.
        violated: see `Trace`.
        last_violates: name of the property of steps that the last step has to violate, if any.

    Raises:
        TraceError: there is no such run; the explorer and the concrete interpretation disagree.
    """
    current, steps = states[0], []
    for number, wanted in enumerate(states[1:], start=1):
        last = number == len(states) - 1
        for step in successors(instance, current):
            if same(step.state, wanted) and not (last and last_violates and last_violates not in step.violated):
                break
        else:
            raise TraceError(f"no step leads to state {number}: the compiled and the concrete interpretation disagree")
        steps.append(step)
        current = step.state
    return Trace(instance, states[0], tuple(steps), violated)


def rebase(trace: Trace, instance: Instance) -> Trace:
    """The same run of the same protocol, with the properties (and so the history) of another instance of it.

    Raises:
        TraceError: the run is not one of that instance's protocol.
    """
    values = {v.name: stored for v, stored in zip(trace.instance.variables, trace.initial, strict=True)}
    for initial in instance.initial_states():
        if all(values.get(v.name, stored) == stored for v, stored in zip(instance.variables, initial, strict=True)):
            if trace.loop is None:
                return follow(instance, initial, trace.labels, trace.violated)
            stem, loop = trace.labels[: trace.loop], trace.labels[trace.loop :]
            return go_round(instance, initial, stem, loop, trace.violated)
    raise TraceError(f"the run does not start in an initial state of {instance.protocol.__name__}")
