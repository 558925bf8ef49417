"""Locks that a thread holds over several actions, and the promise that each comes free."""

from __future__ import annotations

from functools import lru_cache
from typing import overload

from postcopy.errors import SpecError
from postcopy.language.actions import require
from postcopy.language.fields import Field, FieldOwner, Home
from postcopy.language.machines import Machine
from postcopy.language.properties import Kind, LeadsTo, Property
from postcopy.language.protocol import Protocol
from postcopy.language.step_errors import released_by_another
from postcopy.language.threads import Thread
from postcopy.language.values import Cpu
from postcopy.language.variables import Sort, Variable
from postcopy.language.view import View


class Holder(str):
    """Which thread holds a lock, in words; a value of the lock's variable."""

    __slots__ = ()


FREE = Holder("free")


def _held_by(thread: str) -> Holder:
    return Holder(f"held by {thread}")


class LockValue:
    """A lock as bodies see it."""

    def __init__(self, part: FieldOwner, field: Lock) -> None:
        self._part, self._field = part, field
        self._variable = f"{part.name}.{field.name}"

    def _acting(self) -> str:
        thread = self._part.interpretation.thread
        if thread is None:
            raise SpecError(
                f"{self._variable} is asked for the acting thread, and no thread acts: ask {self._field.name}.free or "
                f"{self._field.name}.held_by(thread)",
                self._part.interpretation.where(),
            )
        return thread

    def _is(self, holder: Holder) -> bool:
        return self._part.read(self._variable) == holder

    @property
    def free(self) -> bool:
        """Whether no thread holds it."""
        return self._is(FREE)

    @property
    def held(self) -> bool:
        """Whether the acting thread holds it."""
        return self._is(_held_by(self._acting()))

    def held_by(self, thread: Thread, cpu: Cpu | None = None) -> bool:
        """Whether a thread of the machine holds it; `cpu` for a thread that there is one of for each vCPU."""
        if not isinstance(thread, Thread):
            raise SpecError(f"a thread of the machine is needed, not {thread!r}", self._part.interpretation.where())
        return self._is(_held_by(thread.in_a_sentence(cpu)))

    def acquire(self) -> None:
        """Take it: a guard, which holds where it is free. A thread that holds it already waits for itself."""
        require(self.free)
        self._part.write(self._variable, _held_by(self._acting()))

    def release(self) -> None:
        """Give it back. Where the acting thread does not hold it, that is an error of the step."""
        thread = self._acting()
        self._part.interpretation.demand(self.held, released_by_another(self._variable, thread))
        self._part.write(self._variable, FREE)


class Lock(Field[LockValue]):
    """A lock of the threads of a machine: ``big_lock = Lock("the big lock")``. It is free at the start."""

    def __init__(self, doc: str) -> None:
        super().__init__(doc, FREE)

    @overload
    def __get__(self, part: None, owner: type) -> Lock: ...
    @overload
    def __get__(self, part: FieldOwner, owner: type) -> LockValue: ...
    def __get__(self, part: FieldOwner | None, owner: type) -> Lock | LockValue:
        return self if part is None else LockValue(part, self)

    def __set__(self, part: FieldOwner, value: LockValue) -> None:
        raise SpecError(
            f"{part.name}.{self.name} is a lock: use {self.name}.acquire() and {self.name}.release()",
            part.interpretation.where(),
        )

    def variables(self, home: Home) -> list[tuple[Variable, object]]:
        """Which thread holds it: a number for each thread of the machine."""
        values = (FREE, *map(_held_by, home.threads))
        variable = Variable(
            f"{home.owner}.{self.name}", home.owner, Sort.NUMBER, len(values), values, 0, home.ghost, self.doc
        )
        return [(variable, FREE)]

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        return None


def locks_come_free(protocol: type[Protocol]) -> tuple[Property, ...]:
    """For each lock of a protocol the promise that it comes free whenever it is held."""
    return tuple(
        _comes_free(name, field.name, field.doc)
        for name, machine in protocol.parts(Machine).items()
        for field in machine.fields().values()
        if isinstance(field, Lock)
    )


@lru_cache
def _comes_free(machine: str, name: str, doc: str) -> Property:
    def holds(state: View) -> LeadsTo:
        free = getattr(getattr(state, machine), name).free
        return LeadsTo(when=not free, then=free)

    return Property(
        f"{machine}-{name}-comes-free".replace("_", "-"),
        f"A thread that holds {doc} gives it back",
        Kind.EVENTUALLY,
        holds,
        f"A thread of {machine.replace('_', ' ')} holds {doc} for ever: all that acquire it wait for ever.",
    )
