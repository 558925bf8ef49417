"""Free page hints and discarded ranges: pages that the source need not send (A17).

The guest says that a page is free, and the source takes it out of the migration bitmap. Its content is of no
importance: any content will do, but the page has to be there when it is touched.
"""

from postcopy.language import NONE, Bitmap, Page, PageSet, View, action, require, sometimes
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

    class source(HintingSource):
        """Takes hints in migrations that stay in precopy."""

        def guest_gives_back(self, page: Page) -> None:
            """gives a page back, where postcopy cannot come: it need not be sent"""
            require(not self.postcopy_capability)
            super().guest_gives_back(page)


class HintedPagesFilled(HintedPages):
    """The other remedy, as for memory that virtio-mem has unplugged: the set of hinted pages travels with the package,
    and the destination places zeros when such a page is touched."""

    origin = "QEMU 9470c5e082, be39b4cd20 (2021); A17"
    breaks = ()

    class source(HintingSource):
        """Tells the destination which pages will not come."""

        def sends_package(self) -> None:
            """sends LISTEN, the device state with the set of pages that will not come, and RUN in one package"""
            require(self.phase == Phase.PACKAGING)
            self._ready_to_send()
            self.stream.send(Command.PACKAGED, self.hinted)
            self.phase = Phase.POSTCOPY

    class destination(Destination):
        """Places these pages itself."""

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
                self._place(page)
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
