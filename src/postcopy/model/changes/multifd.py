"""Several connections in precopy (multifd): what is still on one of them when the switch comes (A41).

One more connection is modelled, beside the stream. What it brings keeps its order; between it and the stream there is
none. That two of several connections reorder two copies of one page is not modelled.
"""

from enum import Enum, auto

from postcopy.language import (
    Answer,
    Channel,
    Flag,
    Network,
    Page,
    PageSet,
    Receives,
    Sends,
    Thread,
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
from postcopy.model.network import Command, Wire
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source
from postcopy.properties.invariant import copies_of_pages, kept_until, landed_pages, past_package
from postcopy.properties.ranking import ranking_with


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


class ReadingDestination(Destination):
    """Has a thread that writes precopy pages, and a main thread that waits for what it reads."""

    multifd_thread = Thread("multifd thread")

    multi = Receives("multi")

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


class MultifdDestination(ReadingDestination):
    """Reads precopy pages from the other connection only."""

    loads_precopy_page = None

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


# -- why it is safe --------------------------------------------------------------------------------------------------

SWITCH = (Command.DISCARD, Command.PACKAGED, Command.PRECOPY_END, Command.EOF)
"""What the source sends when it has flushed the other connection."""


@conjunct("Both connections break together", rules="R15")
def multi_breaks_with_stream(state: View) -> bool:
    """One network carries both, and a host that gives up closes both."""
    return bool(state.multi.broken == state.stream.broken)


@conjunct("A destination that has given up has closed the connections, and nothing more comes", rules="R15")
def given_up_is_closed(state: View) -> bool:
    """It closes them in the same step, and what is on its way is lost."""
    if state.destination.state != State.FAILED:
        return True
    return bool(state.stream.broken) and not state.multi.carries(Command.PAGE)


@conjunct("The other connection is flushed once, after the CPUs have stopped", rules="R3")
def flushed_after_stop(state: View) -> bool:
    """No page of precopy follows, and the source remembers the flush until it has sent what comes behind it."""
    source = state.source
    before = source.phase == Phase.FINISHING or source.phase == Phase.SWITCHING
    if source.flushed:
        return bool(before)
    flushing = state.stream.carries(Multifd.FLUSH) or state.multi.carries(Multifd.SYNC)
    return not flushing or bool(source.phase >= Phase.PACKAGING)


@conjunct("Precopy finishes with a flush when nothing is dirty", rules="R2")
def flushed_when_clean(state: View) -> Answer:
    """The flush comes behind the last page."""
    finishing = state.source.flushed and state.source.phase == Phase.FINISHING
    return state.source.dirty if finishing else True


@conjunct("FLUSH travels once, in front of the discards, the package and the end", rules="R3")
def flush_first(state: View) -> bool:
    """They are sent when it has been sent."""
    stream = state.stream
    first = all(stream.in_order(kind, Multifd.FLUSH).empty for kind in SWITCH)
    opened = stream.in_order(Multifd.FLUSH, Command.OPEN_RETURN_PATH) | stream.in_order(Multifd.FLUSH, Command.ADVISE)
    return bool(first and (opened | stream.in_order(Multifd.FLUSH, Multifd.FLUSH)).empty)


@conjunct("A main thread that reads the stream no more has left no FLUSH", rules="R3 R20")
def main_reads_flush(state: View) -> bool:
    """It reads the messages in their order."""
    return state.destination.main == Main.STREAM or not state.stream.carries(Multifd.FLUSH)


@conjunct("Behind SYNC comes nothing", rules="R3")
def sync_last(state: View) -> bool:
    """No page of precopy follows, and the other connection is flushed once."""
    return bool(
        (state.multi.in_order(Multifd.SYNC, Command.PAGE) | state.multi.in_order(Multifd.SYNC, Multifd.SYNC)).empty
    )


@conjunct("FLUSH and SYNC are on their way together", rules="R3")
def flush_with_sync(state: View) -> bool:
    """They are sent, and received, in one step; a failure may lose one of them."""
    return bool(state.stream.broken) or state.stream.carries(Multifd.FLUSH) == state.multi.carries(Multifd.SYNC)


@conjunct("Once flushed, and FLUSH read, the other connection is empty", rules="R3")
def flushed_is_empty(state: View) -> Answer:
    """SYNC is the last message on it."""
    source = state.source
    switched = (source.phase >= Phase.PACKAGING) & (source.phase <= Phase.COMPLETED)
    flushed = (source.flushed | switched) & (state.stream.broken == False)  # noqa: E712  (one expression)
    read = flushed & (state.stream.carries(Multifd.FLUSH) == False)  # noqa: E712
    return state.multi.in_flight(Command.PAGE) if read else True


@conjunct("What follows FLUSH finds the other connection empty", rules="R3")
def switch_finds_empty(state: View) -> Answer:
    """It is read when FLUSH has been read, also where the connection is lost meanwhile."""
    stream = state.stream
    comes = stream.carries(Command.DISCARD) | stream.carries(Command.PACKAGED) | stream.carries(Command.PRECOPY_END)
    next_ones = comes & (stream.carries(Multifd.FLUSH) == False)  # noqa: E712  (one expression)
    return state.multi.in_flight(Command.PAGE) if next_ones else True


@conjunct("Past the package, and at the end, the other connection is empty", rules="R3")
def empty_past_package(state: View) -> Answer:
    """FLUSH was read before."""
    read = past_package(state) | (state.destination.state == State.END)
    return state.multi.in_flight(Command.PAGE) if read else True


@conjunct("On the stream pages travel behind the package only", rules="R2")
def stream_pages_behind_package(state: View) -> bool:
    """In precopy they travel on the other connection."""
    if not state.stream.carries(Command.PAGE) or state.destination.main != Main.STREAM:
        return True
    return state.stream.carries(Command.PACKAGED) and bool(state.stream.in_order(Command.PAGE, Command.PACKAGED).empty)


@conjunct("Where the destination's copy is good no stale one is on the other connection", rules="R10")
def good_is_not_overwritten_by_multifd(state: View) -> Answer:
    """Copies arrive in the order in which they were sent."""
    good: PageSet = state.destination.present - state.guest.stale_at_destination
    return good & state.multi.in_flight(Command.PAGE, stale=True)


@conjunct("On the other connection no stale copy travels behind a good one of the same page", rules="R10")
def no_stale_behind_good_on_multifd(state: View) -> Answer:
    """A write makes all copies stale at once, and what is sent later is good."""
    return state.multi.in_order(about(Command.PAGE, stale=False), about(Command.PAGE, stale=True))


def _is_lost(state: View) -> bool:
    """SYNC is lost, and what was in front of it may be: then FLUSH is not passed."""
    return state.stream.carries(Multifd.FLUSH) and not state.multi.carries(Multifd.SYNC)


def _kept(state: View, until: Command) -> PageSet:
    """What the destination will have when it comes to the message on the stream, which is behind the flush."""
    return kept_until(state, until) | state.multi.in_flight(Command.PAGE) - state.stream.in_flight(Command.DISCARD)


def _good(state: View, until: Command) -> PageSet:
    """Of what will be there, what the guest wrote last."""
    good: PageSet = state.destination.present - state.guest.stale_at_destination
    on_stream = state.stream.in_order(about(Command.PAGE, stale=False), until)
    return good | on_stream | state.multi.in_flight(Command.PAGE, stale=False)


@conjunct("Each host page of a discard on its way has a page that is without a good copy by then", rules="R11 R21")
def discards_needed(state: View) -> Answer:
    """Nothing is discarded for nothing."""
    bad = ~_good(state, Command.DISCARD)
    return state.stream.in_flight(Command.DISCARD) - bad.host_pages


@conjunct("What the discards leave at the destination is good, in whole host pages", rules="R11 R21")
def discards_leave_good(state: View) -> Answer:
    """Of a host page that is not discarded all is there by then, and it is what the guest wrote last."""
    if not state.stream.carries(Command.DISCARD) or state.source.phase > Phase.COMPLETED or _is_lost(state):
        return True
    kept = _kept(state, Command.DISCARD)
    return (kept - _good(state, Command.DISCARD)) | (kept.host_pages - kept)


@conjunct("What the package finds at the destination is good, in whole host pages", rules="R11 R21")
def package_finds_good(state: View) -> Answer:
    """All discards are processed by then."""
    if not state.stream.carries(Command.PACKAGED) or _is_lost(state):
        return True
    kept = _kept(state, Command.PACKAGED)
    return (kept - _good(state, Command.PACKAGED)) | (kept.host_pages - kept)


@conjunct("What the package finds at the destination does not come again", rules="R11 R13")
def package_finds_no_late_page(state: View) -> Answer:
    """What is still to be sent, or travels behind the package, is missing by then."""
    if not state.stream.carries(Command.PACKAGED):
        return True
    late = state.source.dirty | state.stream.in_order(Command.PACKAGED, about(Command.PAGE))
    return _kept(state, Command.PACKAGED) & late


@conjunct("Before the end of precopy every page has a good copy", rules="R2")
def precopy_end_complete(state: View) -> Answer:
    """Precopy ends when nothing is dirty."""
    if not state.stream.carries(Command.PRECOPY_END) or _is_lost(state):
        return True
    return ~_good(state, Command.PRECOPY_END)


@conjunct("When EOF is on its way every page is there or in front of it", rules="R24")
def eof_complete(state: View) -> Answer:
    """Postcopy ends when nothing is dirty."""
    if not state.stream.carries(Command.EOF) or _is_lost(state):
        return True
    return ~(copies_of_pages(state) | landed_pages(state))


MULTI_DRAINS = Component("multi", Measure.DRAINS, "what was sent on the other connection is read")
"""What is used up beside what the document's protocol uses up."""


class MultifdBeforeTheSwitch(Change):
    """Precopy pages travel on another connection, which is flushed before the discards."""

    origin = "QEMU e274188612, 249543d0c0 (2025); A41"
    properties = (waits_for_sync,)
    invariant = (
        multi_breaks_with_stream,
        given_up_is_closed,
        flushed_after_stop,
        flushed_when_clean,
        flush_first,
        main_reads_flush,
        sync_last,
        flush_with_sync,
        flushed_is_empty,
        switch_finds_empty,
        empty_past_package,
        stream_pages_behind_package,
        good_is_not_overwritten_by_multifd,
        no_stale_behind_good_on_multifd,
        discards_needed,
        discards_leave_good,
        package_finds_good,
        package_finds_no_late_page,
        precopy_end_complete,
        eof_complete,
    )
    ranking = ranking_with(MULTI_DRAINS, before="destination.owes_shut")
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
