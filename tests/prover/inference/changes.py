"""Small changes to the document's protocol, as a user would write them, and an unsound twin for some of them.

None of them brings a conjunct. The sound ones are to be proved for every size with what the machine finds.
"""

from __future__ import annotations

from enum import Enum, auto

from postcopy.language import (
    NONE,
    Bitmap,
    Count,
    Cpu,
    Flag,
    Page,
    PageSet,
    Thread,
    action,
    require,
)
from postcopy.model.destination import Destination, Main, State
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class Notice(Enum):
    """Replies beside those of the document."""

    LISTENING = auto()


# -- the destination ---------------------------------------------------------------------------------------------------


class BufferBeforePlacing(Postcopy):
    """A host page that is whole waits in a buffer, and another thread places it."""

    class destination(Destination):
        """Has a placing thread."""

        placing_thread = Thread("placing thread")
        ready = Bitmap("pages of whole host pages that are to be placed")

        def places_page(self) -> None:
            """receives a page; when its host page is whole, hands it to the placing thread"""
            require(self._listening())
            message = self.stream.receive(Command.PAGE)
            page = message.pages
            self.assembling |= page
            self.guest.arrived(page, message.marked["stale"])
            if page.host_pages.subset_of(self.assembling):
                self.ready |= page.host_pages

        @action(placing_thread)
        def places_ready(self, page: Page) -> None:
            """places a host page that is whole"""
            require(self.ready[page])
            self.ready -= page.host_pages
            self._place(page.host_pages)

        def ends(self) -> None:
            """reads the end of the stream when all is placed"""
            self._all_placed()
            super().ends()

        def _all_placed(self) -> None:
            require(self.ready.empty)

        def _give_up(self) -> None:
            super()._give_up()
            self.ready = NONE


class BufferLeftAtTheEnd(BufferBeforePlacing):
    """Unsound: the end does not wait for the placing thread."""

    class destination(BufferBeforePlacing.destination):
        """Ends too early."""

        def _all_placed(self) -> None:
            pass


class RepeatsRequests(Postcopy):
    """A request is repeated, twice at most, while a vCPU waits."""

    class destination(Destination):
        """Counts how often it has repeated one."""

        retries = Count("requests that were repeated", 0, 2)

        @action(Destination.fault)
        def repeats_request(self, page: Page) -> None:
            """requests a page again that a vCPU waits for"""
            require(self._listening())
            require(self.retries < 2)
            require(self.waiting.any[page])
            self._ready_to_reply()
            self.retries += 1
            self.return_path.send(Reply.REQ_PAGES, page.host_pages)


class MirroredFlag(Postcopy):
    """Whether the CPUs run is kept in a second flag, which the vCPUs look at."""

    class destination(Destination):
        """Sets both flags together."""

        cpus_on = Flag("the vCPU threads may run")

        def handles_run(self) -> None:
            """starts the CPUs"""
            super().handles_run()
            self.cpus_on = True

        def loads_precopy_end(self) -> None:
            """loads the device state and starts the CPUs"""
            super().loads_precopy_end()
            self.cpus_on = True

        def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
            """touches a page that is missing"""
            require(self.cpus_on)
            require(self.waiting[cpu].empty)
            require(not self.present[page])
            require(self.sensitive)
            self.waiting[cpu] = page
            self.faulted |= page

        def _give_up(self) -> None:
            super()._give_up()
            self._cpus_off()

        def _cpus_off(self) -> None:
            self.cpus_on = False


class MirroredFlagLeftOn(MirroredFlag):
    """Unsound: the second flag stays when the destination gives up, and vCPUs wait for ever."""

    class destination(MirroredFlag.destination):
        """Forgets the flag."""

        def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
            """touches a page that is missing"""
            require(self.cpus_on)
            require(self.waiting[cpu].empty)
            require(not self.present[page])
            self.waiting[cpu] = page

        def _cpus_off(self) -> None:
            pass


class StartsCpusLater(Postcopy):
    """RUN only asks for the start of the CPUs, and another step starts them."""

    class destination(Destination):
        """Starts the CPUs from a bottom half."""

        starting = Flag("the CPUs are to be started")

        def handles_run(self) -> None:
            """asks for the start of the CPUs"""
            require(self.main == Main.RUN)
            require(self.state == State.LISTEN)
            self.state = State.RUNNING
            self.starting = True
            self.main = Main.LEFT

        @action(Destination.main_thread)
        def starts_cpus(self) -> None:
            """starts the CPUs"""
            require(self.starting)
            self.starting = False
            self.running = True

        def _give_up(self) -> None:
            super()._give_up()
            self._forget_start()

        def _forget_start(self) -> None:
            self.starting = False


