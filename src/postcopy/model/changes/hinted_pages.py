"""Free page hints and discarded ranges: pages that the source need not send (A17).

The guest says that a page is free, and the source takes it out of the migration bitmap. Its content is of no
importance: any content will do, but the page has to be there when it is touched.
"""

from postcopy.language import (
    NONE,
    Answer,
    Bitmap,
    Page,
    PageSet,
    View,
    about,
    action,
    conjunct,
    require,
    sometimes,
)
from postcopy.language.ranking import Component, Measure
from postcopy.model.changes.change import Change
from postcopy.model.destination import Destination, Main, State
from postcopy.model.guest import Guest
from postcopy.model.network import Command
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source
from postcopy.properties.invariant import alive, copies_of_pages, kept_until, landed_pages, past_package
from postcopy.properties.ranking import ranking_with


@sometimes("The guest touches a page that it had given back, and waits for it", rules="R16")
def waits_for_hinted_page(state: View) -> bool:
    """The source will not send this page, so it has to come from elsewhere."""
    return not (state.guest.given_up & state.waited_for()).empty


def _good_there(state: View) -> PageSet:
    good: PageSet = state.destination.present - state.guest.stale_at_destination
    return good


@conjunct("Hints are taken only without the postcopy capability")
def nothing_given_up(state: View) -> bool:
    """Where pages can be missing, a page that is not sent could be waited for (QEMU fd51e54fa1: precopy_notify)."""
    return not state.source.postcopy_capability or bool(state.guest.given_up.empty)


def _all_comes(state: View) -> bool:
    """Neither host has given up and the connection stands, or all has been sent already."""
    return alive(state) or state.stream.carries(Command.EOF)


@conjunct("The messages of the switch, and what follows from them, need the postcopy capability", rules="R1 R2")
def postcopy_with_capability(state: View) -> bool:
    """The command to start postcopy is ignored without it."""
    source, destination = state.source, state.destination
    in_package = destination.main == Main.PACKAGE or destination.state == State.LISTEN
    there = in_package or destination.state == State.RUNNING or source.phase == Phase.POSTCOPY
    sent = state.stream.carries(Command.DISCARD) or state.stream.carries(Command.PACKAGED)
    return not (there or sent) or bool(source.postcopy_capability)


@conjunct("A page that was given back need not be sent, and any copy of it will do")
def given_back_is_settled(state: View) -> Answer:
    """The hint takes it out of the migration bitmap, and a write ends that (QEMU: qemu_guest_free_page_hint)."""
    needed: PageSet = state.source.dirty | state.guest.stale_at_destination
    return state.guest.given_up & needed


@conjunct(
    "Where the destination's copy is good no stale one is on its way, unless the page was given back", rules="R10"
)
def good_is_not_overwritten(state: View) -> Answer:
    """Copies arrive in the order in which they were sent. What comes of a page that was given back is good enough."""
    if state.destination.main != Main.STREAM:
        return True
    return (_good_there(state) & state.stream.in_flight(Command.PAGE, stale=True)) - state.guest.given_up


@conjunct("Before the end of precopy every page has a good copy or was given back", rules="R2")
def precopy_end_complete(state: View) -> Answer:
    """Precopy ends when nothing is dirty, and what was given back is not."""
    if not state.stream.carries(Command.PRECOPY_END):
        return True
    on_the_way = state.stream.in_order(about(Command.PAGE, stale=False), Command.PRECOPY_END)
    return ~(_good_there(state) | on_the_way | state.guest.given_up)


@conjunct("A copy of a page that was given back is never stale, and nothing stale is assembled but what is said to be")
def given_back_is_good(state: View) -> Answer:
    """Any content will do."""
    guest = state.guest
    return (guest.given_up & guest.stale_at_destination) | (guest.stale_in_assembly - state.destination.assembling)


