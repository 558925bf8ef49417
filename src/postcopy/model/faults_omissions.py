"""Faults that leave out one check or one update while pages and devices are moved, and so break a single promise.
Gathered with the others in `postcopy.model.faults`.
"""

from __future__ import annotations

from postcopy.language import ALL, NONE, Bitmap, Cpu, Page, action, require
from postcopy.model.destination import Destination, Main, State
from postcopy.model.fault import Fault
from postcopy.model.guest import Memory
from postcopy.model.network import Command, Reply
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


class AdviseLeftOut(Fault):
    """The source leaves ADVISE out, and the destination discards without it."""

    rule, breaks = "R1", ("discards-before-start",)

    class source(Source):
        """Goes straight to precopy."""

        def advises(self) -> None:
            """goes on to precopy"""
            require(self.phase == Phase.ADVISING)
            self.phase = Phase.PRECOPY

    class destination(Destination):
        """Does not look at its state."""

        def discards(self) -> None:
            """discards the pages that have been dirtied again, advised or not"""
            require(self.main == Main.STREAM)
            message = self.stream.receive(Command.DISCARD)
            self.present -= message.pages
            self.observe(Memory.DISCARD, message.pages)
            self.guest.dropped(message.pages)


class OrderKeptInSwitch(Fault):
    """The order to switch is forgotten with the discards, and not when the CPUs are stopped."""

    rule, breaks = "R2", ("nothing-is-kept",)

    class source(Source):
        """Looks at the order once."""

        def stops_cpus_to_switch(self) -> None:
            """stops the CPUs to switch, and keeps the order"""
            super().stops_cpus_to_switch()
            self.start_postcopy = True

        def sends_discards(self) -> None:
            """sends the discard set, and forgets the order"""
            super().sends_discards()
            self.start_postcopy = False


class CpusRunOnWhileFinishing(Fault):
    """A migration that ends in precopy stops the CPUs with its last message, and not before the last pages."""

    rule, breaks = "R3", ("no-write-after-switch",)

    class source(Source):
        """Stops the CPUs late."""

        def stops_cpus_to_finish_in_precopy(self) -> None:
            """begins to finish in precopy, and leaves the CPUs running"""
            require(self.phase == Phase.PRECOPY)
            self.phase = Phase.FINISHING

        def ends_precopy(self) -> None:
            """stops the CPUs, and sends the device state and the end of the stream"""
            super().ends_precopy()
            self.running = False


class DeviceLoadDoesNotWait(Fault):
    """The device load ends although a page that it has touched is missing."""

    rule, breaks = "R6", ("device-load-has-its-page",)

    class destination(Destination):
        """Does not wait for the page."""

        def finishes_device_load(self) -> None:
            """has loaded the devices, as far as that went"""
            require(self.main == Main.DEVICES)
            self.devices_loaded = True
            self.main = Main.RUN


class PreparesAnew(Fault):
    """A destination that loses the connection after ADVISE is as it was before, and does not give up."""

    rule, breaks = "R9", ("states-forward",)

    class destination(Destination):
        """Waits for another ADVISE."""

        def gives_up(self) -> None:
            """notices that the connection is gone, and is ready for ADVISE again"""
            advised = self.state == State.ADVISE
            super().gives_up()
            if advised:
                self.state = State.NONE


class WriteNotLogged(Fault):
    """A write to a page that has been sent does not mark it in the migration bitmap."""

    rule, breaks = "R10", ("no-page-lost",)

    class source(Source):
        """Logs the first writes only."""

        def guest_writes(self, page: Page) -> None:
            """writes a page, which is not marked if it has been sent"""
            require(self.running)
            if self.phase <= Phase.PRECOPY:
                self.dirty |= page - self.sent
            self.observe(Memory.SOURCE_WRITE, page)
            self.guest.wrote_at_source(page)


class CleanPagesSent(Fault):
    """Precopy sends pages without a look at the migration bitmap."""

    rule, breaks = "R10", ("only-dirty-pages-sent",)

    class source(Source):
        """Sends whatever page comes next."""

        def sends_precopy_page(self, page: Page) -> None:
            """sends a page in precopy, dirty or not"""
            require(self.phase == Phase.PRECOPY or self.phase == Phase.FINISHING)
            self._ready_to_send()
            self.dirty -= page
            self._remember_sent(page)
            self._send_page(page)


