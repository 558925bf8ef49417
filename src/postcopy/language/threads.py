"""Threads: each action of a machine is a step of one of its threads, and each thread is treated fairly."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from postcopy.errors import SpecError
from postcopy.language.source_locations import location
from postcopy.language.values import Cpu
from postcopy.suggestions import closest


@dataclass(frozen=True)
class Thread:
    """A thread of a machine, declared in the machine's class: ``migration = Thread("migration thread")``.

    It is one unit of weak fairness, however many actions, pages and vCPUs it has: "a thread that can always move does
    move" says nothing of which of its steps it takes. ``vcpu = Thread("vCPU", each=Cpu)`` declares one thread for each
    vCPU: its actions take a parameter ``cpu``, and each vCPU is a unit of its own.

    Attributes:
        label: what traces call it.
        each: `Cpu` for one thread for each vCPU, otherwise None.

    Raises:
        SpecError: the label is no text, or `each` is something else.
    """

    label: str
    each: type[Cpu] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label:
            problem = f"a thread is declared with what traces call it, not {self.label!r}"
        elif self.each not in (None, Cpu):
            problem = f"a thread can be one for each Cpu (each=Cpu), not each={self.each!r}"
        else:
            return
        raise SpecError(f'{problem}: migration = Thread("migration thread")', location(inspect.currentframe(), None))

    def name(self, cpu: int | None) -> str:
        """What traces call the thread that takes an action, e.g. ``listen thread`` or ``vCPU 1``."""
        return f"{self.label} {cpu}" if self.each is not None else self.label

    def in_a_sentence(self, cpu: int | None) -> str:
        """The same in a sentence: ``the listen thread``, ``vCPU 1``."""
        return self.name(cpu) if self.each is not None else f"the {self.label}"


def declared_threads(machine: type) -> dict[str, Thread]:
    """The threads that a machine's class and its bases declare, by attribute, in the order of declaration."""
    found: dict[str, Thread] = {}
    for base in reversed(machine.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, Thread)}
    return found


def threads_in_sentences(machine: type, cpus: int) -> Iterator[str]:
    """All threads of a machine as in a sentence: ``the main thread``, ``vCPU 0``, ``vCPU 1``."""
    for thread in declared_threads(machine).values():
        yield from (thread.in_a_sentence(cpu) for cpu in range(cpus if thread.each is not None else 1))


def thread_of(machine: type, named: Thread | str) -> Thread | None:
    """The declared thread of a machine that an action names, by its declaration, its attribute or its label.

    A base's declaration counts, even where a subclass has given the attribute to another thread.
    """
    declared = [
        (name, value) for base in machine.__mro__ for name, value in vars(base).items() if isinstance(value, Thread)
    ]
    fits = (thread for name, thread in declared if named in (thread, name, thread.label))
    return next(fits, None)


def undeclared(machine: type, named: Thread | str) -> str:
    """What to say of an action that names a thread that its machine does not declare: what was meant, what to write."""
    label = named if isinstance(named, str) else named.label
    short = label.removesuffix(" thread")
    threads = declared_threads(machine)
    known = {thread.label.removesuffix(" thread"): name for name, thread in threads.items()} | {n: n for n in threads}
    close = closest(short, known)
    attribute = re.sub(r"\W+", "_", short).strip("_").lower()
    return (
        f'is a step of "{label}", a thread that {machine.__name__} does not declare; '
        + (f"did you mean {known[close]}? To" if close else "to")
        + f' declare it write {attribute} = Thread("{label}") in the class, and @action({attribute})'
    )
