"""A small protocol without gaps, and variants each of which leaves something unseen."""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar

from postcopy.language import (
    Bitmap,
    Channel,
    Flag,
    LeadsTo,
    Machine,
    Monitor,
    Page,
    PageSet,
    Property,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    eventually,
    every_step,
    require,
    sometimes,
)


class Mail(Enum):
    """What is sent."""

    LETTER = auto()
    PARCEL = auto()


class Post(Enum):
    """What is observed."""

    WRITTEN = auto()
    READ = auto()


class Role(Enum):
    """What a set is."""

    READ = auto()


class Writer(Machine):
    """Writes each letter once."""

    hand = Thread("hand")

    written = Bitmap("letters that have been written")
    van = Sends("van")

    @action(hand)
    def writes(self, page: Page) -> None:
        """writes a letter"""
        require(not self.written[page])
        require(self.van.room())
        self.written |= page
        self.observe(Post.WRITTEN, page)
        self.van.send(Mail.LETTER, page)


class Reader(Machine):
    """Reads what comes."""

    eye = Thread("eye")

    read_letters = Bitmap("letters that have been read", role=Role.READ)
    van = Receives("van")

    @action(eye)
    def reads(self) -> None:
        """reads a letter"""
        letter = self.van.receive(Mail.LETTER)
        self.read_letters |= letter.pages
        self.observe(Post.READ, letter.pages)


@always("What is read was written")
def read_was_written(state: View) -> PageSet:
    """This letter comes from another hand."""
    foreign: PageSet = state.reader.read_letters - state.writer.written
    return foreign


@every_step("A letter is written once")
def written_once(step: Step) -> PageSet | bool:
    """This one is written again."""
    if not step.happened(Post.WRITTEN):
        return True
    twice: PageSet = step.of(Post.WRITTEN) & step.before.writer.written
    return twice


class Reads(Monitor):
    """Remembers what has been read."""

    all_read = Bitmap("letters that were read")

    def watch(self, step: Step) -> None:
        """Look for reading."""
        if step.happened(Post.READ):
            self.all_read |= step.of(Post.READ)


@always("The monitor agrees with the reader", monitor=Reads)
def monitor_agrees(state: View) -> bool:
    """One has seen what the other has not."""
    return bool(state.Reads.all_read.same_as(state.reader.read_letters))


@sometimes("All letters are read")
def all_read(state: View) -> bool:
    """Nothing is left."""
    return bool(state.reader.read_letters.full)


@eventually("A written letter is read")
def is_read(state: View, page: Page) -> LeadsTo:
    """It lies on the way for ever."""
    return LeadsTo(when=state.writer.written[page], then=state.reader.read_letters[page])


class Letters(Protocol):
    """Has no gap."""

    writer = Writer
    reader = Reader
    van = Channel(Mail)
    properties: ClassVar[tuple[Property, ...]] = (read_was_written, written_once, monitor_agrees, all_read, is_read)

    @staticmethod
    def may_rest(state: View) -> bool:
        """All is read."""
        return bool(state.reader.read_letters.full)


# -- what happens and what does not ----------------------------------------------------------------------------


class Blinks(Letters):
    """An action that does nothing."""

    class reader(Reader):
        """Blinks."""

        @action(Reader.eye)
        def blinks(self) -> None:
            """blinks"""


class WritesAgain(Letters):
    """An action that adds what is there already."""

    class writer(Writer):
        """Rewrites."""

        @action(Writer.hand)
        def rewrites(self, page: Page) -> None:
            """writes what is written"""
            require(self.written[page])
            self.written |= page


class SetsTheSame(Letters):
    """An action that gives a flag the value that it has."""

    class reader(Reader):
        """Has a lamp."""

        lit = Flag("the lamp is lit")

        @action(Reader.eye)
        def switches(self) -> None:
            """switches the lamp off, whether or not it is lit"""
            self.lit = self.lit and not self.van.empty


class ForgottenBranch(Letters):
    """A branch that is never taken does nothing."""

    class reader(Reader):
        """Looks at what it has read first."""

        def reads(self) -> None:
            """reads a letter, unless it has read all"""
            require(not self.van.empty)
            if self.read_letters.full:
                return
            super().reads()


class NeverActs(Letters):
    """An action is never taken."""

    class reader(Reader):
        """Reads parcels, which do not come."""

        @action(Reader.eye)
        def opens_parcel(self) -> None:
            """opens a parcel"""
            self.read_letters |= self.van.receive(Mail.PARCEL).pages


# -- events ----------------------------------------------------------------------------------------------------


class ReadsSilently(Letters):
    """Reading is not observed."""

    inapplicable = {"monitor-agrees": "reading is not observed"}

    class reader(Reader):
        """Does not say so."""

        def reads(self) -> None:
            """reads a letter"""
            self.read_letters |= self.van.receive(Mail.LETTER).pages


