"""One state's steps at a time, on the generated kernel in plain Python, for walks and for comparisons of behaviour.

A state here is a tuple of words, as the kernel packs it. What a kernel answers in numbers is given as properties and
names.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from postcopy.explorer.kernel.calling_convention import rests
from postcopy.explorer.kernel.kernel import Kernel, Words, kernel_to_errors
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Property

_REMEMBERED = 2_000
"""Of so many states the moves are kept: about half of the states that walks come to are among them."""


class Move(NamedTuple):
    """One step from a state.

    Attributes:
        action: its index in `Instance.actions`.
        after: the state after it.
        violated: the first property of steps that it violates, or None.
    """

    action: int
    after: Words
    violated: Property | None


class Look(NamedTuple):
    """What there is to say of a state itself.

    Attributes:
        violated: the first property of states that it violates, or None.
        witnesses: names of the witnesses that it reaches.
        resting: nothing needs to happen here.
    """

    violated: Property | None
    witnesses: list[str]
    resting: bool


class Stepper:
    """The kernel of an instance, one state at a time.

    Attributes:
        instance: whose steps.
        kernel: its kernel, with page symmetry.
        impossible: names of the actions that cannot be taken at this size, by their own text.
        initial: the initial states.

    Raises:
        SpecError: the protocol or a property cheats or errs.
        UsageError: the size does not fit.
    """

    def __init__(self, instance: Instance, to_errors: bool = False) -> None:
        self.kernel = kernel_to_errors(instance) if to_errors else Kernel(instance)
        self.instance = self.kernel.instance
        self._functions = self.kernel.functions
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._moves)
        self._witnesses = [(1 << i, p.name) for i, p in enumerate(self.kernel.bits.seen) if p.is_witness]
        self._progress = self.kernel.progress
        self.impossible, self.initial = self.kernel.impossible, self.kernel.initial

    def moves(self, state: Words) -> list[Move]:
        """Every step from a state, in the order of the actions. To be read only: it is remembered for the next time.

        A step that errs violates the property that it should not (`language.step_errors`), and stays in the state.
        """
        return self._remembered(state)

    def _moves(self, state: Words) -> list[Move]:
        labels, bits = self.kernel.labels, self.kernel.bits
        found = []
        for label, *after in self._functions.expand(*state):
            step = labels[label]
            if step.failed:
                found.append(Move(step.action, state, labels.violated_by_error(label)))
                continue
            broken = step.violated & bits.steps
            found.append(Move(step.action, tuple(after), bits.of_step(broken) if broken else None))
        return found

    def look(self, state: Words) -> Look:
        """What there is to say of a state itself."""
        found, bits = self._functions.examine(*state), self.kernel.bits
        broken = found & bits.states
        return Look(
            bits.of_state(broken) if broken else None,
            [name for bit, name in self._witnesses if found & bit],
            rests(found),
        )

    def deadlock(self, state: Words, moves: list[Move], look: Look) -> Property | None:
        """The absence of deadlock, where it is asked for and a state with these moves is one."""
        stuck = self.kernel.bits.deadlock if not look.resting else None
        return None if stuck is None or self.progress(state, moves) else stuck

    def progress(self, state: Words, moves: list[Move]) -> bool:
        """Whether one of the moves changes the state and is not the environment's."""
        return any(self._progress[move.action] and move.after != state for move in moves)

    def representative(self, state: Words) -> Words:
        """The one of all states that are equal up to a renaming of pages."""
        return self._functions.canonical(*state)

    def same(self, a: State, b: State) -> bool:
        """Whether two states are equal up to a renaming of pages."""
        return self.kernel.same(a, b)

    def pack(self, state: State) -> Words:
        """The words of a state."""
        return self.kernel.layout.pack(state)

    def unpack(self, words: Words) -> State:
        """The state that the words stand for."""
        return self.kernel.layout.unpack(words)
