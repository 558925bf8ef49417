"""The guest's memory as an all-seeing observer knows it: which copies of a page are the guest's last write.

Contents are abstracted to freshness. A copy is fresh when it is what the guest wrote last, wherever the guest ran then,
and stale otherwise; how often the guest writes is unbounded. This is exact for "a read returns the last write".
Nothing here may decide what a machine does: it is history (a `Ghost`).
"""

from enum import Enum, auto

from postcopy.language import Bitmap, Ghost, PageSet
from postcopy.model.roles import Role


class Memory(Enum):
    """What happens to a page of guest memory, seen from outside."""

    CPU_READ = auto()
    DEVICE_READ = auto()
    SOURCE_WRITE = auto()
    DESTINATION_WRITE = auto()
    PLACE = auto()
    DISCARD = auto()
    GIVEN_BACK = auto()
    """By the balloon, to the host."""


class Mishap(Enum):
    """What the document calls a failure of either side or the network connection."""

    FAILURE = auto()
    REFUSAL = auto()
    """The destination cannot do postcopy and says so: a failure of its side too, but one that was there all along."""


class Guest(Ghost):
    """Freshness of the copies at both hosts; that of copies on the stream is a mark on the message."""

    stale_at_source = Bitmap("pages that the guest has written at the destination since the source's copy was current")
    stale_at_destination = Bitmap("pages whose copy at the destination is not the guest's last write")
    given_up = Bitmap("pages that the guest has given back to the host and not written since")
    stale_in_assembly = Bitmap("pages received but not yet placed whose copy is not the guest's last write")

    def wrote_at_source(self, page: PageSet) -> None:
        """The guest wrote a page at the source: every other copy of it is now stale."""
        self.stale_at_destination |= page & self.world.pages_of(Role.PRESENT)
        self._wrote_elsewhere(page)

    def wrote_at_destination(self, page: PageSet) -> None:
        """The guest wrote a page at the destination: every other copy of it is now stale."""
        self.stale_at_destination -= page
        self.stale_at_source |= page
        self.given_up -= page
        self._wrote_elsewhere(page)

    def _wrote_elsewhere(self, page: PageSet) -> None:
        """Copies that are on their way or not placed yet are now stale, wherever they are."""
        world = self.world
        self.stale_in_assembly |= page & (world.pages_of(Role.LANDING) | world.pages_of(Role.KEPT))
        world.mark_copies("stale", page)

    def arrived(self, page: PageSet, stale: PageSet) -> None:
        """A copy from the stream waits for the rest of its host page."""
        self.stale_in_assembly = (self.stale_in_assembly - page) | stale

    def placed(self, pages: PageSet) -> None:
        """The copies that waited became the destination's copies."""
        self.stale_at_destination = (self.stale_at_destination - pages) | (self.stale_in_assembly & pages)
        self.stale_in_assembly -= pages

    def loaded(self, page: PageSet, stale: PageSet) -> None:
        """A copy from the stream was written straight into the destination's memory."""
        self.stale_at_destination = (self.stale_at_destination - page) | stale

    def filled_with_zeros(self, pages: PageSet) -> None:
        """The kernel gave the destination zero pages where the guest has data."""
        self.stale_at_destination |= pages

    def gave_up(self, page: PageSet) -> None:
        """The guest gave a page back to the host: what it held is of no importance any more."""
        self.dropped(page)
        self.given_up |= page

    def dropped(self, pages: PageSet) -> None:
        """The destination's copies are no more."""
        self.stale_at_destination -= pages
        self.stale_in_assembly -= pages
