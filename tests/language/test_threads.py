"""Threads: declared on the machine, named by their declaration; what is not declared is refused with a suggestion."""

from __future__ import annotations

from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.language import Bitmap, Cpu, CpuBitmap, Flag, Machine, Page, Thread, action
from postcopy.language.instance import Instance
from tests.language.tiny import Base, here, protocol_of

CASES: list[Any] = []


def refused(message: str, inside: str = "") -> Any:
    """Note a machine that is refused at the line that is marked, in the method or else in the class."""

    def note(machine: type[Machine]) -> type[Machine]:
        CASES.append(pytest.param(machine, inside or machine.__name__, message, id=machine.__name__))
        return machine

    return note


@refused(
    'Misspelt.act is a step of "thraed", a thread that Misspelt does not declare; did you mean thread? '
    'To declare it write thraed = Thread("thraed") in the class, and @action(thraed)',
    "act",
)
class Misspelt(Base):
    @action("thraed")  # here
    def act(self) -> None:
        """acts"""


@refused(
    'LikeALabel.act is a step of "migration thred", a thread that LikeALabel does not declare; did you mean '
    'pages? To declare it write migration_thred = Thread("migration thred") in the class, and '
    "@action(migration_thred)",
    "act",
)
class LikeALabel(Base):
    pages = Thread("migration thread")

    @action("migration thred")  # here
    def act(self) -> None:
        """acts"""

    @action(pages)
    def sends(self) -> None:
        """sends"""


@refused(
    'Undeclared.act is a step of "idle thread", a thread that Undeclared does not declare; to declare it write '
    'idle = Thread("idle thread") in the class, and @action(idle)',
    "act",
)
class Undeclared(Base):
    @action(thread="idle thread")  # here
    def act(self) -> None:
        """acts"""


@refused(
    'OfAnother.act is a step of "elsewhere", a thread that OfAnother does not declare; to declare it write '
    'elsewhere = Thread("elsewhere") in the class, and @action(elsewhere)',
    "act",
)
class OfAnother(Base):
    @action(Thread("elsewhere"))  # here
    def act(self) -> None:
        """acts"""


@refused(
    'MisspeltAlone.act is a step of "wroker", a thread that MisspeltAlone does not declare; did you mean worker? To '
    'declare it write wroker = Thread("wroker") in the class, and @action(wroker)',
    "act",
)
class MisspeltAlone(Base):
    worker = Thread("worker")

    @action(thread="wroker")  # here
    def act(self) -> None:
        """acts"""


@refused(
    "NoCpu.act is a step of vCPU, which is one thread for each vCPU: give it a parameter cpu: Cpu",
    "act",
)
class NoCpu(Base):
    vcpu = Thread("vCPU", each=Cpu)

    @action(vcpu)  # here
    def act(self, page: Page) -> None:
        """acts"""


@refused(
    "NoAction.idle is a thread that no action names: write @action(idle) above those that are its steps, or delete it"
)
class NoAction(Base):
    idle = Thread("idle thread")  # here


class Other(Base):
    stranger = Thread("stranger")


@refused('WaitsElsewhere.wanted names "stranger", a thread that WaitsElsewhere does not declare')
class WaitsElsewhere(Base):
    wanted = Bitmap("pages", waits=Other.stranger)  # here


@refused("WaitsAsText.wanted says that 'thread' waits for its pages: name a thread that the class declares")
class WaitsAsText(Base):
    wanted = Bitmap("pages", waits="thread")  # type: ignore[arg-type]  # here


@refused("OneSet.wanted is one set, and its thread vCPU is one for each vCPU: name a thread that fits")
class OneSet(Base):
    vcpu = Thread("vCPU", each=Cpu)
    wanted = Bitmap("pages", waits=vcpu)  # here

    @action(vcpu)
    def act(self, cpu: Cpu) -> None:
        """acts"""


@refused("OneThread.wanted is one for each vCPU, and its thread worker is one: name a thread that fits")
class OneThread(Base):
    worker = Thread("worker")
    wanted = CpuBitmap("pages", waits=worker)  # here

    @action(worker)
    def act(self) -> None:
        """acts"""


@refused('TwoOfOneLabel.other is called "worker" like worker: give it another label')
class TwoOfOneLabel(Base):
    worker = Thread("worker")
    other = Thread("worker")  # here

    @action(worker)
    def act(self) -> None:
        """acts"""


@refused('OnceForEach.other is called "thread" like thread: give it another label')
class OnceForEach(Base):
    other = Thread("thread", each=Cpu)  # here

    @action(other)
    def act(self, cpu: Cpu) -> None:
        """acts"""


@pytest.mark.parametrize(("machine", "inside", "message"), CASES)
def test_a_thread_that_is_declared_wrongly_or_not_at_all_is_refused(
    machine: type[Machine], inside: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        Instance(protocol_of(machine), 1, 1)
    assert str(caught.value) == f"{here(machine)}, in {inside}: {message}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Thread(3),  # type: ignore[arg-type]
            'a thread is declared with what traces call it, not 3: migration = Thread("migration thread")',
        ),
        (
            lambda: Thread("vCPU", each=Page),  # type: ignore[arg-type]
            "a thread can be one for each Cpu (each=Cpu), not each=<class 'postcopy.language.values.Page'>: "
            'migration = Thread("migration thread")',
        ),
        (
            lambda: action(lambda self: None),  # type: ignore[arg-type]
            "an action names the thread whose step it is: @action(migration) in a class with "
            'migration = Thread("migration thread")',
        ),
    ],
)
def test_what_is_no_thread_is_refused_where_it_is_written(make: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        make()
    assert str(caught.value).removeprefix(f"{caught.value.where}: ") == message
    assert caught.value.where.startswith("test_threads.py:")


class Worker(Machine):
    work = Thread("worker")

    done = Flag("done")

    @action(work)
    def works(self) -> None:
        """works"""
        self.done = True


class ByLabel(Worker):
    @action("worker")
    def rests(self) -> None:
        """rests"""


class ByAttribute(Worker):
    @action("work")
    def rests(self) -> None:
        """rests"""


class ByDeclaration(Worker):
    @action(Worker.work)
    def rests(self) -> None:
        """rests"""


class DeclaredAgain(Worker):
    """Two changes that are merged may both declare a thread that their bases do not have."""

    same = Thread("worker")

    @action(same)
    def rests(self) -> None:
        """rests"""


class AttributeTaken(Worker):
    """The actions of the base stay what they were."""

    work = Thread("another worker")

    @action(Worker.work)
    def rests(self) -> None:
        """rests"""

    @action(work)
    def plays(self) -> None:
        """plays"""


class Removed(Worker):
    """A thread all of whose actions are removed is no mistake."""

    works = None  # type: ignore[assignment]

    @action(Worker.work)
    def rests(self) -> None:
        """rests"""


@pytest.mark.parametrize("machine", [ByLabel, ByAttribute, ByDeclaration, DeclaredAgain, AttributeTaken, Removed])
def test_a_thread_of_a_base_is_named_by_its_declaration_attribute_or_label(machine: type[Machine]) -> None:
    threads = {a.method: a.thread for a in Instance(protocol_of(machine), 1, 1).actions if a.machine == "left"}
    assert {threads[name] for name in ("works", "rests") if name in threads} == {"worker"}
    assert threads.get("plays", "another worker") == "another worker"
