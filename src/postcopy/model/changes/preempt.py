"""The preempt channel (QEMU, 2022): requested pages travel on a connection of their own.

A requested page no longer queues behind background pages that are on their way already. In exchange two channels
carry pages, and what one brings can overtake what the other brings.
"""

from enum import Enum, auto
from typing import ClassVar

from postcopy.language import (
    NONE,
    Answer,
    Bitmap,
    Channel,
    Flag,
    Network,
    Page,
    PageSet,
    Property,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    about,
    about_part,
    action,
    conjunct,
    every_step,
    require,
    sometimes,
)
from postcopy.language.ranking import Component, Measure
from postcopy.model.changes.change import Change
from postcopy.model.destination import Destination, Main, State
from postcopy.model.network import Command, Reply, Wire
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source
from postcopy.properties.invariant import alive, copies_of_pages, handed_over, landed_pages, past_package
from postcopy.properties.ranking import ranking_with
from postcopy.properties.safety import Handover, SentSinceSwitch


class Fast(Enum):
    """What the preempt channel carries beside pages."""

    HELLO = auto()
    """The first message: the destination knows by it which connection this is."""


@every_step("No page sent on request queues behind pages for which no thread waits", rules="R17 R18")
def requested_pages_do_not_queue(step: Step) -> Answer:
    """A vCPU stands still until its page comes; yet this page, for which no thread waits, is ahead of it on the same
    channel."""
    before = step.before
    if before.source.phase != Phase.POSTCOPY:
        return True
    waited_for = before.waited_for().host_pages
    ahead = before.source.dirty - before.source.dirty
    for event in step.events:
        if event.what == Command.PAGE and event.sent:
            served = before.source.requests - step.after.source.requests
            asked: PageSet = event.pages & served.host_pages
            channel = before.fast if event.channel == "fast" else before.stream
            if not asked.empty:
                ahead = ahead | (channel.in_flight(Command.PAGE) - waited_for)
    return ahead


@sometimes("A requested page overtakes a background page")
def overtakes(state: View) -> bool:
    """The second channel exists so that this can happen."""
    return not state.fast.in_flight(Command.PAGE).empty and not state.stream.in_flight(Command.PAGE).empty