@conjunct("Before the switch a page that was given back is not to be sent", rules="R10")
def given_back_is_clean(state: View) -> Answer:
    """The hint takes it out of the migration bitmap, and a write ends that (QEMU: qemu_guest_free_page_hint)."""
    return True if state.source.phase > Phase.FINISHING else state.guest.given_up & state.source.dirty


@conjunct("Until the package is sent the source knows what was given back, in whole host pages", rules="R21")
def hinted_is_given_back(state: View) -> Answer:
    """It notes each hint, and each write; a source that has given up forgets them."""
    hinted, given_back = state.source.hinted, state.guest.given_up
    if state.source.phase > Phase.COMPLETED:
        return hinted
    if state.source.phase >= Phase.POSTCOPY:
        return True
    return (hinted - given_back) | (given_back - hinted) | (hinted.host_pages - hinted)


@conjunct("Before the switch each page in the sent map has a copy", rules="R11")
def sent_has_a_copy(state: View) -> Answer:
    """Nothing is lost as long as the connection stands."""
    if state.stream.broken or state.source.phase > Phase.FINISHING:
        return True
    return state.source.sent - copies_of_pages(state)


@conjunct("From the switch on a host page that need not be sent has a copy as a whole, or has none", rules="R11 R21")
def copies_are_whole(state: View) -> Answer:
    """What was given back after a part of it had been sent will be sent as a whole."""
    switching = state.source.phase == Phase.SWITCHING or state.source.phase == Phase.PACKAGING
    if state.stream.broken or not switching:
        return True
    copies = copies_of_pages(state)
    return (copies.host_pages - copies) - state.source.dirty


@conjunct("At the switch the discard set is dirty", rules="R11")
def discard_set_is_dirty(state: View) -> Answer:
    """It is the sent map masked with the migration bitmap."""
    return state.source.sent - state.source.dirty if state.source.phase == Phase.SWITCHING else True


@conjunct("At the switch each host page of the discard set has a page without a copy that will do", rules="R11 R21")
def discard_set_needed(state: View) -> Answer:
    """A host page is discarded because a page of it was dirty or never sent."""
    if state.source.phase != Phase.SWITCHING:
        return True
    good = _good_there(state) | state.stream.in_flight(Command.PAGE, stale=False)
    bad = ~(good | (copies_of_pages(state) & state.guest.given_up))
    return state.source.sent - bad.host_pages


@conjunct("Each host page of a discard on its way has a page that is without a copy that will do by then", rules="R11")
def discards_needed(state: View) -> Answer:
    """Nothing is discarded for nothing."""
    good = _good_there(state) | state.stream.in_order(about(Command.PAGE, stale=False), Command.DISCARD)
    copies = state.destination.present | state.stream.in_order(about(Command.PAGE), Command.DISCARD)
    bad = ~(good | (copies & state.guest.given_up))
    return state.stream.in_flight(Command.DISCARD) - bad.host_pages


@conjunct("A source that has sent EOF has stopped its guest", rules="R3 R24")
def eof_after_the_guest(state: View) -> bool:
    """It ends what began with the package."""
    return not state.stream.carries(Command.EOF) or not state.source.running


@conjunct("The pages in the package are those that will not come, in whole host pages", rules="R21")
def package_names_what_will_not_come(state: View) -> Answer:
    """All else that was given back is to be sent, or travels behind the package (QEMU: ramblock_page_is_discarded)."""
    if not state.stream.carries(Command.PACKAGED):
        return True
    named = state.stream.in_flight(Command.PACKAGED)
    comes = state.source.dirty | state.stream.in_order(Command.PACKAGED, about(Command.PAGE))
    wrong = (named & comes) | (named.host_pages - named)
    return wrong | (state.guest.given_up - named - comes) if _all_comes(state) else wrong


@conjunct("Past the package the destination knows what will not come, in whole host pages", rules="R21")
def will_not_come_is_known(state: View) -> Answer:
    """All else that was given back comes, or has come."""
    if not past_package(state):
        return True
    known = state.destination.will_not_come
    comes = state.source.dirty | state.copies_in_flight() | landed_pages(state)
    wrong = (known & comes) | (known.host_pages - known)
    given_back = state.guest.given_up - state.destination.present
    return wrong | (given_back - known - comes) if _all_comes(state) else wrong


