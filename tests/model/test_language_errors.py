"""Every way to cheat or err in an action or a declaration, each with the exact message and the line it names.

A case is a machine called `left` beside an innocent machine `right`; the line at fault carries the comment `# here`.
Mistakes that only the concrete reading can see, and those of properties, stand at the end.
"""

# ruff: noqa: B018, PLW0602, PLW0603, PLC0415, SIM103, SIM105, S110, E721, F632, PLR0124, RUF012, B006, F821, PT017, DTZ005

from __future__ import annotations

import datetime
import inspect
import itertools
import random
import sys
import time
from collections.abc import Callable
from enum import Enum, IntEnum, auto
from random import choice
from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.model import symbolic
from postcopy.model.concrete import take
from postcopy.model.declarations import of_class
from postcopy.model.instance import Instance
from postcopy.model.language import (
    EITHER,
    NONE,
    Bitmap,
    Channel,
    Choice,
    Count,
    Cpu,
    CpuBitmap,
    Flag,
    Ghost,
    Machine,
    Monitor,
    Page,
    Protocol,
    Receives,
    Sends,
    Step,
    View,
    action,
    require,
)
from postcopy.model.symbolic import Leaf, read_action, read_predicate
from postcopy.properties.language import always, every_step


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

    phase = Choice("the phase", Phase.IDLE)
    colour = Choice("the colour", Colour.RED)
    busy = Flag("busy")
    dirty = Bitmap("dirty pages")
    waiting = CpuBitmap("what the vCPUs wait for")
    count = Count("a number", 0, 3)
    wide = Count("a number of a wider range", -5, 5)
    stream = Sends("wire")
    back = Receives("back")

    @action(thread="thread", rule="R1")
    def serves_request(self) -> None:
        """does nothing"""


class Right(Machine):
    present = Bitmap("pages that are there")
    stream = Receives("wire")
    back = Sends("back")

    @action(thread="thread")
    def idles(self) -> None:
        """does nothing"""


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


def read(machine: type[Machine], ghost: type[Ghost] = Memory, in_flight: int = 2) -> None:
    """Read all of a machine's actions."""
    instance = Instance(protocol_of(machine, ghost), 2, in_flight)
    for each in instance.actions:
        read_action(instance, each)


def here(what: type | Callable[..., Any]) -> int:
    """The number of the line marked so."""
    lines, first = inspect.getsourcelines(what)
    (line,) = (number for number, text in enumerate(lines, first) if text.rstrip().endswith("# here"))
    return line


CASES: list[Any] = []


def case(message: str, inside: str = "act", ghost: type[Ghost] = Memory) -> Callable[[type[Machine]], type[Machine]]:
    def note(machine: type[Machine]) -> type[Machine]:
        CASES.append(pytest.param(machine, ghost, inside, message, id=machine.__name__))
        return machine

    return note


# -- what belongs to others ------------------------------------------------------------------------------------------


@case(
    "Reads has no field right: a machine sees only its own state and its ends of the channels; "
    "send a message instead"
)
class Reads(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.right.present.empty)  # here


