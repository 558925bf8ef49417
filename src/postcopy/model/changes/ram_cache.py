"""The mail's own proposal (R18): a second connection brings the remaining pages into a cache at the destination.

The mail asks whether it is feasible and whether it brings an improvement. It is correct, if four things are kept;
each has a change here that does not keep it. What it gains, that no requested page queues behind the rest, it gains
by the second connection: without a cache the pages may as well be placed where they belong, as the answer to the mail
says.
"""

from enum import Enum, auto

from postcopy.language import (
    NONE,
    Answer,
    Bitmap,
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
    about_part,
    action,
    conjunct,
    require,
    sometimes,
)
from postcopy.language.ranking import Component, Measure
from postcopy.model.changes.change import Change
from postcopy.model.changes.preempt import (
    asked_means_waited_for,
    faults_are_waited_for,
    requested_pages_do_not_queue,
)
from postcopy.model.destination import Destination, State
from postcopy.model.network import Command, Wire
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source
from postcopy.properties.invariant import alive, copies_of_pages, handed_over, kept_until, landed_pages, past_package
from postcopy.properties.ranking import ranking_with
from postcopy.properties.safety import Handover, SentSinceSwitch


class Bulk(Enum):
    """What the second connection carries beside pages."""

    END = auto()


@sometimes("A fault is answered from the cache")
def cache_hit(state: View) -> bool:
    """The cache exists so that this can happen."""
    return not (state.destination.cache & state.destination.faulted).empty


@sometimes("A page is requested that is on its way to the cache")
def asked_too_late(state: View) -> bool:
    """The two connections have crossed: the source will ignore the request."""
    late = state.source.requests & state.bulk.in_flight(Command.PAGE)
    return not late.empty


class BulkSource(Source):
    """Has one more thread, which sends the pages that are not requested."""

    bulk_thread = Thread("bulk thread")

    bulk_ended = Flag("the end of the second connection has been sent")
    bulk = Sends("bulk")

    @action(bulk_thread, rule="R17 R18")
    def sends_background_page(self, page: Page) -> None:
        """sends a page that is still dirty on the second connection"""
        require(self.phase == Phase.POSTCOPY)
        require(self.dirty[page])
        require((self.sending & page.host_pages).empty)
        self._bulk_ready()
        whole = page.host_pages & self.dirty
        self.dirty -= whole
        self.bulk.send(Command.PAGE, whole, stale=self.guest.stale_at_source)

    @action(bulk_thread, rule="R18 R24")
    def ends_bulk(self) -> None:
        """ends the second connection: nothing is dirty"""
        require(self.phase == Phase.POSTCOPY or self.phase == Phase.ENDING)
        require(self.dirty.empty)
        require(not self.bulk_ended)
        self._bulk_ready()
        self.bulk.send(Bulk.END)
        self.bulk_ended = True

    def receives_shut(self) -> None:
        """receives the destination's word that all has arrived: the migration is completed"""
        super().receives_shut()
        self.bulk_ended = False

    def _bulk_ready(self) -> None:
        require(self.bulk.room())
        require(not self.bulk.broken)

    def _clean_up(self) -> None:
        super()._clean_up()
        self.bulk_ended = False
        self.bulk.close()


class CachingDestination(Destination):
    """Has one more thread, which fills the cache."""

    cache_thread = Thread("cache thread")

    cache = Bitmap("pages in the RAM cache", role=Role.KEPT)
    bulk_over = Flag("the second connection has come to its end")
    bulk = Receives("bulk")

    @action(cache_thread, rule="R18")
    def receives_bulk_page(self) -> None:
        """receives a page on the second connection; places it if a thread waits for it, and otherwise keeps it"""
        require(self._listening())
        message = self.bulk.receive(Command.PAGE)
        self.guest.arrived(message.pages, message.marked["stale"])
        if self._waited_for(message.pages):
            self._place(message.pages)
        else:
            self.cache |= message.pages

    @action(cache_thread, rule="R18 R24")
    def reads_bulk_end(self) -> None:
        """reads the end of the second connection"""
        require(self._listening())
        self.bulk.receive(Bulk.END)
        self.bulk_over = True

    @action(cache_thread, rule="R18")
    def flushes_page(self, page: Page) -> None:
        """places a page from the cache, when nothing more will come"""
        require(self._listening())
        require(self.bulk_over)
        require(self.cache[page])
        self._take_from_cache(page)

    def requests_page(self, page: Page) -> None:
        """reads a fault, and takes its page from the cache or requests it from the source"""
        require(self._listening())
        require(self.faulted[page])
        if self.cache[page]:
            self.faulted -= page
            self._take_from_cache(page)
        else:
            super().requests_page(page)

    def ends(self) -> None:
        """reads the end of the stream and cleans up, once the second connection is over and the cache is empty"""
        require(self.bulk_over)
        require(self.cache.empty)
        super().ends()
        self.bulk_over = False

    def _waited_for(self, pages: PageSet) -> bool:
        return not ((self.waiting.any | self.device_waiting) & pages.host_pages).empty

    def _take_from_cache(self, page: PageSet) -> None:
        self.cache -= page.host_pages
        self._place(page.host_pages)

    def _give_up(self) -> None:
        super()._give_up()
        self.cache = NONE
        self.bulk_over = False
        self.bulk.close()