class PrecopyKeptAside(Fault):
    """Pages of precopy are kept aside until LISTEN, or the end of precopy, and the discards do not reach them."""

    rule, breaks = "R11", ("no-stale-device-read", "nothing-stale-at-start", "no-stale-read")

    class destination(Destination):
        """Has a cache for precopy."""

        aside = Bitmap("pages of precopy that are kept aside", role=Role.KEPT)

        def loads_precopy_page(self) -> None:
            """keeps a page of precopy aside"""
            require(self.main == Main.STREAM)
            message = self.stream.receive(Command.PAGE)
            self.aside |= message.pages
            self.guest.arrived(message.pages, message.marked["stale"])

        def discards(self) -> None:
            """finds nothing to discard in memory"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE)
            message = self.stream.receive(Command.DISCARD)
            self.observe(Memory.DISCARD, message.pages)

        def loads_precopy_end(self) -> None:
            """takes over what is kept aside, loads the devices and starts the CPUs"""
            super().loads_precopy_end()
            self._takes_over()

        def handles_listen(self) -> None:
            """takes over what is kept aside, and makes memory sensitive to access"""
            super().handles_listen()
            self._takes_over()

        def _takes_over(self) -> None:
            self.present |= self.aside
            self.guest.placed(self.aside)
            self.aside = NONE

        def _give_up(self) -> None:
            super()._give_up()
            self.aside = NONE


class FaultsStayQueued(Fault):
    """At the end of the stream faults that the fault thread has not read stay in the queue."""

    rule, breaks = "R8", ("nothing-is-kept",)

    class destination(Destination):
        """Does not empty the queue."""

        def ends(self) -> None:
            """reads the end of the stream, and leaves the queue of faults as it is"""
            faulted = self.faulted
            super().ends()
            self.faulted = faulted


class FaultRequestedAgain(Fault):
    """The fault thread does not take a fault out of the queue, and requests its page again and again."""

    rule, breaks = "R16", ("only-faults-requested",)

    class destination(Destination):
        """Reads a fault and leaves it in the queue."""

        def requests_page(self, page: Page) -> None:
            """requests a page from the source, and keeps its fault"""
            require(self._listening())
            require(self.faulted[page])
            self._ready_to_reply()
            self.return_path.send(Reply.REQ_PAGES, page.host_pages)


class RequestsWithoutFault(Fault):
    """The fault thread requests pages that are missing, whether or not a thread has touched them."""

    rule, breaks = "R16", ("only-faults-requested",)

    class destination(Destination):
        """Asks for more than is needed."""

        def requests_page(self, page: Page) -> None:
            """requests a missing page from the source"""
            require(self._listening())
            require(not self.present[page])
            self._ready_to_reply()
            self.faulted -= page
            self.return_path.send(Reply.REQ_PAGES, page.host_pages)


class RequestsPartOfHostPage(Fault):
    """A request names the target page that was touched, and not its host page."""

    rule, breaks, group = "R21", ("only-faults-requested",), 2

    class destination(Destination):
        """Counts in target pages."""

        def requests_page(self, page: Page) -> None:
            """reads a fault and requests its target page"""
            require(self._listening())
            require(self.faulted[page])
            self._ready_to_reply()
            self.faulted -= page
            self.return_path.send(Reply.REQ_PAGES, page)


class SleeperGoesOn(Fault):
    """A vCPU that waits for a page goes on with another one."""

    rule, breaks = "R16", ("waiting-thread-stands-still",)

    class destination(Destination):
        """Does not put the vCPU to sleep."""

        def cpu_reads(self, cpu: Cpu, page: Page) -> None:  # noqa: ARG002
            """reads a page, whether or not it waits for another"""
            require(self.running)
            require(self.present[page])
            self.observe(Memory.CPU_READ, page)


class SleeperWrites(Fault):
    """A vCPU that waits for a page writes another one."""

    rule, breaks = "R16", ("waiting-thread-stands-still",)

    class destination(Destination):
        """Puts the vCPU to sleep for reads only."""

        def cpu_writes(self, cpu: Cpu, page: Page) -> None:  # noqa: ARG002
            """writes a page, whether or not it waits for another"""
            require(self.running)
            require(self.present[page])
            self.observe(Memory.DESTINATION_WRITE, page)
            self.guest.wrote_at_destination(page)


class DeviceLoadGoesOn(Fault):
    """The device load goes on with other pages while the one that it needs is missing."""

    rule, breaks = "R6", ("waiting-thread-stands-still",)

    class destination(Destination):
        """Puts what it cannot load aside."""

        def device_load_touches(self, page: Page) -> None:
            """touches a page while it loads the devices, whether or not it waits for another"""
            require(self.main == Main.DEVICES)
            if self.sensitive and not self.present[page]:
                require(self.device_waiting.empty)
                self.device_waiting = page
                self.faulted |= page
            else:
                self.observe(Memory.DEVICE_READ, page)


class RequestWakes(Fault):
    """The fault thread wakes those that wait for a page when it has requested the page, and not when it has come."""

    rule, breaks = "R16", ("only-its-page-wakes",)

    class destination(Destination):
        """Wakes too early."""

        def requests_page(self, page: Page) -> None:
            """reads a fault, requests its page from the source, and wakes those that wait for it"""
            super().requests_page(page)
            self.waiting.remove(page)
            self.device_waiting -= page


class HostPagesInterleaved(Fault):
    """A background page is sent while another host page is only partly sent."""

    rule, breaks, group, pages = "R21", ("host-pages-one-by-one",), 2, 4

    class source(Source):
        """Does not look whether a host page is on its way."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page that nobody has asked for yet, of whatever host page"""
            require(self.phase == Phase.POSTCOPY)
            require(self.requests.empty)
            require(self.dirty[page])
            self._ready_to_send()
            self._send_in_postcopy(page)


