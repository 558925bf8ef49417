"""Several connections in precopy (multifd): what is still on one of them when the switch comes (A41).

One more connection is modelled, beside the stream. What it brings keeps its order; between it and the stream there is
none. That two of several connections reorder two copies of one page is not modelled.
"""

from enum import Enum, auto

from postcopy.language import Channel, Flag, Network, Page, Receives, Sends, Thread, View, action, require, sometimes
from postcopy.model.changes.change import Change
from postcopy.model.destination import Destination, Main
from postcopy.model.network import Command, Wire
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class Multifd(Enum):
    """Messages that say that a connection has been emptied."""

    FLUSH = auto()
    """On the stream: wait until the other connection has come to its SYNC."""
    SYNC = auto()
    """On the other connection."""


@sometimes("The main thread waits for the other connection", rules="R3")
def waits_for_sync(state: View) -> bool:
    """A page is still on the other connection, so the flush has to wait for it."""
    return bool(state.stream.next_is(Multifd.FLUSH) and state.multi.next_is(Command.PAGE))


class MultifdSource(Source):
    """Sends precopy pages on the other connection."""

    multifd_thread = Thread("multifd thread")

    flushed = Flag("the other connection has been flushed since the CPUs stopped")
    multi = Sends("multi")

    @action(multifd_thread, rule="R2 R10", qemu="migration/multifd.c:multifd_send_thread")
    def sends_precopy_page(self, page: Page) -> None:
        """sends a dirty page in precopy, on the other connection"""
        require(self.phase == Phase.PRECOPY or self.phase == Phase.FINISHING)
        require(self.dirty[page])
        require(not self.flushed)
        require(self.multi.room() and not self.multi.broken)
        self.dirty -= page
        self._remember_sent(page)
        self.multi.send(Command.PAGE, page, stale=self.guest.stale_at_source)

    @action(Source.migration, rule="R3", qemu="migration/multifd.c:multifd_send_sync_main")
    def flushes(self) -> None:
        """flushes the other connection, because the CPUs have stopped and no page of precopy will follow"""
        require(self.phase == Phase.SWITCHING or (self.phase == Phase.FINISHING and self.dirty.empty))
        require(not self.flushed)
        self._ready_to_send()
        require(self.multi.room() and not self.multi.broken)
        self.multi.send(Multifd.SYNC)
        self.stream.send(Multifd.FLUSH)
        self.flushed = True

    def sends_discards(self) -> None:
        """sends the discard set, once the other connection has been flushed"""
        require(self.flushed)
        super().sends_discards()
        self.flushed = False

    def ends_precopy(self) -> None:
        """sends the device state and the end of the stream, once the other connection has been flushed"""
        require(self.flushed)
        super().ends_precopy()
        self.flushed = False

    def _clean_up(self) -> None:
        super()._clean_up()
        self.flushed = False
        self.multi.close()


class MultifdDestination(Destination):
    """Has a thread that writes precopy pages."""

    multifd_thread = Thread("multifd thread")

    multi = Receives("multi")
    loads_precopy_page = None

    @action(multifd_thread, rule="R2", qemu="migration/multifd.c:multifd_recv_thread")
    def writes_precopy_page(self) -> None:
        """writes a page of precopy into memory"""
        message = self.multi.receive(Command.PAGE)
        self.present |= message.pages
        self.guest.loaded(message.pages, message.marked["stale"])

    @action(Destination.main_thread, rule="R3", qemu="migration/multifd.c:multifd_recv_sync_main")
    def waits_for_other_connection(self) -> None:
        """waits until the other connection has come to its SYNC"""
        require(self.main == Main.STREAM)
        self.stream.receive(Multifd.FLUSH)
        self.multi.receive(Multifd.SYNC)

    def _give_up(self) -> None:
        super()._give_up()
        self.multi.close()


class MultifdWire(Wire):
    """There are two connections over one network: its failure breaks both."""

    multi = Network("multi")

    def loses_the_connection(self) -> None:
        """loses both connections"""
        super().loses_the_connection()
        self.multi.close()

    @action(Wire.network, rule="R15", environment=True)
    def loses_newest_on_multi(self) -> None:
        """loses the newest message still on its way on the other connection"""
        require(self.failed)
        require(not self.multi.empty)
        self.multi.drop_newest()


class MultifdBeforeTheSwitch(Change):
    """Precopy pages travel on another connection, which is flushed before the discards."""

    origin = "QEMU e274188612, 249543d0c0 (2025); A41"
    properties = (waits_for_sync,)
    stream = Postcopy.stream.extended(Multifd.FLUSH)
    multi = Channel((Multifd.SYNC, Command.PAGE), marks=("stale",), marked=(Command.PAGE,))
    source = MultifdSource
    destination = MultifdDestination
    wire = MultifdWire


class MultifdNotFlushed(MultifdBeforeTheSwitch):
    """The other connection is not flushed: an old copy arrives after the page was discarded."""

    breaks = ("nothing-missing-at-end", "no-stale-device-read", "nothing-stale-at-start")
    inapplicable = {"waits-for-sync": "there is no flush"}  # noqa: RUF012

    class source(MultifdSource):
        """Does not flush."""

        flushes = None

        def sends_discards(self) -> None:
            """sends the discard set, if there is anything to discard"""
            Source.sends_discards(self)

        def ends_precopy(self) -> None:
            """sends the device state and the end of the stream"""
            Source.ends_precopy(self)

    class destination(MultifdDestination):
        """Waits for no flush."""

        waits_for_other_connection = None


class MultifdSkipsZeroPages(MultifdBeforeTheSwitch):
    """A page of zeros that comes for the first time is not written, because the memory is zero anyway: it stays
    missing.

    In precopy the guest cannot see the difference. In postcopy a touch of it is a fault, and the source has already
    sent the page.
    """

    breaks = ("no-page-lost", "no-request-lost")

    class destination(MultifdDestination):
        """Does not write pages of zeros."""

        @action(
            MultifdDestination.multifd_thread,
            rule="R2",
            qemu="migration/multifd-zero-page.c:multifd_recv_zero_page_process",
        )
        def skips_zero_page(self) -> None:
            """receives a page of zeros, and does not write it"""
            message = self.multi.receive(Command.PAGE)
            require((message.pages & self.present).empty)
