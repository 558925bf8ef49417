"""The variables that machines, ghosts and monitors declare: bitmaps, flags and counts. Choices are in `choices`."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Generic, TypeVar, cast, overload

from postcopy.errors import SpecError, UnknownNameError
from postcopy.language.interpretation import Interpretation
from postcopy.language.threads import Thread
from postcopy.language.values import NONE, Cpu, PageSet, Whole
from postcopy.language.variables import Sort, Variable

T = TypeVar("T")


class Either(Enum):
    """The type of `EITHER`."""

    EITHER = "either"


EITHER: Final = Either.EITHER
"""An initial value that is left open: both truth values, or all sets of pages, are explored."""


class FieldOwner(typing.Protocol):
    """What a field and a channel's end need of the machine, ghost or monitor that they are declared on."""

    @property
    def name(self) -> str:
        """Its name in the protocol."""

    @property
    def interpretation(self) -> Interpretation:
        """The interpretation that runs its bodies."""

    def read(self, variable: str, /) -> object:
        """The value of one of its variables, if the acting machine may see it."""

    def write(self, variable: str, value: object, /) -> None:
        """Change one of its variables, if the acting machine may."""


@dataclass(frozen=True)
class Home:
    """The part of the state that a field belongs to.

    Attributes:
        owner: its name in the protocol.
        ghost: whether it is history.
        cpus: how many vCPUs there are.
        threads: its threads, as in a sentence.
    """

    owner: str
    ghost: bool
    cpus: int
    threads: tuple[str, ...] = ()


class Field(Generic[T]):
    """A variable of a machine. An action that reads or assigns it goes through the interpretation.

    Attributes:
        doc: its meaning, in the document's words.
        initial: its value in the initial states.
        waits: for a set of pages, the thread that waits for them; None where none does.
        role: for a set of pages, what its pages are in the protocol: a member of an enumeration of the protocol's own,
            which properties ask for (`View.pages_of`). None where that is not declared.
    """

    def __init__(self, doc: str, initial: object, waits: Thread | None = None, role: Enum | None = None) -> None:
        self.doc, self.initial, self.waits, self.role = doc, initial, waits, role
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, part: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, part: FieldOwner, owner: type) -> T: ...
    def __get__(self, part: FieldOwner | None, owner: type) -> Field[T] | T:
        if part is None:
            return self
        return cast(T, part.read(f"{part.name}.{self.name}"))

    def __set__(self, part: FieldOwner, value: Any) -> None:
        part.write(f"{part.name}.{self.name}", value)

    def variables(self, home: Home) -> list[tuple[Variable, object]]:
        """The state variables that the field stands for, each with its initial value."""
        shape = self._shape()
        names: list[tuple[str, str, int | None]] = [(self.name, self.doc, None)]
        if self._per_cpu:
            names = [(f"{self.name}[{cpu}]", f"{self.doc} (vCPU {cpu})", cpu) for cpu in range(home.cpus)]
        fixed = self.role, self._extended()
        return [
            (
                Variable(f"{home.owner}.{name}", home.owner, *shape, home.ghost, doc, self._waits(cpu), *fixed),
                self.initial,
            )
            for name, doc, cpu in names
        ]

    def carried(self, name: str, channel: str, doc: str) -> Variable:
        """The state variable for its value in one of the messages on a channel."""
        return Variable(name, channel, *self._shape(), doc=doc)

    def _waits(self, cpu: int | None) -> str:
        return "" if self.waits is None else self.waits.in_a_sentence(cpu)

    _per_cpu: ClassVar[bool] = False

    def _extended(self) -> bool:
        """Whether its values are members of several enumerations."""
        return False

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        """Sort, number of values, their meanings, lowest value."""
        return (Sort.PAGES, 0, (), 0)

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        if not isinstance(self.initial, Whole | Either):
            return f"starts as {self.initial!r}: it can start as NONE, ALL or EITHER"
        if not isinstance(self.role, Enum | None):
            return f"has the role {self.role!r}: a role is a member of an enumeration"
        if self.waits is None:
            return None
        if not isinstance(self.waits, Thread):
            return f"says that {self.waits!r} waits for its pages: name a thread that the class declares"
        if (self.waits.each is not None) != self._per_cpu:
            sets, threads = ("one for each vCPU", "one") if self._per_cpu else ("one set", "one for each vCPU")
            return f"is {sets}, and its thread {self.waits.label} is {threads}: name a thread that fits"
        return None