@case("it uses .reading, which is not for specifications: a machine sees only its fields and ends")
class Constructs(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(Right("right", self.reading).present.empty)  # here


@case(
    "left reads right.present, which belongs to right: a machine sees only its own state and its ends of the "
    "channels; send a message instead"
)
class ReadsThroughGhost(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.memory.world.right.present.empty)  # here


@case(
    "left reads right.present, which belongs to right: a machine sees only its own state and its ends of the "
    "channels; send a message instead",
    inside="reads_elsewhere, called by act",
)
class ReadsByName(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        reads_elsewhere(self)


def reads_elsewhere(machine: Any) -> None:
    require(Right("right", getattr(machine, "reading")).present.empty)  # noqa: B009


@case(
    "left reads right's end of back, which belongs to right: a machine sees only its own state and its ends of the "
    "channels; send a message instead"
)
class SendsForOthers(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.world.right.back.send(Letter.PLAIN)  # here


@case("left changes wire: ghosts, monitors and properties only look")
class X1(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.world.wire.close()  # here


@case(
    "left writes memory.old, which belongs to memory: only memory itself may change it; "
    "call a method of memory instead"
)
class WritesGhost(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.old = NONE  # here


@case("a guard reads history (memory.old.empty): ghosts are for properties, no step may depend on one")
class GuardReadsGhost(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.memory.old.empty)  # here


@case(
    "left.dirty is given a value that depends on history (memory.old): ghosts are for properties, "
    "no step may depend on one"
)
class GhostFlowsIntoBitmap(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.dirty = self.memory.old  # here


@case(
    "left.busy is given a value that depends on history ((1 if memory.flagged == True else 0)): ghosts are for "
    "properties, no step may depend on one"
)
class GhostFlowsIntoFlag(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.busy = self.memory.flagged  # here


@case(
    "wire[1].pages is given a value that depends on history: ..."
)
class GhostFlowsIntoMessage(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN, self.memory.old)  # here


class Forbids(Memory):
    def touched(self, pages: Any) -> None:
        require(self.old.empty)  # here


@case("memory has a guard: no step may depend on history", inside="touched, called by act", ghost=Forbids)
class GhostForbids(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


class Meddles(Memory):
    def touched(self, pages: Any) -> None:
        self.world.left.dirty = NONE  # here


@case(
    "memory writes left.dirty, which belongs to left: only left itself may change it; send a message instead",
    inside="touched, called by act",
    ghost=Meddles,
)
class GhostMeddles(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


class Closes(Memory):
    def touched(self, pages: Any) -> None:
        self.world.wire.close()  # here


@case(
    "memory changes wire: ghosts, monitors and properties only look", inside="touched, called by act", ghost=Closes
)
class GhostCloses(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


class Marks(Memory):
    def touched(self, pages: Any) -> None:
        self.world.wire.mark("stail", pages)  # here


@case("wire has no mark stail; its marks are stale", inside="touched, called by act", ghost=Marks)
class GhostMarks(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


# -- names -----------------------------------------------------------------------------------------------------------


@case("ReadsUndeclared has no field dirt; did you mean dirty?")
class ReadsUndeclared(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.dirt.empty)  # here


@case(
    "ReadsUnknown has no field xyz; its fields are phase, colour, busy, dirty, waiting, count, wide"
)
class ReadsUnknown(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.xyz)  # here


@case(
    'AssignsUndeclared has no field bussy: declare it in the class, e.g. bussy = Flag("..."); did you mean busy?'
)
class AssignsUndeclared(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.bussy = True  # here


@case("a channel's end cannot be assigned to: send, receive or close")
class AssignsEnd(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.stream = NONE  # here


@case("left.waiting is a set for each vCPU: assign to one, waiting[cpu] = ..., or remove() pages")
class AssignsAllCpus(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.waiting = NONE  # here


@case("Memory has no tuched; did you mean touched?")
class CallsUnknownGhostMethod(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.memory.tuched(self.dirty)  # here


# -- values ----------------------------------------------------------------------------------------------------------


@case("left.count leaves its range 0 to 3")
class OutOfRange(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.count = 4  # here


@case("left.count is given True, which is not a whole number")
class TruthForNumber(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.count = True  # here


@case("left.count is given '2', which is not a whole number")
class TextForNumber(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.count = "2"  # here


@case("left.count is given <Phase.BUSY: 2>, which is not a whole number")
class MemberForNumber(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.count = Phase.BUSY  # here


@case("left.phase is given 1, which is not a Phase")
class NumberForMember(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.phase = 1  # here


@case("left.phase is given <Other.FIRST: 1>, which is not a Phase")
class OtherEnumeration(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.phase = Other.FIRST  # here


@case("left.phase is given left.colour, which is not a Phase")
class OtherField(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.phase = self.colour  # here


@case("left.phase is given None, which is not a Phase")
class NoneForMember(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.phase = None  # here


@case("a truth value is needed here, not 1")
class NumberForTruth(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.busy = 1  # here


@case("a set of pages is needed here, not False")
class TruthForPages(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.dirty = False  # here


@case("a set of pages is needed here, not left.phase")
class MemberInSet(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.dirty |= self.phase  # here


@case("a Phase is compared with <Other.FIRST: 1>")
class ComparesWithOther(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.phase == Other.FIRST)  # here


@case("a Phase is compared with 1")
class ComparesWithNumber(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.phase == 1)  # here


@case("a number is compared with a Phase")
class ComparesFields(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.count == self.phase)  # here


@case("the members of Colour have no order: make it an IntEnum with ascending values")
class OrdersUnordered(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.colour < Colour.GREEN)  # here


@case("only a constant whole number can be added, and only to a Count")
class AddsFields(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.count = self.count + self.wide  # here


@case("only a constant whole number can be added, and only to a Count")
class SubtractsFields(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.count = self.count - self.wide  # here


@case("a number is not a truth value: compare it")
class NumberAsTruth(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        if self.count:  # here
            self.busy = True


@case("a number is not a truth value: compare it")
class RequiresNumber(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.count)  # here


@case("a value of the state is used as a plain Python number")
class NumberAsIndex(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        for _ in range(self.count):  # here
            self.busy = True


@case("a value of the state cannot be looked up in a Python set or dictionary: compare it")
class LooksUp(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require({Phase.IDLE: True}[self.phase])  # here


@case("require needs a truth value, not room without ()")
class RequiresMethod(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room)  # here


@case("require needs a truth value, not None")
class RequiresNothing(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self._ready())  # here

    def _ready(self: Any) -> None:
        self.busy = True


@case("room without () is always true: write room()")
class MethodAsTruth(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        if not self.stream.room:  # here
            self.busy = True


@case("_ready without () is always true: write _ready()")
class HelperAsTruth(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        if self._ready and self.busy:  # here
            self.busy = False

    def _ready(self: Any) -> bool:
        return bool(self.busy)


@case("it returns False: an action returns nothing, and a guard is require(...)", inside="act")
class ReturnsGuard(Base):
    @action(thread="thread")  # here
    def act(self: Any) -> Any:
        if self.busy:
            return False
        return None


# -- pages -----------------------------------------------------------------------------------------------------------


@case("a set of pages cannot be looped over: use whole-bitmap operators and a page parameter")
class Loops(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        for page in self.dirty:  # here
            self.dirty -= page


@case("a set of pages cannot be looped over: use whole-bitmap operators and a page parameter")
class Sorts(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        first = sorted(self.dirty)[0]  # here
        self.dirty -= first


@case("pages have no order: ask subset_of()")
class Orders(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        require(page < self.dirty)  # here


@case("the pages of a set cannot be counted: ask .empty or .full")
class Counts(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(len(self.dirty) > 1)  # here


@case("a page has no number: pages are interchangeable")
class Numbers(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        require(int(page) == 0)  # here


@case("a page has no number: pages are interchangeable")
class Indexes(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        require((True, False)[page])  # here


@case("compare sets of pages with same_as() or subset_of()")
class ComparesSets(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.dirty == NONE)  # here


@case("compare sets of pages with same_as() or subset_of()")
class ComparesPages(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        require(page != self.dirty)  # here


@case("a set of pages is not a truth value: ask .empty, .full or pages[page]")
class SetAsTruth(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        if self.dirty:  # here
            self.busy = True


@case("ask whether a page is in a set with pages[page], whether a set is with subset_of()")
class AsksIn(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        require(page in self.dirty)  # here


@case("a set of pages is not changed in place: write pages |= page or pages -= page")
class ChangesInPlace(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        self.dirty[page] = False  # here


@case("a set of pages cannot be looked up in a Python set or dictionary")
class LooksUpPage(Base):
    @action(thread="thread")
    def act(self: Any, page: Page) -> None:
        require(page in {1, 2})  # here


# -- channels --------------------------------------------------------------------------------------------------------


@case("wire may be full here: require room() before sending PLAIN")
class SendsWithoutRoom(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.stream.send(Letter.PLAIN)  # here


@case("wire may be full here: require room(2) before sending PLAIN")
class SendsTwice(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN)
        self.stream.send(Letter.PLAIN)  # here


@case("wire may be full here: require room() before sending PLAIN")
class RoomOnOneWayOnly(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        if self.busy:
            require(self.stream.room())
        self.stream.send(Letter.PLAIN)  # here


@case("room(0): a number of messages from 1 on is needed")
class NoRoom(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room(0))  # here


@case("wire carries Letter, not <Phase.IDLE: 1>")
class SendsAlien(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Phase.IDLE)  # here


@case("back carries Letter, not <Phase.IDLE: 1>")
class ReceivesAlien(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.back.receive(Phase.IDLE)  # here


@case("a STAMPED on wire carries stale, not no mark: send(..., mark=pages)")
class ForgetsMark(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.STAMPED, self.dirty)  # here


@case("a PLAIN on wire carries no mark, not fresh: send(..., mark=pages)")
class InventsMark(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN, self.dirty, fresh=self.dirty)  # here


@case("the message carries no mark stale; its marks are none")
class AsksForMark(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        message = self.back.receive(Letter.PLAIN)
        self.dirty = message.marked["stale"]  # here


@case("a set of pages is needed here, not True")
class SendsNoPages(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN, True)  # here


@case("a member of an enumeration is needed to observe, not 'served'")
class ObservesText(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self.observe("served", self.dirty)  # here


# -- what is not part of the state -----------------------------------------------------------------------------------

COUNTER = [0]
FIXED = (Phase.IDLE, 3, "text", frozenset((1, 2)))
TALLY = 0


@case("it uses random.random, which depends on random and not on the state")
class TossesCoin(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(random.random() < 0.5)  # here


@case("it uses choice, which depends on random and not on the state")
class Chooses(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(choice((True, False)))  # here


@case("it uses time.time, which depends on time and not on the state")
class LooksAtClock(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(time.time() > 0)  # here


@case("it uses datetime.datetime, which depends on datetime and not on the state")
class LooksAtCalendar(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(datetime.datetime.now().day > 3)  # here


@case("it uses random.random, which depends on random and not on the state", inside="tosses, called by act")
class TossesElsewhere(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(tosses())


def tosses() -> bool:
    return random.random() < 0.5


@case("it uses random.random, which depends on random and not on the state", inside="_tosses, called by act")
class TossesInHelper(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self._helps())

    def _helps(self: Any) -> bool:
        return bool(self._tosses())

    def _tosses(self: Any) -> bool:
        return random.random() < 0.5  # here


@case(
    "it uses COUNTER, a list that is not part of the state: declare a field, or make it a constant"
)
class UsesGlobalList(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        COUNTER[0] += 1  # here


@case("global TALLY: an action changes nothing but its own state")
class UsesGlobal(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        global TALLY
        TALLY += 1  # here


def make_counting() -> Callable[[Any], None]:
    counter = itertools.count()

    def act(self: Any) -> None:
        require(next(counter) % 2 == 0)  # here

    return act


@case("it uses counter, a count that is not part of the state: declare a field, or make it a constant")
class CountsInClosure(Base):
    act = action(thread="thread")(make_counting())


def make_nonlocal() -> Callable[[Any], None]:
    counter = 0

    def act(self: Any) -> None:
        nonlocal counter
        counter += 1  # here

    return act


@case("nonlocal counter: an action changes nothing but its own state")
class Nonlocal(Base):
    act = action(thread="thread")(make_nonlocal())


@case("it changes an attribute of ChangesClass.tally: an action changes nothing but its own state")
class ChangesClass(Base):
    tally = 0

    @action(thread="thread")
    def act(self: Any) -> None:
        ChangesClass.tally = 1  # here


@case("it uses type, which looks past the language: use fields, ends and constants")
class ChangesOwnClass(Base):
    tally = 0

    @action(thread="thread")
    def act(self: Any) -> None:
        type(self).tally += 1  # here


@case("it uses a default value, a list that is not part of the state: declare a field, or make it a constant", inside="_helps, called by act")
class RemembersInDefault(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self._helps()

    def _helps(self: Any, seen: Any = []) -> None:  # here
        seen.append(1)


@case("it imports random: imports stand at the top of the file")
class Imports(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        import random as chance  # here

        require(chance.random() < 0.5)


@case("a value of the state is never identical (is) to another: compare with ==")
class ComparesIdentity(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.phase is Phase.IDLE)  # here


@case("a value of the state is never identical (is) to another: compare with ==", inside="_is_idle, called by act")
class ComparesIdentityInHelper(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self._is_idle())

    def _is_idle(self: Any) -> bool:
        return self.busy is not True  # here


@case("it has a try or with statement, which would swallow guards: use if and require")
class Tries(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        try:
            require(self.busy)
        except Exception:  # here
            self.busy = True


@case("it has a yield or await: an action is a plain method")
class Yields(Base):
    @action(thread="thread")  # here
    def act(self: Any) -> Any:
        require(self.busy)
        yield


# -- bodies that never end, and ordinary mistakes --------------------------------------------------------------------


@case("the action never ends")
class Forever(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        while True:  # here
            pass


@case("the action never ends", inside="_again, called by act")
class Recursive(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self._again()

    def _again(self: Any) -> None:
        self._again()  # here


@case("more than 60 decisions on one path: the action never ends")
class Undecided(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        while self.count != 100:  # here
            self.count += 1


@case("NameError: name 'pahse' is not defined")
class Misspells(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(pahse)  # type: ignore[name-defined]  # here


@case("AttributeError: 'SymbolicNumber' object has no attribute 'name'")
class NoAttribute(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        require(self.phase.name == "IDLE")  # here


@case("TypeError: NoArgument._helps() missing 1 required positional argument: 'page'")
class NoArgument(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self._helps()  # here

    def _helps(self: Any, page: Any) -> None:
        self.dirty |= page


@case("ZeroDivisionError: division by zero", inside="_divides, called by act")
class Divides(Base):
    @action(thread="thread")
    def act(self: Any) -> None:
        self._divides()

    def _divides(self: Any) -> None:
        self.count = 1 // 0  # here


@pytest.mark.parametrize(("machine", "ghost", "inside", "message"), CASES)
def test_an_action_that_cheats_or_errs_is_refused_with_its_line(
    machine: type[Machine], ghost: type[Ghost], inside: str, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read(machine, ghost)
    where = caught.value.where
    assert str(caught.value) == f"{where}: {message}"
    line = where.removeprefix("test_language_errors.py:").partition(",")[0]
    marked = [what for what in (machine, ghost, make_counting, make_nonlocal) if "# here" in inspect.getsource(what)]
    assert where == f"test_language_errors.py:{here(marked[0]) if marked else line}, in {inside}"


# -- declarations ----------------------------------------------------------------------------------------------------

# -- what is only seen when it happens -------------------------------------------------------------------------------