@conjunct("A thread that waits for a page that will not come has a fault queued", rules="R16")
def waits_with_a_fault(state: View) -> Answer:
    """The thread that reads the fault places the page."""
    if not past_package(state):
        return True
    destination = state.destination
    return ((destination.waiting.any | destination.device_waiting) & destination.will_not_come) - destination.faulted


@conjunct("What the discards leave at the destination is good or was given back, in whole host pages", rules="R11 R21")
def discards_leave_good(state: View) -> Answer:
    """Of a host page that is not discarded all is there by then."""
    if not state.stream.carries(Command.DISCARD) or state.source.phase > Phase.COMPLETED:
        return True
    kept = kept_until(state, Command.DISCARD)
    good = _good_there(state) | state.stream.in_order(about(Command.PAGE, stale=False), Command.DISCARD)
    return (kept - good - state.guest.given_up) | (kept.host_pages - kept)


@conjunct("What the package finds at the destination is good or was given back, in whole host pages", rules="R11 R21")
def package_finds_good(state: View) -> Answer:
    """All discards are processed by then."""
    if not state.stream.carries(Command.PACKAGED):
        return True
    kept = kept_until(state, Command.PACKAGED)
    good = _good_there(state) | state.stream.in_order(about(Command.PAGE, stale=False), Command.PACKAGED)
    return (kept - good - state.guest.given_up) | (kept.host_pages - kept)


@conjunct("When EOF is on its way every page is there or in front of it, or was given back", rules="R24")
def eof_complete(state: View) -> Answer:
    """Postcopy ends when nothing is dirty."""
    if not state.stream.carries(Command.EOF):
        return True
    return ~(copies_of_pages(state) | landed_pages(state) | state.guest.given_up)


class HintingSource(Source):
    """Takes what the guest gives back out of the migration bitmap."""

    hinted = Bitmap("pages that the guest has given back and not written since", role=Role.NOTE)

    @action(Source.source_guest, qemu="migration/ram.c:qemu_guest_free_page_hint", environment=True)
    def guest_gives_back(self, page: Page) -> None:
        """gives a page back: it need not be sent"""
        require(self.running)
        require(self.phase == Phase.PRECOPY)
        self.dirty -= page
        self.hinted |= page
        self.guest.gave_back_at_source(page)

    def guest_writes(self, page: Page) -> None:
        """writes a page"""
        super().guest_writes(page)
        self.hinted -= page

    def _clean_up(self) -> None:
        super()._clean_up()
        self.hinted = NONE


class HintingGuest(Guest):
    """Knows that the content of a page that was given back is of no importance."""

    def gave_back_at_source(self, page: PageSet) -> None:
        """The guest gave a page back before the switch: whatever copy there is will do."""
        self.given_up |= page
        self.stale_at_destination -= page

    def wrote_at_source(self, page: PageSet) -> None:
        """The guest wrote a page at the source: every other copy of it is now stale."""
        super().wrote_at_source(page)
        self.given_up -= page

    def loaded(self, page: PageSet, stale: PageSet) -> None:
        """A copy from the stream was written straight into the destination's memory."""
        super().loaded(page, stale)
        self.stale_at_destination -= self.given_up


class HintedPages(Change):
    """Hints are taken although postcopy may come: a hinted page is never sent, and a request for it is ignored."""

    origin = "QEMU fd51e54fa1 (2021); A17"
    properties = (waits_for_hinted_page,)
    breaks = ("no-request-lost",)
    source = HintingSource
    guest = HintingGuest