class WritesSilently(Letters):
    """Writing is not observed."""

    class writer(Writer):
        """Does not say so."""

        def writes(self, page: Page) -> None:
            """writes a letter"""
            require(not self.written[page])
            require(self.van.room())
            self.written |= page
            self.van.send(Mail.LETTER, page)


@every_step("No parcel is sent")
def no_parcel(step: Step) -> bool:
    """Parcels are not carried."""
    return not step.sends(Mail.PARCEL)


class AsksOfParcels(Letters):
    """A property speaks of a message that is never sent."""

    properties = (no_parcel,)


class Stamps(Monitor):
    """Remembers an event that nothing observes."""

    seen = Flag("a parcel has been received")

    def watch(self, step: Step) -> None:
        """Look for a parcel."""
        if step.receives(Mail.PARCEL):
            self.seen = True


@always("No parcel comes before a letter", monitor=Stamps)
def no_parcel_first(state: View) -> bool:
    """A parcel has come."""
    return bool(not state.Stamps.seen or not state.reader.read_letters.empty)


class RemembersParcels(Letters):
    """A monitor looks for a message that never comes."""

    properties = (no_parcel_first,)


# -- history ---------------------------------------------------------------------------------------------------


class Overflow(Monitor):
    """Remembers a state that is never reached."""

    happened = Flag("more was read than written")

    def watch(self, step: Step) -> None:
        """Compare."""
        if not step.after.reader.read_letters.subset_of(step.after.writer.written):
            self.happened = True


@always("Nothing overflows", monitor=Overflow)
def no_overflow(state: View) -> bool:
    """It did."""
    return not state.Overflow.happened


class RemembersOverflow(Letters):
    """A monitor waits for a state that is never reached."""

    properties = (no_overflow,)


# -- sets ------------------------------------------------------------------------------------------------------


class Drawer(Letters):
    """The reader puts letters into a drawer of which no property speaks."""

    class reader(Reader):
        """Has a drawer."""

        drawer = Bitmap("letters in the drawer")

        def reads(self) -> None:
            """reads a letter and puts it into the drawer"""
            before = self.read_letters
            super().reads()
            self.drawer |= self.read_letters - before


class DeclaredDrawer(Drawer):
    """The drawer is declared."""

    class reader(Drawer.reader):
        """Declares it."""

        drawer = Bitmap("letters in the drawer", role=Role.READ)


@always("The drawer holds what was read")
def drawer_holds_read(state: View) -> PageSet:
    """This letter was not read."""
    unread: PageSet = state.reader.drawer - state.reader.read_letters
    return unread


class AskedDrawer(Drawer):
    """A property speaks of the drawer."""

    properties = (drawer_holds_read,)


@sometimes("The drawer is full")
def drawer_full(state: View) -> bool:
    """All letters are in it."""
    return bool(state.reader.drawer.full)


class WitnessedDrawer(Drawer):
    """Only a witness speaks of the drawer."""

    properties = (drawer_full,)


# -- properties ------------------------------------------------------------------------------------------------


@always("All is well")
def all_is_well(state: View) -> bool:
    """It is not."""
    return True


@always("Letters are letters")
def letters_are_letters(state: View) -> PageSet:
    """This one is none."""
    none: PageSet = state.writer.written - state.writer.written
    return none


@always("Some letter is written, or none is")
def some_or_none(state: View) -> bool:
    """A third case."""
    return bool(state.writer.written.empty or not state.writer.written.empty)


class CannotFail(Letters):
    """Asks what cannot fail."""

    properties = (all_is_well, letters_are_letters, some_or_none)


@every_step("Every step is right")
def every_step_is_right(step: Step) -> bool:
    """This one is not."""
    return bool(step.before.writer.written.subset_of(step.before.writer.written))


@every_step("The reader writes nothing")
def the_eye_does_not_write(step: Step) -> PageSet | bool:
    """A letter appears while the reader reads."""
    if step.action.machine != "reader":
        return True
    grown: PageSet = step.after.writer.written - step.before.writer.written
    return grown


@always("Host pages are written whole")
def host_pages_are_whole(state: View) -> PageSet:
    """A part of this one is missing."""
    part: PageSet = state.writer.written.host_pages - state.writer.written
    return part


class HoldsByReading(Letters):
    """Asks what the reading of the actions decides, with one target page a host page."""

    properties = (every_step_is_right, the_eye_does_not_write, host_pages_are_whole)


@sometimes("More is read than written")
def reads_more(state: View) -> bool:
    """This cannot be."""
    return not (state.reader.read_letters - state.writer.written).empty


@eventually("What is read and not written is written")
def is_written(state: View, page: Page) -> LeadsTo:
    """It never is."""
    written = state.writer.written[page]
    return LeadsTo(when=state.reader.read_letters[page] and not written, then=written)


class Unreached(Letters):
    """Asks for what is never reached, and promises what is never asked for."""

    properties = (reads_more, is_written)