class BulkWire(Wire):
    """There are two connections over one network: its failure breaks both."""

    bulk = Network("bulk")

    def loses_the_connection(self) -> None:
        """loses both connections"""
        super().loses_the_connection()
        self.bulk.close()

    @action(Wire.network, rule="R15", environment=True)
    def loses_newest_on_bulk(self) -> None:
        """loses the newest message still on its way on the second connection"""
        require(self.failed)
        require(not self.bulk.empty)
        self.bulk.drop_newest()


# -- why it is safe --------------------------------------------------------------------------------------------------


@conjunct("Both connections break together", rules="R15 R18")
def connections_break_together(state: View) -> bool:
    """One network carries both, and a host that gives up closes both."""
    return bool(state.bulk.broken == state.stream.broken)


@conjunct("The second connection is used after the handover only", rules="R18", monitor=Handover)
def bulk_after_handover(state: View) -> bool:
    """What it brings are the pages that remain in postcopy."""
    used = state.bulk.carries(Command.PAGE) or state.bulk.carries(Bulk.END)
    over = state.source.bulk_ended or state.destination.bulk_over
    return not (used or over) or handed_over(state)


@conjunct("Behind the end of the second connection comes nothing", rules="R18 R24")
def bulk_end_last(state: View) -> bool:
    """It is sent when nothing is dirty, and once."""
    bulk = state.bulk
    if state.destination.bulk_over and (bulk.carries(Command.PAGE) or bulk.carries(Bulk.END)):
        return False
    return bool((bulk.in_order(Bulk.END, Command.PAGE) | bulk.in_order(Bulk.END, Bulk.END)).empty)


@conjunct("With the end of the second connection nothing is dirty any more", rules="R18 R24")
def bulk_end_means_clean(state: View) -> Answer:
    """It ends when nothing is left to send, and nothing is dirtied after the switch."""
    ended = state.source.bulk_ended or state.bulk.carries(Bulk.END) or state.destination.bulk_over
    return state.source.dirty if ended else True


@conjunct("A source whose second connection has ended knows it until all is over", rules="R18 R24")
def bulk_end_is_remembered(state: View) -> bool:
    """So it sends the end once."""
    ended = state.bulk.carries(Bulk.END) or state.destination.bulk_over
    return not ended or bool(state.source.bulk_ended or state.source.phase > Phase.ENDING)


@conjunct("The end of the second connection is on its way, or was read", rules="R18 R24")
def bulk_end_arrives(state: View) -> bool:
    """The destination waits for it."""
    if not (alive(state) & state.source.bulk_ended) or state.destination.state == State.END:
        return True
    return state.bulk.carries(Bulk.END) or bool(state.destination.bulk_over)


@conjunct(
    "A page on the second connection was sent in postcopy, once, and is good", rules="R13", monitor=SentSinceSwitch
)
def bulk_pages_are_good(state: View) -> Answer:
    """Both connections share one migration bitmap, and the guest writes no page that has not come."""
    coming = state.bulk.in_flight(Command.PAGE)
    twice = state.bulk.in_order(about(Command.PAGE), about(Command.PAGE))
    return twice | state.bulk.in_flight(Command.PAGE, stale=True) | (coming - state.SentSinceSwitch.pages)


@conjunct(
    "No page travels on the second connection when postcopy is over at the destination, or never comes", rules="R18 R24"
)
def bulk_pages_in_postcopy(state: View) -> bool:
    """The destination ends when it has come to the end of the second connection."""
    over = state.destination.state == State.END or state.stream.carries(Command.PRECOPY_END)
    return not over or not state.bulk.carries(Command.PAGE)


@conjunct("Host pages travel whole on the second connection", rules="R21")
def bulk_host_pages(state: View) -> Answer:
    """A host page that has begun on the stream is finished there."""
    part: PageSet = state.bulk.in_order(about_part(Command.PAGE))
    return part


@conjunct("No page travels on both connections", rules="R13 R18")
def one_connection(state: View) -> Answer:
    """Both connections share one migration bitmap."""
    in_postcopy = state.stream.in_order(Command.PACKAGED, about(Command.PAGE))
    if past_package(state):
        in_postcopy = state.stream.in_flight(Command.PAGE)
    return state.bulk.in_flight(Command.PAGE) & in_postcopy


