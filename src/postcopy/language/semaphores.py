"""Semaphores: numbers that one thread raises and another one waits for."""

from __future__ import annotations

from typing import cast, overload

from postcopy.errors import SpecError
from postcopy.language.actions import require
from postcopy.language.fields import Field, FieldOwner, Home
from postcopy.language.values import Number
from postcopy.language.variables import Sort, Variable


class SemaphoreValue:
    """A semaphore as bodies see it."""

    def __init__(self, part: FieldOwner, field: Semaphore) -> None:
        self._part, self._field = part, field
        self._variable = field.variable_name(part.name)

    @property
    def count(self) -> Number:
        """How often it can be waited for without a post in between."""
        return cast(Number, self._part.read(self._variable))

    def post(self) -> None:
        """Raise it by one. Past `most` that is an error of the step, or changes nothing where it saturates."""
        count = self.count
        if not self._field.saturates or count < self._field.most:
            self._part.write(self._variable, count + 1)

    def wait(self) -> None:
        """Lower it by one: a guard, which does not hold at 0."""
        count = self.count
        require(count > 0)
        self._part.write(self._variable, count - 1)

    def try_wait(self) -> bool:
        """Lower it by one where it is not 0, and say whether it was not."""
        count = self.count
        if count > 0:
            self._part.write(self._variable, count - 1)
            return True
        return False


class Semaphore(Field[SemaphoreValue]):
    """A semaphore of a machine's threads: ``wakes = Semaphore("wake-ups that are due")``.

    It is a number from 0 to `most`, so a post that comes before the wait is kept.

    Args:
        most: the highest count.
        saturates: a post at `most` changes nothing. Otherwise it is an error of the step.
        initial: the count at the start.
    """

    def __init__(self, doc: str, most: int = 1, saturates: bool = False, initial: int = 0) -> None:
        super().__init__(doc, initial)
        self.most, self.saturates = most, saturates

    @overload
    def __get__(self, part: None, owner: type) -> Semaphore: ...
    @overload
    def __get__(self, part: FieldOwner, owner: type) -> SemaphoreValue: ...
    def __get__(self, part: FieldOwner | None, owner: type) -> Semaphore | SemaphoreValue:
        return self if part is None else SemaphoreValue(part, self)

    def __set__(self, part: FieldOwner, value: SemaphoreValue) -> None:
        raise SpecError(
            f"{part.name}.{self.name} is a semaphore: use {self.name}.post() and {self.name}.wait()",
            part.interpretation.where(),
        )

    def variable_name(self, owner: str) -> str:
        """The name of the variable with the count."""
        return f"{owner}.{self.name}.count"

    def variables(self, home: Home) -> list[tuple[Variable, object]]:
        """The count, and what it is at the start."""
        name = self.variable_name(home.owner)
        variable = Variable(name, home.owner, Sort.NUMBER, self.most + 1, (), 0, home.ghost, self.doc)
        return [(variable, self.initial)]

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        if type(self.most) is not int or self.most < 1:
            return f"has most={self.most!r}: a whole number from 1 on is needed"
        if not isinstance(self.saturates, bool):
            return f"has saturates={self.saturates!r}: True or False is needed"
        fits = type(self.initial) is int and 0 <= self.initial <= self.most
        return None if fits else f"starts as {self.initial!r}, outside of its range 0 to {self.most}"
