"""One state's steps at a time, on the generated kernel in plain Python: for who walks through a space, not all over it.

A state here is a tuple of words, as the kernel packs it. Whoever needs a kernel's numbers in words asks here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from postcopy.errors import SpecError
from postcopy.explorer.kernel import compiled, layout
from postcopy.explorer.kernel import state_code as codegen
from postcopy.explorer.kernel.expression_code import LABEL_BITS, REST_BIT, STAYS
from postcopy.language import program as constants
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Kind, Property

Words = tuple[int, ...]

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
        impossible: names of the actions that cannot be taken at this size, by their own text.
        initial: the initial states.

    Raises:
        SpecError: the protocol or a property cheats or errs.
        UsageError: the size does not fit.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        program = constants.read(instance)
        self._layout = layout.lay_out(instance, program.variables, program.constants)
        self._kernel = codegen.generate(program, self._layout, symmetry=instance.pages > 1)
        self._functions = compiled.interpret(self._kernel)
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._moves)
        properties = list(enumerate(instance.properties))
        self._of_steps = sum(1 << i for i, p in properties if p.of_steps)
        self._of_states = sum(1 << i for i, p in properties if p.of_states)
        self._witnesses = [(1 << i, p.name) for i, p in properties if p.is_witness]
        self._deadlock = next((p for p in instance.properties if p.kind is Kind.NO_DEADLOCK), None)
        self._progress = [not action.info.environment for action in instance.actions]
        self.impossible = frozenset(action.name for action, tree in program.actions if tree is None)
        self.initial = [self._layout.pack(state) for state in instance.initial_states()]

    def moves(self, state: Words) -> list[Move]:
        """Every step from a state, in the order of the actions. To be read only: it is remembered for the next time.

        Raises:
            SpecError: a step leaves a field's range.
        """
        return self._remembered(state)

    def _moves(self, state: Words) -> list[Move]:
        numbering = self._kernel.numbering
        found = []
        for label, *after in self._functions.expand(*state):
            if label < 0:
                raise SpecError(*numbering.checks[-label - 1])
            broken = label >> LABEL_BITS & self._of_steps
            action = numbering.action_of[label & STAYS - 1]
            found.append(Move(action, tuple(after), self._first(broken) if broken else None))
        return found

    def look(self, state: Words) -> Look:
        """What there is to say of a state itself."""
        found = self._functions.examine(*state)
        broken = found & self._of_states
        return Look(
            self._first(broken) if broken else None,
            [name for bit, name in self._witnesses if found & bit],
            bool(found >> REST_BIT & 1),
        )

    def deadlock(self, state: Words, moves: list[Move], look: Look) -> Property | None:
        """The absence of deadlock, where it is asked for and a state with these moves is one."""
        stuck = self._deadlock is not None and not look.resting and not self.progress(state, moves)
        return self._deadlock if stuck else None

    def progress(self, state: Words, moves: list[Move]) -> bool:
        """Whether one of the moves changes the state and is not the environment's."""
        return any(self._progress[move.action] and move.after != state for move in moves)

    def representative(self, state: Words) -> Words:
        """The one of all states that are equal up to a renaming of pages."""
        return self._functions.canonical(*state)

    def same(self, a: State, b: State) -> bool:
        """Whether two states are equal up to a renaming of pages."""
        return self.representative(self.pack(a)) == self.representative(self.pack(b))

    def pack(self, state: State) -> Words:
        """The words of a state."""
        return self._layout.pack(state)

    def unpack(self, words: Words) -> State:
        """The state that the words stand for."""
        return self._layout.unpack(words)

    def _first(self, bits: int) -> Property:
        return self.instance.properties[(bits & -bits).bit_length() - 1]
