"""What the tests of errors share: a tiny protocol, and cases with the exact message and its line.

A case is a machine called `left` beside an innocent machine `right`; the line at fault carries the comment
`# here`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum, IntEnum, auto
from pathlib import Path
from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.language import (
    Bitmap,
    Channel,
    Choice,
    Count,
    CpuBitmap,
    Flag,
    Ghost,
    Machine,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
)
from postcopy.language.instance import Instance
from postcopy.language.symbolic import SymbolicInterpretation, read_action
from postcopy.prover.unbounded import UnboundedInterpretation


class Phase(IntEnum):
    IDLE = auto()
    BUSY = auto()


class Other(IntEnum):
    FIRST = auto()
    SECOND = auto()


class Colour(Enum):
    RED = auto()
    GREEN = auto()


class Letter(Enum):
    PLAIN = auto()
    STAMPED = auto()


class Memory(Ghost):
    old = Bitmap("pages with a history")
    flagged = Flag("a flag")

    def touched(self, pages: Any) -> None:
        self.old |= pages


class Base(Machine):
    """What the cases below have."""

    thread = Thread("thread")

    phase = Choice("the phase", Phase.IDLE)
    colour = Choice("the colour", Colour.RED)
    busy = Flag("busy")
    dirty = Bitmap("dirty pages")
    waiting = CpuBitmap("what the vCPUs wait for")
    count = Count("a number", 0, 3)
    wide = Count("a number of a wider range", -5, 5)
    stream = Sends("wire")
    back = Receives("back")

    @action(thread, rule="R1")
    def serves_request(self) -> None:
        """does nothing"""


class Right(Machine):
    thread = Thread("thread")

    present = Bitmap("pages that are there")
    stream = Receives("wire")
    back = Sends("back")

    @action(thread)
    def idles(self) -> None:
        """does nothing"""


class Innocent(Protocol):
    left = Base
    right = Right
    memory = Memory
    wire = Channel(Letter)
    back = Channel(Letter)

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


def protocol_of(machine: type[Machine], ghost: type[Ghost] = Memory) -> type[Protocol]:
    class Tiny(Protocol):
        left = machine
        right = Right
        memory = ghost
        wire = Channel(Letter, marks=("stale",), marked=(Letter.STAMPED,))
        back = Channel(Letter)

        @staticmethod
        def may_rest(state: View) -> bool:
            return True

    return Tiny


def read(
    machine: type[Machine],
    ghost: type[Ghost] = Memory,
    in_flight: int = 2,
    make: type[SymbolicInterpretation] = SymbolicInterpretation,
) -> None:
    """Read all of a machine's actions."""
    instance = Instance(protocol_of(machine, ghost), 2, in_flight)
    for each in instance.actions:
        read_action(instance, each, make)


def here(what: type | Callable[..., Any]) -> str:
    """``file:line`` of the line that is marked so in a class or function."""
    lines, first = inspect.getsourcelines(what)
    (line,) = (number for number, text in enumerate(lines, first) if text.rstrip().endswith("# here"))
    return f"{Path(inspect.getfile(what)).name}:{line}"


class Cases:
    """Machines that cheat or err, each with what the error has to say."""

    def __init__(self) -> None:
        self.params: list[Any] = []

    def __call__(
        self, message: str, inside: str = "act", ghost: type[Ghost] = Memory, at: Any = None
    ) -> Callable[[type[Machine]], type[Machine]]:
        """Note a case.

        Args:
            message: the exact text.
            inside: the method that the place names, and who called it.
            ghost: the protocol's ghost.
            at: the function or class with the marked line, if not the machine itself.
        """

        def note(machine: type[Machine]) -> type[Machine]:
            where = f"{here(at or machine)}, in {inside}"
            self.params.append(pytest.param(machine, ghost, where, message, id=machine.__name__))
            return machine

        return note


def refused(machine: type[Machine], ghost: type[Ghost], where: str, message: str) -> None:
    """Reading the machine gives exactly this error, whether for a search or for a proof."""
    for make in (SymbolicInterpretation, UnboundedInterpretation):
        with pytest.raises(SpecError) as caught:
            read(machine, ghost, make=make)
        assert str(caught.value) == f"{where}: {message}"
        assert caught.value.where == where
