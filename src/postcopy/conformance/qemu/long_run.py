"""One run of a protocol at the size of a real migration that can be taken back to where it was.

Several pages that are treated alike are taken in one step. Where a body asks for a page in a set and some of the pages
of the step are in it and some are not, the step is not one step, and is refused: see `LongRun.step`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postcopy.conformance.qemu.action_facts import MISHAPS
from postcopy.language.actions import ActionInstance
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.instance import Instance
from postcopy.language.single_run import Forbidden, ManyPages, SingleRun
from postcopy.language.values import ConcretePages, PageSet
from postcopy.language.variables import Variable

UNLIKE = "the pages"
"""Where a guard stands that holds for some of the pages of a step only."""


@dataclass(frozen=True, slots=True, eq=False)
class Alike(ManyPages):
    """A set of pages that notes where several pages of a step are not treated alike."""

    run: LongRun | None = None

    def _new(self, bits: int) -> Alike:
        return Alike(bits, self.pages, self.group, self.fine, self.run)

    def __getitem__(self, page: PageSet) -> bool:
        asked = self._bits(page)
        found = self.bits & asked
        if found and found != asked and self.run is not None:
            self.run.unlike = True
        return bool(found)


class LongRun(SingleRun):
    """A run that remembers how to take steps back, and what the last step has read.

    Attributes:
        read: the variables that the last step has read, in order.
        unlike: the last step treated some of its pages in another way than others.

    Args:
        failing: the hosts that are known to give up.
    """

    def __init__(
        self,
        instance: Instance,
        pages: int,
        group: int,
        given: dict[str, bool],
        failing: frozenset[str] = frozenset(),
    ) -> None:
        self._failing = failing
        self.read: list[Variable] = []
        self.unlike = False
        self._journal: list[Callable[[], object]] = []
        super().__init__(instance, pages, group, given)

    def set_of(self, bits: int) -> Alike:
        """The pages whose bits are set."""
        fine = super().set_of(bits).fine if self.instance.fine is not None else 0
        return Alike(bits, self.size, self.group, fine, self)

    def load(self, variable: Variable) -> object:
        """The value of a variable, and a note that it was read."""
        self.read.append(variable)
        return super().load(variable)

    def store(self, variable: Variable, value: object) -> None:
        """Give a variable a new value. History is left out: no guard may read it."""
        if not variable.ghost:
            super().store(variable, value)

    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        """Marks are history."""

    def step(self, action: ActionInstance, pages: int = 0) -> Forbidden | None:
        """Take an action, or say why not; then nothing has changed.

        An action by which a host dies, refuses or aborts is taken only where that host is known to give up.
        """
        self.read.clear()
        self.unlike = False
        forbidden = self.take(action, pages)
        if forbidden is not None:
            return forbidden
        mishap = any(type(event.what).__name__ in MISHAPS for event in self.events)
        if self.unlike or (mishap and action.machine not in self._failing):
            self._take_back()
            if self.unlike:
                return Forbidden(action.name, UNLIKE, "some of the pages are treated in another way")
            return Forbidden(action.name, "", "a host gives up")
        self._journal += self._undo
        return None

    def tag(self) -> int:
        """Where the run is, for `back_to`."""
        return len(self._journal)

    def back_to(self, tag: int) -> None:
        """Take back all steps since then."""
        while len(self._journal) > tag:
            self._journal.pop()()

    def settle(self) -> None:
        """What was taken so far is not taken back any more."""
        self._journal.clear()

    def value(self, variable: Variable) -> object:
        """The value of a variable; a set of pages as bits."""
        value = self._values[variable]
        return value.bits if isinstance(value, ConcretePages) else value

    def with_value(self, variable: Variable, value: object) -> Callable[[], None]:
        """Give a number a value for a moment; answers how to give it back the one it has."""
        before = self._values[variable]
        self._values[variable] = value

        def give_back() -> None:
            self._values[variable] = before

        return give_back
