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
from postcopy.model.changes.change import Change
from postcopy.model.destination import Destination, Main, State
from postcopy.model.guest import Guest
from postcopy.model.network import Command
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


@sometimes("The guest touches a page that it had given back, and waits for it", rules="R16")
def waits_for_hinted_page(state: View) -> bool:
    """The source will not send this page, so it has to come from elsewhere."""
    return not (state.guest.given_up & state.waited_for()).empty


def _good_there(state: View) -> PageSet:
    good: PageSet = state.destination.present - state.guest.stale_at_destination
    return good


@conjunct("Hints are taken only without the postcopy capability")
def hints_without_capability(state: View) -> bool:
    """Where pages can be missing, a page that is not sent could be waited for (QEMU fd51e54fa1: precopy_notify)."""
    return not state.source.postcopy_capability or bool(state.guest.given_up.empty)


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
def good_is_not_overwritten_unless_given_back(state: View) -> Answer:
    """Copies arrive in the order in which they were sent. What comes of a page that was given back is good enough."""
    if state.destination.main != Main.STREAM:
        return True
    return (_good_there(state) & state.stream.in_flight(Command.PAGE, stale=True)) - state.guest.given_up


@conjunct("Before the end of precopy every page has a good copy or was given back", rules="R2")
def precopy_end_complete_but_for_given_back(state: View) -> Answer:
    """Precopy ends when nothing is dirty, and what was given back is not."""
    if not state.stream.carries(Command.PRECOPY_END):
        return True
    on_the_way = state.stream.in_order(about(Command.PAGE, stale=False), Command.PRECOPY_END)
    return ~(_good_there(state) | on_the_way | state.guest.given_up)


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
        hints_without_capability,
        postcopy_with_capability,
        given_back_is_settled,
        good_is_not_overwritten_unless_given_back,
        precopy_end_complete_but_for_given_back,
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


class HintedPagesFilled(HintedPages):
    """The other remedy, as for memory that virtio-mem has unplugged: the set of hinted pages travels with the package,
    and the destination places zeros when such a page is touched."""

    origin = "QEMU 9470c5e082, be39b4cd20 (2021); A17"
    breaks = ()
    source = FillingSource
    destination = FillingDestination