class StartsCpusAfterFailure(StartsCpusLater):
    """Unsound: a destination that has given up still starts its CPUs."""

    class destination(StartsCpusLater.destination):
        """Forgets to forget."""

        def _forget_start(self) -> None:
            pass


class BatchedRequests(Postcopy):
    """The fault thread requests the pages of all faults in one message."""

    class destination(Destination):
        """Reads all faults at once."""

        requests_page = None  # type: ignore[assignment]

        @action(Destination.fault)
        def requests_pages(self) -> None:
            """reads all faults and requests their pages from the source"""
            require(self._listening())
            require(not self.faulted.empty)
            self._ready_to_reply()
            self.return_path.send(Reply.REQ_PAGES, self._wanted())
            self.faulted = NONE

        def _wanted(self) -> PageSet:
            return self.faulted.host_pages


class BatchedRequestsForgotten(BatchedRequests):
    """Unsound: only faults of the device load are requested, and all are forgotten."""

    class destination(BatchedRequests.destination):
        """Requests too little."""

        def _wanted(self) -> PageSet:
            return self.device_waiting.host_pages


class Prefetches(Postcopy):
    """A thread asks for pages before the guest touches them."""

    class destination(Destination):
        """Has a prefetching thread."""

        prefetcher = Thread("prefetching thread")

        @action(prefetcher, environment=True)
        def prefetches(self, page: Page) -> None:
            """asks for a page that is missing, and waits for nothing"""
            require(self.running)
            require(self.sensitive)
            require(not self.present[page])
            self.faulted |= page


class RequestsOnce(Postcopy):
    """The destination remembers what it has requested, and requests it once."""

    class destination(Destination):
        """Has a map of requested pages."""

        requested = Bitmap("pages that have been requested and have not come")

        def requests_page(self, page: Page) -> None:
            """reads a fault, and requests its page unless that was done"""
            require(self._listening())
            require(self.faulted[page])
            if self.requested[page]:
                self.faulted -= page
            else:
                super().requests_page(page)
                self.requested |= page.host_pages

        def _place(self, pages: PageSet) -> None:
            super()._place(pages)
            self.requested -= pages

        def _give_up(self) -> None:
            super()._give_up()
            self.requested = NONE


class RequestsOnceTooEarly(RequestsOnce):
    """Unsound: a page counts as requested from its fault on."""

    class destination(RequestsOnce.destination):
        """Marks too early."""

        def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
            """touches a page that is missing"""
            super().cpu_touches_missing(cpu, page)
            if self.sensitive:
                self.requested |= page


# -- the source --------------------------------------------------------------------------------------------------------


class SavesDevicesFirst(Postcopy):
    """Between the discards and the package the source saves the devices, in a step of its own."""

    class source(Source):
        """Has one more step of the switch."""

        devices_saved = Flag("the device state has been saved")

        @action(Source.migration)
        def saves_devices(self) -> None:
            """saves the devices"""
            require(self.phase == Phase.PACKAGING)
            require(not self.devices_saved)
            self.devices_saved = True

        def sends_package(self) -> None:
            """sends the package, once the devices are saved"""
            require(self.devices_saved)
            super().sends_package()

        def _clean_up(self) -> None:
            super()._clean_up()
            self.devices_saved = False


class UrgentQueue(Postcopy):
    """Requests are urgent for as long as they wait, and urgent pages are served first."""

    class source(Source):
        """Has a second queue, a part of the first."""

        urgent = Bitmap("pages that are to be served first")

        def receives_request(self) -> None:
            """receives a page request and queues it as urgent"""
            require(self.phase < Phase.COMPLETED)
            message = self.return_path.receive(Reply.REQ_PAGES)
            if self.phase < Phase.ENDING:
                self.requests |= message.pages
                self.urgent |= message.pages

        def serves_request(self, page: Page) -> None:
            """serves a requested page, an urgent one if there is one"""
            self._first(page)
            super().serves_request(page)
            self._served(page)

        def _first(self, page: PageSet) -> None:
            require(self.urgent.empty or self.urgent[page])

        def _served(self, page: PageSet) -> None:
            self.urgent -= page.host_pages

        def _clean_up(self) -> None:
            super()._clean_up()
            self.urgent = NONE


class UrgentQueueEmptiedAtOnce(UrgentQueue):
    """Unsound: only urgent pages are served, and with the first one the queue is emptied."""

    class source(UrgentQueue.source):
        """Takes too much out of the queue."""

        def _first(self, page: PageSet) -> None:
            require(self.urgent[page])

        def _served(self, page: PageSet) -> None:
            self.urgent = NONE