class Bitmap(Field[PageSet]):
    """A set of pages; initially `EITHER` where every set is to be explored. `waits` and `role`: see `Field`."""

    def __init__(
        self, doc: str, initial: Whole | Either = NONE, waits: Thread | None = None, role: Enum | None = None
    ) -> None:
        super().__init__(doc, initial, waits, role)

    def __set__(self, part: FieldOwner, value: PageSet | Whole) -> None:
        super().__set__(part, value)


class Flag(Field[bool]):
    """A truth value; initially `EITHER` where both are to be explored."""

    def __init__(self, doc: str, initial: bool | Either = False) -> None:
        super().__init__(doc, initial)

    def __set__(self, part: FieldOwner, value: bool) -> None:
        super().__set__(part, value)

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        return (Sort.NUMBER, 2, (False, True), 0)

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        fits = isinstance(self.initial, bool | Either)
        return None if fits else f"starts as {self.initial!r}: it can start as False, True or EITHER"


class Count(Field[int]):
    """A whole number from `low` to `high`; leaving that range is an error of the specification."""

    def __init__(self, doc: str, low: int, high: int, initial: int = 0) -> None:
        super().__init__(doc, initial)
        self.low, self.high = low, high

    def __set__(self, part: FieldOwner, value: int) -> None:
        super().__set__(part, value)

    def _shape(self) -> tuple[Sort, int, tuple[object, ...], int]:
        return (Sort.NUMBER, self.high - self.low + 1, (), self.low)

    def problem(self) -> str | None:
        """The mistake in the declaration, or None."""
        if self.initial is EITHER:
            return "starts as EITHER, which only a Flag or a Bitmap can"
        fits = type(self.initial) is int and self.low <= self.initial <= self.high
        return None if fits else f"starts as {self.initial!r}, outside of its range {self.low} to {self.high}"


class CpuPages:
    """A set of pages for each vCPU: the value of a `CpuBitmap`."""

    def __init__(self, part: FieldOwner, field: str, cpus: int) -> None:
        self._part, self._names = part, [f"{part.name}.{field}[{cpu}]" for cpu in range(cpus)]

    def _of(self, cpu: Cpu) -> str:
        if not 0 <= cpu < len(self._names):
            raise UnknownNameError(
                f"there is no vCPU {int(cpu)}: the protocol has cpus = {len(self._names)}",
                self._part.interpretation.where(),
            )
        return self._names[cpu]

    def __getitem__(self, cpu: Cpu) -> PageSet:
        return cast(PageSet, self._part.read(self._of(cpu)))

    def __setitem__(self, cpu: Cpu, pages: PageSet | Whole) -> None:
        self._part.write(self._of(cpu), pages)

    def remove(self, pages: PageSet | Whole) -> None:
        """Take the pages out of every vCPU's set."""
        for name in self._names:
            self._part.write(name, cast(PageSet, self._part.read(name)) - pages)

    @property
    def any(self) -> PageSet:
        """The pages in some vCPU's set."""
        first, *rest = (cast(PageSet, self._part.read(name)) for name in self._names)
        for pages in rest:
            first = first | pages
        return first

    @property
    def none_empty(self) -> bool:
        """Whether every vCPU's set has a page."""
        return all(not cast(PageSet, self._part.read(name)).empty for name in self._names)


class CpuBitmap(Field[CpuPages]):
    """A set of pages for each vCPU, initially empty; `waits` and `role` as for a `Bitmap`."""

    _per_cpu = True

    def __init__(self, doc: str, waits: Thread | None = None, role: Enum | None = None) -> None:
        super().__init__(doc, NONE, waits, role)

    @overload
    def __get__(self, part: None, owner: type) -> Field[CpuPages]: ...
    @overload
    def __get__(self, part: FieldOwner, owner: type) -> CpuPages: ...
    def __get__(self, part: FieldOwner | None, owner: type) -> Field[CpuPages] | CpuPages:
        return self if part is None else CpuPages(part, self.name, part.interpretation.instance.cpus)

    def __set__(self, part: FieldOwner, value: CpuPages) -> None:
        raise SpecError(
            f"{part.name}.{self.name} is a set for each vCPU: assign to one, {self.name}[cpu] = ..., or remove() pages",
            part.interpretation.where(),
        )