class HintsRefused(HintedPages):
    """What was done about it: with the postcopy capability no hints are taken."""

    breaks = ()
    inapplicable = {"waits-for-hinted-page": "where pages can be missing no hints are taken"}  # noqa: RUF012
    invariant = (
        nothing_given_up,
        postcopy_with_capability,
        given_back_is_settled,
        good_is_not_overwritten,
        precopy_end_complete,
    )

    class source(HintingSource):
        """Takes hints in migrations that stay in precopy."""

        def guest_gives_back(self, page: Page) -> None:
            """gives a page back, where postcopy cannot come: it need not be sent"""
            require(not self.postcopy_capability)
            super().guest_gives_back(page)


class FillingSource(HintingSource):
    """Takes and forgets hints by whole host pages, and tells the destination which pages will not come."""

    def guest_gives_back(self, page: Page) -> None:
        """gives a page back, and with it its whole host page: they need not be sent"""
        super().guest_gives_back(page)
        self.dirty -= page.host_pages
        self.hinted |= page.host_pages
        self.guest.gave_back_at_source(page.host_pages)

    def guest_writes(self, page: Page) -> None:
        """writes a page; what was given back of its host page is in use again, too"""
        again = page.host_pages & self.hinted
        super().guest_writes(page)
        self.dirty |= again
        self.hinted -= again
        self.guest.wrote_at_source(again)

    def sends_package(self) -> None:
        """sends LISTEN, the device state with the set of pages that will not come, and RUN in one package"""
        require(self.phase == Phase.PACKAGING)
        self._ready_to_send()
        self.stream.send(Command.PACKAGED, self.hinted - self.dirty)
        self.phase = Phase.POSTCOPY

    def _compute_discards(self) -> None:
        """A host page of which a part was sent before it was given back comes whole, or the destination would have a
        part of it."""
        self.dirty |= self.hinted & self.sent.host_pages & (~self.sent).host_pages
        super()._compute_discards()


class FillingDestination(Destination):
    """Places the pages itself that will not come."""

    will_not_come = Bitmap("pages that the source will not send", role=Role.NOTE)

    def reads_package(self) -> None:
        """reads the whole package into memory"""
        require(self.main == Main.STREAM)
        require(self.state == State.ADVISE)
        message = self.stream.receive(Command.PACKAGED)
        self.will_not_come = message.pages
        self.main = Main.PACKAGE

    def requests_page(self, page: Page) -> None:
        """reads a fault; places zeros if the page will not come, and otherwise requests it from the source"""
        require(self._listening())
        require(self.faulted[page])
        if self.will_not_come[page]:
            self.faulted -= page
            if not self.present[page]:
                self._place(page.host_pages)
        else:
            super().requests_page(page)

    def ends(self) -> None:
        """reads the end of the stream and cleans up, once no thread waits for a page that will not come"""
        require(((self.waiting.any | self.device_waiting) & self.will_not_come).empty)
        super().ends()
        self.will_not_come = NONE

    def _give_up(self) -> None:
        super()._give_up()
        self.will_not_come = NONE


FILLED = Component("destination.present", Measure.FILLS, "a page that will not come is placed once")
"""What is used up beside what the document's protocol uses up."""


class HintedPagesFilled(HintedPages):
    """The other remedy, as for memory that virtio-mem has unplugged: the set of hinted pages travels with the package,
    and the destination places zeros when such a page is touched."""

    origin = "QEMU 9470c5e082, be39b4cd20 (2021); A17"
    breaks = ()
    invariant = (
        good_is_not_overwritten,
        precopy_end_complete,
        given_back_is_good,
        given_back_is_clean,
        hinted_is_given_back,
        sent_has_a_copy,
        copies_are_whole,
        discard_set_is_dirty,
        discard_set_needed,
        discards_needed,
        eof_after_the_guest,
        package_names_what_will_not_come,
        will_not_come_is_known,
        waits_with_a_fault,
        discards_leave_good,
        package_finds_good,
        eof_complete,
    )
    ranking = ranking_with(FILLED, before="destination.waiting")
    source = FillingSource
    destination = FillingDestination