class PrecopyEndsDirty(Fault):
    """Precopy ends when every page has been sent once, although the guest has written to some of them since."""

    rule, breaks = "R2", ("no-page-lost", "nothing-stale-at-start", "no-stale-read")

    class source(Source):
        """Looks at the sent map in the place of the migration bitmap."""

        def ends_precopy(self) -> None:
            """sends the device state and the end of the stream, and forgets what is dirty"""
            require(self.phase == Phase.FINISHING)
            require(self.sent.full)
            self._ready_to_send()
            self.stream.send(Command.PRECOPY_END)
            self.dirty = NONE
            self.sent = NONE
            self.start_postcopy = False
            self.phase = Phase.ENDING


class ListenThreadLoadsDevices(Fault):
    """The listen thread touches what the devices need, and would have to place the page that it waits for."""

    rule, breaks = "R6", ("threads-do-their-own-work",)

    class destination(Destination):
        """Leaves the device state to the listen thread."""

        @action(Destination.listen, environment=True)
        def device_load_touches(self, page: Page) -> None:
            """touches a page for the devices"""
            super().device_load_touches(page)


class ListenThreadStartsCpus(Fault):
    """The listen thread processes RUN in the place of the main thread."""

    rule, breaks = "R20", ("threads-do-their-own-work",)

    class destination(Destination):
        """Leaves the end of the package to the listen thread."""

        @action(Destination.listen)
        def handles_run(self) -> None:
            """starts the CPUs"""
            super().handles_run()


class MigrationThreadReadsRequests(Fault):
    """The source has no thread for the return path: the migration thread reads requests when it comes to it."""

    rule, breaks = "R19", ("threads-do-their-own-work",)

    class source(Source):
        """Has one thread for both directions."""

        @action(Source.migration)
        def receives_request(self) -> None:
            """receives a page request and queues it"""
            super().receives_request()


class ListenThreadRequests(Fault):
    """The listen thread reads the faults, too, and asks for their pages."""

    rule, breaks = "R16", ("threads-do-their-own-work",)

    class destination(Destination):
        """Has no fault thread."""

        @action(Destination.listen)
        def requests_page(self, page: Page) -> None:
            """reads a fault and requests its page from the source"""
            super().requests_page(page)


class CleanUpTakesMemory(Fault):
    """The clean-up at the end of the stream throws the guest's memory away too, as after a failure."""

    rule, breaks = "R8", ("no-page-lost", "nothing-missing-at-end")

    class destination(Destination):
        """Does not ask how the migration ended."""

        def ends(self) -> None:
            """reads the end of the stream, and cleans up as it does after a failure"""
            super().ends()
            self.present = NONE
            self.guest.dropped(ALL)


class TornBeforeRun(Fault):
    """Until RUN, which waits for it, a page is mapped first and filled afterwards."""

    rule, breaks = "R22", ("no-partial-page", "no-stale-device-read")

    class destination(Destination):
        """Takes care of the CPUs, and not of the device load."""

        def places_page(self) -> None:
            """receives a page and places it; before RUN maps it, still empty"""
            if self.state == State.LISTEN:
                require(self.assembling.empty)
                message = self.stream.receive(Command.PAGE)
                self.assembling |= message.pages
                self.guest.arrived(message.pages, message.marked["stale"])
                self.guest.filled_with_zeros(message.pages)
                self.present |= message.pages
                self.device_waiting -= message.pages
            else:
                super().places_page()

        @action(Destination.listen)
        def fills_page(self) -> None:
            """fills the page that it has mapped"""
            require(not self.assembling.empty)
            self._place(self.assembling)

        def handles_run(self) -> None:
            """starts the CPUs when all that is mapped is filled"""
            require(self.assembling.empty)
            super().handles_run()


OMISSIONS: tuple[type[Fault], ...] = (
    AdviseLeftOut,
    OrderKeptInSwitch,
    CpusRunOnWhileFinishing,
    DeviceLoadDoesNotWait,
    PreparesAnew,
    WriteNotLogged,
    CleanPagesSent,
    PrecopyKeptAside,
    FaultsStayQueued,
    FaultRequestedAgain,
    RequestsWithoutFault,
    RequestsPartOfHostPage,
    SleeperGoesOn,
    SleeperWrites,
    DeviceLoadGoesOn,
    RequestWakes,
    HostPagesInterleaved,
    PrecopyEndsDirty,
    ListenThreadLoadsDevices,
    ListenThreadStartsCpus,
    MigrationThreadReadsRequests,
    ListenThreadRequests,
    CleanUpTakesMemory,
    TornBeforeRun,
)
