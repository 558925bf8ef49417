"""Actions: how a method becomes one atomic step of a thread, its guards, and its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeVar

from postcopy.errors import SpecError
from postcopy.language.body_errors import Disabled
from postcopy.language.source_locations import location
from postcopy.language.threads import Thread
from postcopy.language.values import Truth
from postcopy.language.variables import Variable

F = TypeVar("F", bound=Callable[..., None])


def require(condition: bool) -> None:
    """A guard: the action can be taken only where the condition holds."""
    if not isinstance(condition, bool | Truth):
        bool(condition)  # a set of pages, a number or a bitmap raises a better message here
        what = f"{condition.__name__} without ()" if callable(condition) else repr(condition)
        raise SpecError(f"require needs a truth value, not {what}", location(inspect.currentframe(), None))
    if not condition:
        raise Disabled


@dataclass(frozen=True)
class ActionInfo:
    """The attributes of an action, as its decorator gives them.

    Attributes:
        thread: the thread whose step it is: its declaration, or the attribute or label of one.
        rule: rules of the document that it stands for, e.g. ``"R17"`` or ``"R10 R13"``.
        qemu: the function of QEMU that does it, where known.
        environment: a step that may never be taken, even where it stays possible (guest, operator, network).
        fair: a step that its thread takes in the end where it stays possible, whatever else the thread could do,
            because it looks for it in every round of its loop. Of other steps it is only assumed that the
            thread takes one of them.
        strongly: the same of a step that becomes possible again and again, however short that lasts each time: its
            scheduler remembers that it wanted to be taken.
        at: where in its program the thread has to be: values of the machine's one `Choice` that has them all. Empty
            where that does not matter.
    """

    thread: Thread | str
    rule: str = ""
    qemu: str = ""
    environment: bool = False
    fair: bool = False
    strongly: bool = False
    at: tuple[Enum, ...] = ()


def action(
    thread: Thread | str,
    rule: str = "",
    qemu: str = "",
    environment: bool = False,
    fair: bool | Literal["strongly"] = False,
    at: Enum | tuple[Enum, ...] = (),
) -> Callable[[F], F]:
    """Mark a method as one atomic step of a thread. Its docstring is the step in words, for traces.

    Args:
        thread: a thread that the machine declares; a text names one by its attribute or its label.
        rule: see `ActionInfo`, as for the other arguments.
        qemu: see there.
        environment: see there.
        fair: see there; True, or "strongly" for both.
        at: see there; one value, or several.

    Raises:
        SpecError: no thread is named, a step that may never be taken is called fair, there is no such fairness, or `at`
            is no value of an enumeration.
    """
    if not isinstance(thread, Thread | str):
        raise SpecError(
            "an action names the thread whose step it is: @action(migration) in a class with "
            'migration = Thread("migration thread")',
            location(inspect.currentframe(), None),
        )
    if not isinstance(fair, bool) and fair != "strongly":
        raise SpecError(
            f"fair={fair!r} is no kind of fairness: write fair=True for a step that is taken in the end if it stays "
            'possible, fair="strongly" for one that is taken in the end if it becomes possible again and again',
            location(inspect.currentframe(), None),
        )
    if environment and fair:
        raise SpecError(
            "an action cannot be fair and environment: a step of the environment may never be taken",
            location(inspect.currentframe(), None),
        )

    places = at if isinstance(at, tuple) else (at,)
    if not all(isinstance(place, Enum) for place in places):
        raise SpecError(
            f"at={at!r} is no place in a thread's program: write a value of the machine's Choice, at=State.LISTENING, "
            "or several, at=(State.ADVISED, State.LISTENING)",
            location(inspect.currentframe(), None),
        )

    def mark(function: F) -> F:
        function.__dict__["action_info"] = ActionInfo(
            thread, rule, qemu, environment, bool(fair), fair == "strongly", places
        )
        return function

    return mark


PageChoice = int | tuple[int, int] | None
"""The page that a step is taken with; both of them, where it is about two; None where it is about none."""


def numbers_of(choice: PageChoice) -> tuple[int, ...]:
    """The pages of a choice, in the order of the action's parameters."""
    return choice if isinstance(choice, tuple) else () if choice is None else (choice,)


@dataclass(frozen=True)
class ActionInstance:
    """One action of one machine (for one vCPU, where it has such a parameter).

    Attributes:
        name: ``machine.method`` or ``machine.method[cpu]``: unique.
        machine: the machine's name in the protocol.
        method: the method's name.
        info: what its decorator says: rule, QEMU function, environment.
        declared: the thread whose step it is, as the machine declares it.
        cpu: the vCPU, or None.
        page_names: the names of its page parameters: none, ``page``, or two.
        words: the step in words, as its docstring has it.
        place: the variable that says where in its program the thread is; None where the step can be taken anywhere.
        beside: the machine belongs to a second system, whose threads may be called like those of the first.
    """

    name: str
    machine: str
    method: str
    info: ActionInfo
    declared: Thread
    cpu: int | None
    page_names: tuple[str, ...]
    words: str
    place: Variable | None = None
    beside: bool = False

    @property
    def takes_page(self) -> bool:
        """Whether it has a page parameter."""
        return bool(self.page_names)

    def choices(self, pages: int) -> Sequence[PageChoice]:
        """What it can be tried with where there are so many pages: each page, or each pair, equal pages included."""
        if len(self.page_names) == 2:
            return [(one, other) for one in range(pages) for other in range(pages)]
        return range(pages) if self.page_names else [None]

    @property
    def doc(self) -> str:
        """The step in words. Where its thread does not name the vCPU, the words do."""
        return self.words if self.cpu is None or self.declared.each else f"{self.words}, for vCPU {self.cpu}"

    @property
    def thread(self) -> str:
        """The thread whose step it is, e.g. ``listen thread``, ``vCPU 1`` or ``listen thread (clone)``."""
        name = self.declared.name(self.cpu)
        return f"{name} ({self.machine.replace('_', ' ')})" if self.beside else name