class Throttled(Postcopy):
    """Background sending is held back now and then."""

    class source(Source):
        """Has a throttle."""

        throttle = Thread("throttle")
        held_back = Flag("background sending is held back")

        @action(throttle, environment=True)
        def holds_back(self) -> None:
            """holds background sending back"""
            self.held_back = True

        @action(throttle)
        def lets_go(self) -> None:
            """lets background sending go on"""
            require(self.held_back)
            self.held_back = False

        def sends_background_page(self, page: Page) -> None:
            """sends a page that was not asked for, unless that is held back"""
            require(not self.held_back)
            super().sends_background_page(page)


class PingsAgain(Postcopy):
    """In precopy the source pings a second time."""

    class source(Source):
        """Pings once more."""

        pinged_again = Flag("the second ping has been sent")

        @action(Source.migration)
        def pings_again(self) -> None:
            """pings a second time"""
            require(self.phase == Phase.PRECOPY)
            require(not self.pinged_again)
            self._ready_to_send()
            self.stream.send(Command.PING)
            self.pinged_again = True


class CompletesInTwoSteps(Postcopy):
    """The return-path thread notes that SHUT has come, and the migration thread completes the migration."""

    class source(Source):
        """Has a flag between two threads."""

        shut_seen = Flag("SHUT has come")

        def receives_shut(self) -> None:
            """receives the destination's word that all has arrived"""
            require(self.phase == Phase.ENDING)
            require(not self.shut_seen)
            self.return_path.receive(Reply.SHUT_OK)
            self.shut_seen = True

        @action(Source.migration)
        def completes(self) -> None:
            """completes the migration"""
            require(self.phase == Phase.ENDING)
            require(self.shut_seen)
            self.phase = Phase.COMPLETED

        def _clean_up(self) -> None:
            super()._clean_up()
            self.shut_seen = False


class CompletesTooEarly(CompletesInTwoSteps):
    """Unsound: the flag is set by the request for the last page."""

    class source(CompletesInTwoSteps.source):
        """Takes the end of the stream for the end."""

        def ends_postcopy(self) -> None:
            """ends the stream"""
            super().ends_postcopy()
            self.shut_seen = True


# -- both --------------------------------------------------------------------------------------------------------------


class Acknowledges(Postcopy):
    """The destination says that it listens, and the source notes it."""

    return_path = Postcopy.return_path.extended(Notice)

    class source(Source):
        """Notes that the destination listens."""

        acknowledged = Flag("the destination has said that it listens")

        @action(Source.return_path_thread)
        def receives_notice(self) -> None:
            """receives the destination's word that it listens"""
            require(self.phase < Phase.COMPLETED)
            self.return_path.receive(Notice.LISTENING)
            self.acknowledged = True

    class destination(Destination):
        """Says that it listens."""

        def handles_listen(self) -> None:
            """starts the listen thread, makes memory sensitive, and says so"""
            super().handles_listen()
            if not self.return_path.broken:
                self._say()

        def _say(self) -> None:
            self._ready_to_reply()
            self.return_path.send(Notice.LISTENING)


class ReadyHandshake(Acknowledges):
    """The source sends pages in the background only when the destination has said that it listens."""

    class source(Acknowledges.source):
        """Waits for the notice."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page that was not asked for, once the destination listens"""
            require(self.acknowledged)
            super().sends_background_page(page)


class HandshakeNeverAnswered(ReadyHandshake):
    """Unsound: the destination forgets to say that it listens."""

    class destination(ReadyHandshake.destination):
        """Says nothing."""

        def _say(self) -> None:
            pass


SOUND: tuple[type[Postcopy], ...] = (
    BufferBeforePlacing,
    RepeatsRequests,
    MirroredFlag,
    StartsCpusLater,
    BatchedRequests,
    Prefetches,
    RequestsOnce,
    SavesDevicesFirst,
    UrgentQueue,
    Throttled,
    PingsAgain,
    CompletesInTwoSteps,
    Acknowledges,
    ReadyHandshake,
)
"""The sound changes."""

UNSOUND: tuple[type[Postcopy], ...] = (
    BufferLeftAtTheEnd,
    MirroredFlagLeftOn,
    StartsCpusAfterFailure,
    BatchedRequestsForgotten,
    RequestsOnceTooEarly,
    UrgentQueueEmptiedAtOnce,
    CompletesTooEarly,
    HandshakeNeverAnswered,
)
"""Their twins, each with a mistake."""
