"""Pages: where they are placed and by whom, who is woken, and how long their channel stays open."""

from postcopy.language import NONE, Page, require
from postcopy.model.history import placement
from postcopy.model.network import Command
from postcopy.model.qemu.mends import Qemu11Mended


class ClosesFastTooEarly(Qemu11Mended):
    """The destination cleans up with the end of the stream, while requested pages are still on the preempt channel."""

    class destination(Qemu11Mended.destination):
        """Counts nothing."""

        def cleans_up(self) -> None:
            """joins the threads of postcopy, and watches for missing pages no more"""
            self.requested = NONE
            super().cleans_up()

        def _may_complete(self) -> bool:
            return True


class SplitsHostPage(Qemu11Mended):
    """A host page that is half sent on the main channel is finished on the preempt channel: neither has all of it."""

    group = 2

    class source(Qemu11Mended.source):
        """Does not look where the host page began."""

        def _on_main_channel(self, page: Page) -> bool:  # noqa: ARG002
            return False


class PlacesFirstTargetPage(Qemu11Mended):
    """A host page is placed with the first of its target pages; the others are taken as zeros until they come, and
    cannot be placed then."""

    group = 2

    class destination(Qemu11Mended.destination):
        """Does not count target pages."""

        def places_page(self) -> None:
            """receives a page, and places its host page whatever has come of it"""
            require(self._reads())
            message = self.stream.receive(Command.PAGE)
            whole = message.pages.host_pages
            self.assembling |= message.pages
            self.guest.arrived(message.pages, message.marked["stale"])
            if (whole & self.present).empty:
                self.unnoted = whole
                self._place(whole)
                self.guest.filled_with_zeros(whole - message.pages)
            else:
                self._cannot_place(whole)


class BalloonAllowed(Qemu11Mended):
    """The balloon gives pages back to the host while postcopy is under way."""

    class destination(Qemu11Mended.destination):
        """Lets the balloon work."""

        def _balloon_allowed(self) -> bool:
            return True


class PlacesWithoutWaking(Qemu11Mended):
    """Pages are placed without the kernel's knowledge: a vCPU that waits sleeps on."""

    class destination(placement.PlacesWithoutWaking.destination, Qemu11Mended.destination):
        """Places, and wakes no sleeper."""


class HugePagesFillIn(Qemu11Mended):
    """The kernel joins small pages to a huge one, and fills what is missing with zeros: no fault ever comes."""

    class destination(placement.HugePagesFillIn.destination, Qemu11Mended.destination):
        """Has not forbidden it."""
