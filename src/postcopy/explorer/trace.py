"""A run of a protocol, step by step: what a counterexample or a witness is before anyone prints it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postcopy.errors import TraceError
from postcopy.model.concrete import Transition, successors, take
from postcopy.model.instance import Instance, State


@dataclass(frozen=True)
class Trace:
    """A run from an initial state.

    Attributes:
        instance: the protocol at its size.
        initial: the state it starts in.
        steps: what was done, each with the state after it.
        violated: name of the property that the run violates (``no-deadlock`` for a deadlock), or None for a witness.
    """

    instance: Instance
    initial: State
    steps: tuple[Transition, ...]
    violated: str | None

    @property
    def states(self) -> list[State]:
        """All states, the initial one first."""
        return [self.initial, *(step.state for step in self.steps)]


def follow(instance: Instance, initial: State, labels: Sequence[tuple[str, int | None]], violated: str | None) -> Trace:
    """The run that takes the named actions (each with its page) in order.

    Raises:
        TraceError: there is no such action, or its guard forbids it here.
    """
    by_name = {action.name: action for action in instance.actions}
    state, steps = initial, []
    for number, (name, page) in enumerate(labels, start=1):
        if name not in by_name:
            raise TraceError(f"step {number}: {instance.protocol.__name__} has no action {name}")
        step = take(instance, state, by_name[name], page)
        if step is None:
            raise TraceError(f"step {number}: {name} cannot be taken here in {instance.protocol.__name__}")
        steps.append(step)
        state = step.state
    return Trace(instance, initial, tuple(steps), violated)


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
        states: what the explorer stored; the first has to be an initial state itself.
        same: whether two states are the same to the explorer.
        violated: see `Trace`.
        last_violates: name of the property of steps that the last step has to violate, if any.

    Raises:
        TraceError: there is no such run; the explorer and the concrete reading disagree.
    """
    current, steps = states[0], []
    for number, wanted in enumerate(states[1:], start=1):
        last = number == len(states) - 1
        for step in successors(instance, current):
            if same(step.state, wanted) and not (last and last_violates and last_violates not in step.violated):
                break
        else:
            raise TraceError(f"no step leads to state {number}: the compiled and the concrete reading disagree")
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
            return follow(instance, initial, [(s.action.name, s.page) for s in trace.steps], trace.violated)
    raise TraceError(f"the run does not start in an initial state of {instance.protocol.__name__}")