@conjunct("What the package finds at the destination does not come on the second connection", rules="R11 R13")
def package_finds_no_bulk_page(state: View) -> Answer:
    """It was dirty at the switch, so that it was discarded."""
    if not state.stream.carries(Command.PACKAGED):
        return True
    return kept_until(state, Command.PACKAGED) & state.bulk.in_flight(Command.PAGE)


@conjunct(
    "What is in the cache was sent in postcopy, is good, and is of whole host pages",
    rules="R18 R21",
    monitor=SentSinceSwitch,
)
def cache_is_good(state: View) -> Answer:
    """It came on the second connection, and no vCPU can write it."""
    cache: PageSet = state.destination.cache
    bad = ~state.SentSinceSwitch.pages | state.guest.stale_in_assembly | state.destination.assembling
    return (cache & bad) | (cache.host_pages - cache)


@conjunct("Pages are cached only while the destination listens", rules="R18")
def cached_while_listening(state: View) -> Answer:
    """Before, the second connection is not read; at the end the cache is empty."""
    listening = state.destination.state == State.LISTEN or state.destination.state == State.RUNNING
    return True if listening else state.destination.cache


@conjunct("A thread that waits for a page in the cache has a fault queued", rules="R16 R18")
def cached_means_faulted(state: View) -> Answer:
    """A page that comes while a thread waits for it is placed at once, so the thread has come later. The thread that
    reads the fault finds the page."""
    waits: PageSet = state.waited_for() & state.destination.cache
    return waits - state.destination.faulted


@conjunct("Before the destination listens no requested page is sent on the stream", rules="R5 R16")
def stream_while_listening(state: View) -> Answer:
    """In postcopy only what is requested travels there, and requests come later."""
    if state.destination.state > State.ADVISE:
        return True
    return state.source.sending | state.stream.in_order(Command.PACKAGED, about(Command.PAGE))


@conjunct("A thread waits for each page that comes on the stream in postcopy", rules="R17 R18")
def stream_is_waited_for(state: View) -> Answer:
    """The rest travels on the second connection."""
    coming = state.source.sending if not state.stream.broken else state.destination.device_waiting
    if past_package(state):
        coming = coming | state.stream.in_flight(Command.PAGE)
    return coming - state.waited_for().host_pages


def _all_is_on_its_way(state: View) -> bool:
    """Nothing of the second connection is lost: the network stands, or its end has come through."""
    through = state.bulk.carries(Bulk.END) or state.destination.bulk_over
    return not state.stream.broken or bool(through)


@conjunct("When both connections have their ends on the way every page is there or in front of them", rules="R18 R24")
def eof_complete(state: View) -> Answer:
    """Postcopy ends when nothing is dirty. When the network fails, the newest on either connection is lost."""
    if not state.stream.carries(Command.EOF) or not _all_is_on_its_way(state):
        return True
    return ~(copies_of_pages(state) | landed_pages(state))


@conjunct("What is discarded is sent again, on either connection", rules="R11 R18")
def discarded_is_sent_again(state: View) -> Answer:
    """It is dirty, or travels behind the discard, or on the second connection; unless some of that is lost."""
    goes_on = not state.stream.broken and state.source.phase <= Phase.COMPLETED
    if not (goes_on or (state.stream.carries(Command.EOF) and _all_is_on_its_way(state))):
        return True
    again = state.stream.in_order(Command.DISCARD, about(Command.PAGE)) | state.bulk.in_flight(Command.PAGE)
    return state.stream.in_flight(Command.DISCARD) - state.source.dirty - again


BULK_ENDS = (
    Component("source.bulk_ended", Measure.ADVANCES, "the end of the second connection is sent once"),
    Component("bulk", Measure.DRAINS, "what was sent on the second connection is read"),
    Component("destination.cache", Measure.SHRINKS, "what is in the cache is placed"),
)
"""What is used up beside what the document's protocol uses up."""


