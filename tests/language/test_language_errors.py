"""Cheating and erring in an action, as found while the body runs: each exact message with its line.

What is found in the text of a body stands in test_checks, wrong declarations in test_declarations.
"""

from __future__ import annotations

from typing import Any

import pytest

from postcopy.language import NONE, Ghost, Machine, Page, action, require
from tests.language.tiny import Base, Cases, Colour, Letter, Memory, Other, Phase, Right, refused

case = Cases()

NOT_OF_THE_LANGUAGE = (
    "which is not part of the language: use fields, ends, constants, methods and functions of your own, and all, any, "
    "bool, range, super"
)

# -- what belongs to others --------------------------------------------------------------------------------


@case(
    "Reads has no field right: a machine sees only its own state and its ends of the channels; send a message instead"
)
class Reads(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.right.present.empty)  # here


@case("it calls Right, which would make a new one: use fields, ends and members that there are")
class Constructs(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(Right("right", self.interpretation).present.empty)  # here


@case(
    "left looks at the whole world: a machine sees only its own state and its ends of the channels; "
    "send a message instead"
)
class ReadsThroughGhost(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.memory.world.right.present.empty)  # here


def reads_elsewhere(machine: Any) -> None:
    require(machine.present.empty)  # here


def sends_elsewhere(machine: Any) -> None:
    Right("right", machine.interpretation).back.send(Letter.PLAIN)  # here


@case(
    "ReadsByName has no field present; its fields are phase, colour, busy, dirty, waiting, count, wide",
    inside="reads_elsewhere, called by act",
    at=reads_elsewhere,
)
class ReadsByName(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        reads_elsewhere(self)


@case(
    "it calls Right, which would make a new one: use fields, ends and members that there are",
    inside="sends_elsewhere, called by act",
    at=sends_elsewhere,
)
class SendsForOthers(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        sends_elsewhere(self)


@case(
    "left looks at the whole world: a machine sees only its own state and its ends of the channels; "
    "send a message instead"
)
class ClosesThroughGhost(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.world.wire.close()  # here


@case(
    "left writes memory.old, which belongs to memory: only memory itself may change it; call a method of memory instead"
)
class WritesGhost(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.old = NONE  # here


@case("a guard reads history (memory.old): ghosts and marks are for properties, no step may depend on them")
class GuardReadsGhost(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.memory.old.empty)  # here


@case(
    "left.dirty is given a value that depends on history (memory.old): ghosts and marks are for properties, "
    "no step may depend on them"
)
class GhostFlowsIntoBitmap(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.dirty = self.memory.old  # here


@case(
    "left.busy is given a value that depends on history (memory.flagged): ghosts and marks are for properties, "
    "no step may depend on them"
)
class GhostFlowsIntoFlag(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.busy = self.memory.flagged  # here


@case(
    "the pages of a PLAIN on wire depend on history (memory.old): ghosts and marks are for properties, no step may "
    "depend on them"
)
class GhostFlowsIntoMessage(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN, self.memory.old)  # here


class Forbids(Memory):
    def touched(self, pages: Any) -> None:
        require(self.old.empty)  # here


@case(
    "memory has a guard: no step may depend on history",
    inside="touched, called by act",
    ghost=Forbids,
    at=Forbids,
)
class GhostForbids(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


class Meddles(Memory):
    def touched(self, pages: Any) -> None:
        self.world.left.dirty = NONE  # here


@case(
    "memory writes left.dirty, which belongs to left: only left itself may change it; send a message instead",
    inside="touched, called by act",
    ghost=Meddles,
    at=Meddles,
)
class GhostMeddles(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


class Closes(Memory):
    def touched(self, pages: Any) -> None:
        self.world.wire.close()  # here


@case(
    "memory changes wire: ghosts, monitors and properties only look",
    inside="touched, called by act",
    ghost=Closes,
    at=Closes,
)
class GhostCloses(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


class Marks(Memory):
    def touched(self, pages: Any) -> None:
        self.world.wire.mark("stail", pages)  # here


@case("wire has no mark stail; its marks are stale", inside="touched, called by act", ghost=Marks, at=Marks)
class GhostMarks(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


# -- names -------------------------------------------------------------------------------------------------


@case("ReadsUndeclared has no field dirt; did you mean dirty?")
class ReadsUndeclared(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.dirt.empty)  # here


@case("ReadsUnknown has no field xyz; its fields are phase, colour, busy, dirty, waiting, count, wide")
class ReadsUnknown(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.xyz)  # here


@case('AssignsUndeclared has no field bussy: declare it in the class, e.g. bussy = Flag("..."); did you mean busy?')
class AssignsUndeclared(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.bussy = True  # here


@case("a channel's end cannot be assigned to: send, receive or close")
class AssignsEnd(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.stream = NONE  # here


@case("left.waiting is a set for each vCPU: assign to one, waiting[cpu] = ..., or remove() pages")
class AssignsAllCpus(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.waiting = NONE  # here


@case("Memory has no tuched; did you mean touched?")
class CallsUnknownGhostMethod(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.tuched(self.dirty)  # here


# -- values ------------------------------------------------------------------------------------------------


@case("left.count leaves its range 0 to 3")
class OutOfRange(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count = 4  # here


@case("left.count is given True, which is not a whole number")
class TruthForNumber(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count = True  # here


@case("left.count is given '2', which is not a whole number")
class TextForNumber(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count = "2"  # here


@case("left.count is given <Phase.BUSY: 2>, which is not a whole number")
class MemberForNumber(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count = Phase.BUSY  # here


@case("left.phase is given 1, which is not a Phase")
class NumberForMember(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.phase = 1  # here


@case("left.phase is given <Other.FIRST: 1>, which is not a Phase")
class OtherEnumeration(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.phase = Other.FIRST  # here


@case("left.phase is given left.colour, which is not a Phase")
class OtherField(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.phase = self.colour  # here


@case("left.phase is given None, which is not a Phase")
class NoneForMember(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.phase = None  # here


@case("a truth value is needed here, not 1")
class NumberForTruth(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.busy = 1  # here


@case("a set of pages is needed here, not False")
class TruthForPages(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.dirty = False  # here


@case("a set of pages is needed here, not left.phase")
class MemberInSet(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.dirty |= self.phase  # here


@case("a Phase is compared with an Other (self.phase with Other.FIRST): compare it with a member of Phase")
class ComparesWithOther(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase == Other.FIRST)  # here


@case("a Phase is compared with 1")
class ComparesWithNumber(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase == 1)  # here


@case("a number is compared with a Phase")
class ComparesFields(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.count == self.phase)  # here


@case("the members of Colour have no order: make it an IntEnum with ascending values")
class OrdersUnordered(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.colour < Colour.GREEN)  # here


@case("only a constant whole number can be added, and only to a Count")
class AddsFields(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count = self.count + self.wide  # here


@case("only a constant whole number can be added, and only to a Count")
class SubtractsFields(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count = self.count - self.wide  # here


@case("a number is not a truth value: compare it")
class NumberAsTruth(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        if self.count:  # here
            self.busy = True


@case("a number is not a truth value: compare it")
class RequiresNumber(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.count)  # here


@case("range(self.count): the limits of a range are constants, so that the loop ends")
class NumberAsIndex(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for _ in range(self.count):  # here
            self.busy = True


@case("it has a dictionary: write if and elif with ==")
class LooksUp(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require({Phase.IDLE: True}[self.phase])  # here


@case("room without () is always true: write room()")
class RequiresMethod(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room)  # here


@case("require needs a truth value, not None")
class RequiresNothing(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self._ready())  # here

    def _ready(self: Any) -> None:
        self.busy = True


@case("room without () is always true: write room()")
class MethodAsTruth(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        if not self.stream.room:  # here
            self.busy = True


@case("_ready without () is always true: write _ready()")
class HelperAsTruth(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        if self._ready and self.busy:  # here
            self.busy = False

    def _ready(self: Any) -> bool:
        return bool(self.busy)


@case("it returns False: an action returns nothing, and a guard is require(...)", inside="act")
class ReturnsGuard(Base):
    @action(Base.thread)  # here
    def act(self: Any) -> Any:
        if self.busy:
            return False
        return None


# -- pages -------------------------------------------------------------------------------------------------


@case(
    "a set of pages cannot be looped over: write whole-bitmap operators, or an action with a page parameter and a set "
    "of the pages that are done"
)
class Loops(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for page in self.dirty:  # here
            self.dirty -= page


@case(f"it uses sorted, {NOT_OF_THE_LANGUAGE}")
class Sorts(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        first = sorted(self.dirty)[0]  # here
        self.dirty -= first


@case("pages have no order: ask subset_of()")
class Orders(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(page < self.dirty)  # here


@case("the pages of a set cannot be counted: ask .empty or .full")
class Counts(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(len(self.dirty) > 1)  # here


@case(f"it uses int, {NOT_OF_THE_LANGUAGE}")
class Numbers(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(int(page) == 0)  # here


@case("a page has no number: pages are interchangeable")
class Indexes(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require((True, False)[page])  # here


@case("~ is for sets of pages: of a truth value write not")
class InvertsTruth(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(~self.dirty[page])  # here


@case("Phase has no IDEL; did you mean IDLE?")
class MisspellsMember(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(self.dirty[page])
        self.busy = Phase.IDEL is Phase.IDLE  # type: ignore[attr-defined]  # here


@case("compare sets of pages with same_as() or subset_of()")
class ComparesSets(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.dirty == NONE)  # here


@case("compare sets of pages with same_as() or subset_of()")
class ComparesPages(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(page != self.dirty)  # here


@case("a set of pages is not a truth value: ask .empty, .full or pages[page]")
class SetAsTruth(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        if self.dirty:  # here
            self.busy = True


@case("ask whether a page is in a set with pages[page], whether a set is with subset_of()")
class AsksIn(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(page in self.dirty)  # here


@case("a set of pages is not changed in place: write pages |= page or pages -= page")
class ChangesInPlace(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        self.dirty[page] = False  # here


@case("it has a Python set: write a tuple")
class LooksUpPage(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        require(page in {1, 2})  # here


# -- channels ----------------------------------------------------------------------------------------------


@case("wire may be full here: require room() before sending PLAIN")
class SendsWithoutRoom(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.stream.send(Letter.PLAIN)  # here


@case("wire may be full here: require room(2) before sending PLAIN")
class SendsTwice(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN)
        self.stream.send(Letter.PLAIN)  # here


@case("wire may be full here: require room() before sending PLAIN")
class RoomOnOneWayOnly(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        if self.busy:
            require(self.stream.room())
        self.stream.send(Letter.PLAIN)  # here


@case("room(0): a number of messages from 1 on is needed")
class NoRoom(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room(0))  # here


@case("wire carries Letter, not <Phase.IDLE: 1>")
class SendsAlien(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Phase.IDLE)  # here


@case("back carries Letter, not <Phase.IDLE: 1>")
class ReceivesAlien(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.back.receive(Phase.IDLE)  # here


@case("a STAMPED on wire carries stale, not no mark: send(..., mark=pages)")
class ForgetsMark(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.STAMPED, self.dirty)  # here


@case('a PLAIN on wire has no field fresh: declare it, wire = Channel(..., fields={"fresh": Flag("...")})')
class InventsMark(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN, self.dirty, fresh=self.dirty)  # here


@case("the message carries no mark stale; its marks are none")
class AsksForMark(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        message = self.back.receive(Letter.PLAIN)
        self.dirty = message.marked["stale"]  # here


@case("a set of pages is needed here, not True")
class SendsNoPages(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream.room())
        self.stream.send(Letter.PLAIN, True)  # here


@case("a member of an enumeration is needed to observe, not 'served'")
class ObservesText(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.observe("served", self.dirty)  # here


@pytest.mark.parametrize(("machine", "ghost", "where", "message"), case.params)
def test_an_action_that_cheats_or_errs_is_refused_with_its_line(
    machine: type[Machine], ghost: type[Ghost], where: str, message: str
) -> None:
    refused(machine, ghost, where, message)
