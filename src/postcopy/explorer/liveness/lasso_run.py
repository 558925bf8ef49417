"""A lasso of stored states as a run of the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from postcopy.errors import TraceError
from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.explorer.liveness.fairness import broken, is_fair, moves
from postcopy.explorer.liveness.lasso import Answer, Lasso
from postcopy.language.concrete import Transition, take
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Property
from postcopy.language.trace import Label, Trace, go_round


@dataclass(frozen=True)
class StoredStep:
    """A step between stored states.

    Attributes:
        action: the index of its action.
        words: the packed state that it leads to.
        moves: whether it changes more than history.
    """

    action: int
    words: Words
    moves: bool


StoredLasso: TypeAlias = Lasso[Words, StoredStep]
"""A run that goes on for ever, up to renamings: where it starts is a packed state."""

Found: TypeAlias = Answer[Words, StoredStep]


def run_of(instance: Instance, kernel: Kernel, lasso: StoredLasso, prop: Property) -> Trace:
    """The run of a lasso.

    With symmetry a round may end in a state that differs from its first by a renaming of pages; rounds are added until
    both are the same state.

    Args:
        instance: the protocol.
        kernel: that of the search, with what was tracked.
        lasso: the lasso.
        prop: the property that it violates.

    Raises:
        TraceError: it does not: the two interpretations disagree.
    """
    tracked = kernel.instance
    initial = next(s for s in tracked.initial_states() if kernel.representative(s) == lasso.start)
    steps = list(_lift(kernel, initial, lasso.stem))
    heads, rounds = [steps[-1].state if steps else initial], [len(steps)]
    while lasso.loop and heads[-1] not in heads[:-1]:
        steps += _lift(kernel, heads[-1], lasso.loop)
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


def _lift(kernel: Kernel, state: State, steps: Sequence[StoredStep]) -> Iterator[Transition]:
    """Concrete steps that stored ones stand for, from a state that the first one's origin stands for."""
    instance = kernel.instance
    for wanted in steps:
        action = instance.actions[wanted.action]
        for page in action.choices(instance.pages):
            step = take(instance, state, action, page)
            if step is None or kernel.representative(step.state) != wanted.words:
                continue
            if moves(instance, state, step.state) == wanted.moves:
                break
        else:
            raise TraceError(f"{action.name} leads elsewhere: the compiled and the concrete interpretation disagree")
        yield step
        state = step.state
