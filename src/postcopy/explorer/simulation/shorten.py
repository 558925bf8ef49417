"""Shortening of a run that violates a property: steps are left out until every step that is left is needed.

Steps are left out in ever smaller pieces and the others are taken again by the concrete interpretation, which is the
reference; what can no longer be taken is skipped (delta debugging: Zeller and Hildebrandt, IEEE TSE 28(2), 2002). Then
bounded breadth-first searches from the run's own states look for a violation that is nearer. The result is 1-minimal:
without any one of its steps the others no longer break the property. It need not be a shortest run.
"""

from __future__ import annotations

from collections.abc import Iterator

from postcopy.errors import TraceError
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.stepper import Stepper
from postcopy.language.concrete import Transition, is_deadlock, take, violated_by
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Kind, Property
from postcopy.language.trace import Label, Trace, follow, rebase, thread_through

_AT_THE_START = 5_000
_ON_THE_WAY = 300
"""How many states a search for a nearer violation may visit: from all initial states, and from one state of the run."""


def shorten(trace: Trace, violated: Property) -> Iterator[Trace]:
    """Ever shorter runs that violate the same property; the last one is 1-minimal.

    A generator, so that a caller who cannot wait has the shortest run so far.

    Raises:
        TraceError: the trace, or what it was shortened to, does not violate the property.
    """
    whole = trace.instance
    narrow = Instance(whole.protocol, whole.pages, whole.in_flight, (violated,), whole.group)
    replay = Replay(narrow, rebase(trace, narrow).initial, violated)
    stepper = Stepper(narrow, to_errors=True)
    labels = replay.breaking(trace.labels)
    if labels is None:
        raise TraceError(f"the run to be shortened does not violate {violated.name}")
    while True:
        yield _checked(rebase(replay.trace(labels), whole), violated)
        for fewer in _leave_out(replay, labels):
            labels = fewer
            yield _checked(rebase(replay.trace(labels), whole), violated)
        nearer = _nearer_end(stepper, replay.trace(labels), violated)
        if nearer is None:
            return
        replay = Replay(narrow, nearer.initial, violated)
        labels = nearer.labels


def breaks(trace: Trace, violated: Property) -> bool:
    """Whether a run violates a property at its end; the run's instance has to know the property."""
    if violated.of_steps:
        return bool(trace.steps) and violated.name in trace.steps[-1].violated
    last = trace.states[-1]
    if violated.kind is Kind.NO_DEADLOCK:
        return is_deadlock(trace.instance, last)
    return violated.name in violated_by(trace.instance, last)


def _checked(trace: Trace, violated: Property) -> Trace:
    if not breaks(trace, violated):
        raise TraceError(f"shortened to {len(trace.steps)} steps the run no longer violates {violated.name}")
    return trace


class Replay:
    """Takes steps again from one initial state, and sees whether they still violate a property.

    Attributes:
        instance: the protocol with that property.
        initial: where every run begins.
        violated: the property.
    """

    def __init__(self, instance: Instance, initial: State, violated: Property) -> None:
        self.instance, self.initial, self.violated = instance, initial, violated
        self._actions = {action.name: action for action in instance.actions}
        self._steps: dict[tuple[State, Label], Transition | None] = {}
        self._wrong: dict[State, bool] = {}

    def breaking(self, labels: list[Label]) -> list[Label] | None:
        """The steps up to the violation, without those that cannot be taken or do nothing; None where there is none."""
        state, taken = self.initial, list[Label]()
        if self.violated.of_states and self._is_wrong(state):
            return taken
        for label in labels:
            step = self._step(state, label)
            if step is None:
                continue
            if self.violated.name in step.violated:
                return [*taken, label]
            if step.state != state:
                taken.append(label)
                state = step.state
                if self.violated.of_states and self._is_wrong(state):
                    return taken
        return taken if self.violated.kind is Kind.NO_DEADLOCK and self._is_wrong(state) else None

    def trace(self, labels: list[Label]) -> Trace:
        """The run that takes all these steps."""
        return follow(self.instance, self.initial, labels, self.violated.name)

    def _step(self, state: State, label: Label) -> Transition | None:
        key = state, label
        if key not in self._steps:
            self._steps[key] = take(self.instance, state, self._actions[label[0]], label[1])
        return self._steps[key]

    def _is_wrong(self, state: State) -> bool:
        if state not in self._wrong:
            stuck = self.violated.kind is Kind.NO_DEADLOCK
            wrong = is_deadlock(self.instance, state) if stuck else bool(violated_by(self.instance, state))
            self._wrong[state] = wrong
        return self._wrong[state]


def _leave_out(replay: Replay, labels: list[Label]) -> Iterator[list[Label]]:
    """Fewer and fewer of the steps that still break the property, until none can be left out."""
    pieces = 2
    while labels:
        size = -(-len(labels) // pieces)
        for at in range(0, len(labels), size):
            fewer = replay.breaking(labels[:at] + labels[at + size :])
            if fewer is not None:
                yield fewer
                labels, pieces = fewer, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                return
            pieces = min(2 * pieces, len(labels))


def _nearer_end(stepper: Stepper, trace: Trace, violated: Property) -> Trace | None:
    """A shorter run that leaves this one somewhere, if one is found soon."""
    states, length = trace.states, len(trace.steps)
    for begin in (0, *range(length - 2, 0, -1)):
        roots, limit = ([stepper.pack(states[begin])], _ON_THE_WAY) if begin else (stepper.initial, _AT_THE_START)
        way = _way(stepper, roots, length - begin - 1, limit)
        if way is not None:
            visited = states[:begin] + [stepper.unpack(words) for words in way]
            by_step = violated.name if violated.of_steps else None
            return thread_through(trace.instance, visited, stepper.same, violated.name, by_step)
    return None


def _way(stepper: Stepper, roots: list[Words], longest: int, limit: int) -> list[Words] | None:
    """The states on a shortest way from a root to a violation, if it is not too long and found within the limit."""
    before: dict[Words, Words | None] = dict.fromkeys(map(stepper.representative, roots))
    level = roots
    for length in range(longest + 1):
        following: list[Words] = []
        for state in level:
            look, moves = stepper.look(state), stepper.moves(state)
            wrong = look.violated or stepper.deadlock(state, moves, look)
            last = next((move.after for move in moves if move.violated), None)
            if wrong or (last is not None and length < longest):
                return [*_path(stepper, before, state), *([] if wrong or last is None else [last])]
            for move in moves:
                name = stepper.representative(move.after)
                if name not in before:
                    before[name] = state
                    following.append(move.after)
            if len(before) > limit:
                return None
        level = following
    return None


def _path(stepper: Stepper, before: dict[Words, Words | None], state: Words) -> list[Words]:
    path = [state]
    while (previous := before[stepper.representative(path[-1])]) is not None:
        path.append(previous)
    return path[::-1]