class RamCache(Change):
    """The mail's proposal: the rest travels on a second connection into a cache, and a fault looks there first.

    Kept for it to be correct: one migration bitmap for both connections; a page that comes while a thread waits for it
    is placed at once, because the source ignores the request; the end waits for both connections; what is in the cache
    is placed before the end.
    """

    origin = "the mail of 2015-06-26 (558D04F0.5050904@huawei.com); R18"
    properties = (requested_pages_do_not_queue, cache_hit, asked_too_late)
    inapplicable = {  # noqa: RUF012
        "requested-first": "background pages have a connection of their own: see requested-pages-do-not-queue",
    }
    invariant = (
        connections_break_together,
        bulk_after_handover,
        bulk_end_last,
        bulk_end_means_clean,
        bulk_end_is_remembered,
        bulk_end_arrives,
        bulk_pages_are_good,
        bulk_pages_in_postcopy,
        bulk_host_pages,
        one_connection,
        package_finds_no_bulk_page,
        cache_is_good,
        cached_while_listening,
        cached_means_faulted,
        faults_are_waited_for,
        asked_means_waited_for,
        stream_while_listening,
        stream_is_waited_for,
        eof_complete,
        discarded_is_sent_again,
    )
    ranking = ranking_with(*BULK_ENDS, before="destination.owes_shut")
    bulk = Channel((Bulk.END, Command.PAGE), marks=("stale",), marked=(Command.PAGE,))
    source = BulkSource
    destination = CachingDestination
    wire = BulkWire


class SecondConnection(RamCache):
    """The second connection without the cache: a page that comes on it is placed in memory at once. As good as the
    cache, and simpler."""

    origin = "the answer to the mail of 2015-06-26 (558D04F0.5050904@huawei.com); R18"
    inapplicable = {"cache-hit": "there is no cache"}  # noqa: RUF012

    class destination(CachingDestination):
        """Places every page at once, whether or not a thread waits for it."""

        def _waited_for(self, pages: PageSet) -> bool:  # noqa: ARG002
            return True


class CacheKeepsWhatIsWaitedFor(RamCache):
    """Not kept: every page goes into the cache, even one for which a vCPU waits. A fault that was read before its page
    came is never answered."""

    breaks = ("no-request-lost",)

    class destination(CachingDestination):
        """Puts every page into the cache, and wakes no thread."""

        def _waited_for(self, pages: PageSet) -> bool:  # noqa: ARG002
            return False


class CacheEndsWithTheStream(RamCache):
    """Not kept: the destination ends with the stream, and does not wait for the second connection."""

    breaks = ("nothing-missing-at-end",)

    class destination(CachingDestination):
        """Does not look at the second connection."""

        def ends(self) -> None:
            """reads the end of the stream and cleans up, once the cache is empty"""
            require(self.cache.empty)
            Destination.ends(self)


class CacheLostAtTheEnd(RamCache):
    """Not kept: the destination ends while pages are still in the cache, where no thread will look for them."""

    breaks = ("nothing-missing-at-end",)

    class destination(CachingDestination):
        """Does not flush its cache."""

        def ends(self) -> None:
            """reads the end of the stream and cleans up, once the second connection is over"""
            require(self.bulk_over)
            Destination.ends(self)


class CacheWithItsOwnBitmap(RamCache):
    """Not kept: the second connection has a bitmap of its own, so that a page can come on both."""

    breaks = ("no-page-sent-twice", "no-write-overwritten", "no-stale-read")

    class source(BulkSource):
        """Sends in the background what was dirty at the switch, requested since or not."""

        rest = Bitmap("pages that the bulk thread still means to send", role=Role.NOTE)  # a copy of `dirty`

        def sends_package(self) -> None:
            """sends the package, and copies the migration bitmap for the bulk thread"""
            super().sends_package()
            self.rest = self.dirty

        def sends_background_page(self, page: Page) -> None:
            """sends a page of its own bitmap on the second connection"""
            require(self.phase == Phase.POSTCOPY)
            require(self.rest[page])
            self._bulk_ready()
            self.rest -= page.host_pages
            self.dirty -= page.host_pages
            self.bulk.send(Command.PAGE, page.host_pages, stale=self.guest.stale_at_source)

        def _clean_up(self) -> None:
            super()._clean_up()
            self.rest = NONE


class BulkReadTooEarly(SecondConnection):
    """Not kept without a cache: the second connection is read before the discards that were sent ahead of it."""

    breaks = ("no-page-lost", "no-request-lost", "no-deadlock")

    class source(BulkSource):
        """Sends on the second connection as soon as the discard set is known."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page that is still dirty on the second connection, as soon as the discard set is known"""
            require(Phase.SWITCHING < self.phase and self.phase <= Phase.POSTCOPY)
            require(self.dirty[page])
            require((self.sending & page.host_pages).empty)
            self._bulk_ready()
            whole = page.host_pages & self.dirty
            self.dirty -= whole
            self.bulk.send(Command.PAGE, whole, stale=self.guest.stale_at_source)

    class destination(SecondConnection.destination):
        """Reads the second connection whenever something comes."""

        def receives_bulk_page(self) -> None:
            """receives a page on the second connection and places it, in precopy too"""
            require(self.state == State.ADVISE or self._listening())
            message = self.bulk.receive(Command.PAGE)
            self.guest.arrived(message.pages, message.marked["stale"])
            self._place(message.pages)
