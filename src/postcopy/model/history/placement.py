"""Bugs of placing pages: wake-ups that are missing, huge pages, deltas, memory that grows."""

from enum import Enum, auto

from postcopy.language import NONE, Bitmap, Cpu, Flag, Page, PageSet, Thread, action, require
from postcopy.model.destination import Destination, Main, State
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


class PlacesWithoutWaking(Postcopy):
    """Pages are placed without the kernel's knowledge, or with a wake-up that fails: a vCPU that waits sleeps on."""

    class destination(Destination):
        """Places, and wakes no sleeper."""

        def _place(self, pages: PageSet) -> None:
            sleepers = [self.waiting[Cpu(0)], self.waiting[Cpu(1)]]
            load = self.device_waiting
            super()._place(pages)
            self.waiting[Cpu(0)], self.waiting[Cpu(1)] = sleepers
            self.device_waiting = load


class HugePagesFillIn(Postcopy):
    """The kernel joins small pages to a huge one by itself, and fills what is missing with zeros: no fault ever
    comes."""

    class destination(Destination):
        """Has not forbidden it."""

        kernel = Thread("kernel")

        @action(kernel, qemu="mm/khugepaged.c:khugepaged", environment=True)
        def kernel_fills_in(self, page: Page) -> None:
            """makes a huge page, and fills what is missing with zeros"""
            require(self._listening())
            require(not self.present[page])
            self.guest.filled_with_zeros(page)
            self.present |= page


class Encoded(Enum):
    """A page as its difference from the copy that was sent before."""

    DELTA = auto()


class DeltasInPrecopy(Postcopy):
    """Pages that were sent before travel as deltas, in precopy only."""

    stream = Postcopy.stream.extended(Encoded, marked=(Encoded.DELTA,))

    class source(Source):
        """Keeps a cache of what it has sent."""

        cached = Bitmap("pages of which the source keeps the copy that it sent last", role=Role.NOTE)

        def _send_page(self, page: PageSet) -> None:
            if self.cached[page] and self._may_send_delta():
                self.stream.send(Encoded.DELTA, page, stale=self.guest.stale_at_source)
            else:
                super()._send_page(page)
            self.cached |= page

        def _may_send_delta(self) -> bool:
            return self.phase < Phase.SWITCHING

        def _clean_up(self) -> None:
            super()._clean_up()
            self.cached = NONE

    class destination(Destination):
        """Applies deltas to what it has."""

        @action(Destination.main_thread, qemu="migration/ram.c:load_xbzrle")
        def applies_delta(self) -> None:
            """applies a delta to its copy of a page"""
            require(self.main == Main.STREAM)
            message = self.stream.receive(Encoded.DELTA)
            self.guest.loaded(message.pages, message.marked["stale"])

        @action(Destination.listen, qemu="migration/ram.c:load_xbzrle")
        def applies_delta_to_nothing(self) -> None:
            """applies a delta to an empty page, because the copy that it belongs to was discarded"""
            require(self._listening())
            message = self.stream.receive(Encoded.DELTA)
            self.guest.arrived(message.pages, message.pages)
            self._place(message.pages)


class DeltasInPostcopy(DeltasInPrecopy):
    """Pages that were sent before travel as deltas in postcopy too, where the destination has discarded the copies to
    which they refer."""

    class source(DeltasInPrecopy.source):
        """Keeps its cache over the switch."""

        def _may_send_delta(self) -> bool:
            return True


class GrowsAndDiscards(Postcopy):
    """Memory that grows in precopy is emptied, as all memory was at ADVISE."""

    class destination(Destination):
        """May learn that a block of memory has grown."""

        grown = Flag("the memory has grown")

        @action(Destination.main_thread, qemu="migration/ram.c:ram_mig_ram_block_resized", environment=True)
        def memory_grows(self, page: Page) -> None:
            """learns that its memory is longer by a page, which is there, with zeros in it"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE)
            require(not self.grown)
            require(not self.present[page])
            self.grown = True
            self._populate(page)

        def _populate(self, page: PageSet) -> None:
            """And discards it at once."""


class GrowsWithoutDiscard(GrowsAndDiscards):
    """Memory that grows after ADVISE is not emptied: the new page is there with zeros, was never sent, and is not
    among the pages to discard."""

    class destination(GrowsAndDiscards.destination):
        """Leaves the zeros."""

        def _populate(self, page: PageSet) -> None:
            self.guest.filled_with_zeros(page)
            self.present |= page