class PreemptSource(Source):
    """Serves requests from the return-path thread, on a channel of their own."""

    answered = Flag("the destination has answered the ping")
    fast_open = Flag("the preempt channel has been opened")
    fast = Sends("fast")

    def receives_pong(self) -> None:
        """receives the answer to the ping: the destination has taken the main connection"""
        super().receives_pong()
        self.answered = True

    @action(Source.return_path_thread, qemu="migration/postcopy-ram.c:postcopy_preempt_establish_channel")
    def opens_fast_channel(self) -> None:
        """opens the preempt channel, after the main one (A25)"""
        require(self.phase == Phase.PRECOPY)
        require(self.postcopy_capability)
        require(self.answered)
        require(not self.fast_open)
        self._fast_ready()
        self.fast.send(Fast.HELLO)
        self.fast_open = True

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs and computes the discard set, once the preempt channel is open"""
        require(self.fast_open)
        super().stops_cpus_to_switch()

    @action(Source.return_path_thread, rule="R13 R17", qemu="migration/ram.c:ram_save_host_page_urgent")
    def serves_request(self, page: Page) -> None:
        """serves a requested page on the preempt channel, or drops the request where the page has been sent"""
        require(self.phase == Phase.POSTCOPY)
        require(self.requests[page])
        self.requests -= page.host_pages
        urgent = page.host_pages & self.dirty
        if not urgent.empty and not self._on_main_channel(page):
            self._fast_ready()
            self.dirty -= urgent
            self.fast.send(Command.PAGE, urgent, stale=self.guest.stale_at_source)

    def sends_background_page(self, page: Page) -> None:
        """sends a page that nobody has asked for yet, whatever the return-path thread does"""
        require(self.phase == Phase.POSTCOPY)
        require(self.sending.empty)
        require(self.dirty[page])
        self._ready_to_send()
        self._send_in_postcopy(page)

    def _on_main_channel(self, page: PageSet) -> bool:
        """A host page that is partly sent is finished on the channel on which it began: otherwise neither channel
        carries all of it (A22)."""
        return not (self.sending & page.host_pages).empty

    def _fast_ready(self) -> None:
        require(self.fast.room())
        require(not self.fast.broken)

    def _clean_up(self) -> None:
        super()._clean_up()
        self.fast.close()


class PreemptDestination(Destination):
    """Has one more thread, which receives urgent pages."""

    preempt_thread = Thread("preempt thread")

    fast_ready = Flag("the preempt channel has been accepted")
    assembling_urgent = Bitmap(
        "target pages received on the preempt channel of a host page that is not whole yet", role=Role.NOTE
    )  # no landing place: a host page comes whole on this channel, and a part of one would stay here for ever
    fast = Receives("fast")

    @action(Destination.main_thread, qemu="migration/migration.c:migration_ioc_process_incoming")
    def accepts_fast_channel(self) -> None:
        """accepts the preempt channel"""
        require(self.main == Main.STREAM)
        self.fast.receive(Fast.HELLO)
        self.fast_ready = True

    def reads_package(self) -> None:
        """reads the whole package into memory, once the preempt channel is there"""
        require(self.fast_ready)
        super().reads_package()

    @action(preempt_thread, rule="R21 R22", qemu="migration/postcopy-ram.c:postcopy_preempt_thread")
    def places_urgent_page(self) -> None:
        """receives an urgent page, places its host page when that is whole, and wakes the threads that wait for it"""
        require(self._listening())
        message = self.fast.receive(Command.PAGE)
        whole = message.pages.host_pages
        self.assembling_urgent |= message.pages
        self.guest.arrived(message.pages, message.marked["stale"])
        if whole.subset_of(self.assembling_urgent):
            self.assembling_urgent -= whole
            self._place(whole)

    def ends(self) -> None:
        """reads the end of the stream and cleans up, once all that was requested has come (A05)"""
        require(not self._requests_open())
        super().ends()

    def _requests_open(self) -> bool:
        """QEMU counts the pages that were requested and have not come. A thread that waits for a page has requested it
        or is about to."""
        return not (self.waiting.any | self.device_waiting).empty

    def _give_up(self) -> None:
        super()._give_up()
        self.assembling_urgent = NONE
        self.fast.close()


class PreemptWire(Wire):
    """There are two connections over one network: its failure breaks both."""

    fast = Network("fast")

    def loses_the_connection(self) -> None:
        """loses both connections"""
        super().loses_the_connection()
        self.fast.close()

    @action(Wire.network, rule="R15", environment=True)
    def loses_newest_on_fast(self) -> None:
        """loses the newest message still on its way on the preempt channel"""
        require(self.failed)
        require(self.fast.broken)
        require(not self.fast.empty)
        self.fast.drop_newest()


# -- why it is safe --------------------------------------------------------------------------------------------------


@conjunct("A page with a fault queued is there, or a thread waits for it", rules="R16")
def faults_are_waited_for(state: View) -> Answer:
    """The thread sleeps until the page is placed; its fault may be read later than that."""
    return state.destination.faulted - state.destination.present - state.waited_for()


@conjunct("A page that is asked for and still dirty is one that a thread waits for", rules="R16 R17")
def asked_means_waited_for(state: View) -> Answer:
    """The thread sleeps until its page is placed, and the page has not even been sent."""
    if state.stream.broken:
        return True
    asked = state.source.requests | state.return_path.in_flight(Reply.REQ_PAGES)
    return (asked & state.source.dirty) - state.waited_for().host_pages


@conjunct("The preempt channel breaks with the stream", rules="R15")
def channels_break_together(state: View) -> bool:
    """One network carries both, and a host that gives up closes both."""
    return bool(state.fast.broken == state.stream.broken)


@conjunct("HELLO travels once, in front of all pages, to a destination that has not read it", rules="R18")
def hello_first(state: View) -> bool:
    """The channel is opened with it."""
    fast = state.fast
    first = (fast.in_order(Command.PAGE, Fast.HELLO) | fast.in_order(Fast.HELLO, Fast.HELLO)).empty
    return bool(first) and not (state.destination.fast_ready and fast.carries(Fast.HELLO))


@conjunct("A source that has opened the preempt channel knows it", rules="R18")
def opening_is_remembered(state: View) -> bool:
    """So it opens the channel once."""
    opened = state.destination.fast_ready or state.fast.carries(Fast.HELLO)
    return not opened or bool(state.source.fast_open)


@conjunct("HELLO is on its way, or was read", rules="R18")
def hello_arrives(state: View) -> bool:
    """The destination waits for it before it reads the package."""
    if not (alive(state) & state.source.fast_open) or state.destination.state == State.FAILED:
        return True
    return state.fast.carries(Fast.HELLO) or bool(state.destination.fast_ready)


@conjunct("The preempt channel is open from the switch on", rules="R18")
def open_from_switch(state: View) -> bool:
    """The source does not switch before it has opened the channel."""
    switched = state.source.phase >= Phase.SWITCHING and state.source.phase <= Phase.POSTCOPY
    return not (switched or state.stream.carries(Command.PACKAGED)) or bool(state.source.fast_open)


@conjunct("Past the package the destination has accepted the preempt channel", rules="R18")
def accepted_with_package(state: View) -> bool:
    """It waits for the channel before it reads the package."""
    return not past_package(state) or bool(state.destination.fast_ready)


@conjunct("Pages travel on the preempt channel only after the handover", rules="R5 R18", monitor=Handover)
def fast_after_handover(state: View) -> bool:
    """They are requested, and the destination listens when it requests a page."""
    return not state.fast.carries(Command.PAGE) or (handed_over(state) and bool(state.destination.state > State.ADVISE))


@conjunct("A page on the preempt channel was sent in postcopy, once, and is good", rules="R13", monitor=SentSinceSwitch)
def fast_pages_are_good(state: View) -> Answer:
    """Both channels share one migration bitmap, and the guest writes no page that has not come."""
    coming = state.fast.in_flight(Command.PAGE)
    twice = state.fast.in_order(about(Command.PAGE), about(Command.PAGE))
    return twice | state.fast.in_flight(Command.PAGE, stale=True) | (coming - state.SentSinceSwitch.pages)


@conjunct("Host pages travel whole on the preempt channel (A22)", rules="R21")
def fast_host_pages(state: View) -> Answer:
    """A host page that has begun on the stream is finished there."""
    part: PageSet = state.fast.in_order(about_part(Command.PAGE))
    return part | state.destination.assembling_urgent


@conjunct("A host page that has begun on the stream comes whole on it (A22)", rules="R21")
def stream_host_pages(state: View) -> Answer:
    """What is left of it is still to be sent, and is not sent on the preempt channel."""
    goes_on = not state.stream.broken and state.source.phase <= Phase.COMPLETED
    if not (goes_on or state.stream.carries(Command.EOF)):
        return True
    in_postcopy = state.stream.in_order(Command.PACKAGED, about(Command.PAGE))
    if past_package(state):
        in_postcopy = state.stream.in_flight(Command.PAGE)
    begun = in_postcopy | state.destination.assembling
    return begun.host_pages - begun - state.source.dirty


@conjunct("No page travels on both channels", rules="R13 R18")
def one_channel(state: View) -> Answer:
    """Both share one migration bitmap."""
    return state.fast.in_flight(Command.PAGE) & state.stream.in_flight(Command.PAGE)


@conjunct("A thread waits for each page on the preempt channel", rules="R17 R18")
def fast_is_waited_for(state: View) -> Answer:
    """Only what is requested travels there."""
    return state.fast.in_flight(Command.PAGE) - state.waited_for().host_pages


@conjunct("When EOF is on its way every page is there or in front of it, or a thread waits for it (A05)", rules="R24")
def eof_complete(state: View) -> Answer:
    """Postcopy ends when nothing is dirty. When the network fails, the newest on the preempt channel is lost."""
    if not state.stream.carries(Command.EOF):
        return True
    return ~(copies_of_pages(state) | landed_pages(state) | state.waited_for().host_pages)


FAST_DRAINS = Component("fast", Measure.DRAINS, "what was sent on the preempt channel is read")
"""What is used up beside what the document's protocol uses up."""


class Preempt(Change):
    """Requested pages travel on a connection of their own, sent by the thread that receives the requests."""

    origin = "QEMU c01b16edf6 (2022), cf02f29e1e (2023), 7afbdada7e (2024); A05, A22, A25"
    properties = (requested_pages_do_not_queue, overtakes)
    inapplicable = {  # noqa: RUF012
        "requested-first": "requested pages have a channel of their own: see requested-pages-do-not-queue",
    }
    invariant: ClassVar[tuple[Property, ...]] = (
        faults_are_waited_for,
        asked_means_waited_for,
        channels_break_together,
        hello_first,
        opening_is_remembered,
        hello_arrives,
        open_from_switch,
        accepted_with_package,
        fast_after_handover,
        fast_pages_are_good,
        fast_host_pages,
        stream_host_pages,
        one_channel,
        fast_is_waited_for,
        eof_complete,
    )
    ranking = ranking_with(FAST_DRAINS, before="destination.owes_shut")
    fast = Channel((Fast.HELLO, Command.PAGE), marks=("stale",), marked=(Command.PAGE,))
    source = PreemptSource
    destination = PreemptDestination
    wire = PreemptWire
