"""Faults that leave out one check or one update, and so break a single promise. Gathered with the others in
`postcopy.model.faults`.
"""

from __future__ import annotations

from postcopy.language import ALL, NONE, Cpu, Page, require
from postcopy.model.destination import Destination, Main, State
from postcopy.model.fault import Fault
from postcopy.model.guest import Memory, Mishap
from postcopy.model.network import Reply, Wire
from postcopy.model.source import Phase, Source


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


class SendsOnBrokenConnection(Fault):
    """The source does not look whether the connection stands, and what it sends arrives all the same."""

    rule, breaks = "R15", ("nothing-sent-when-broken",)

    class source(Source):
        """Looks for room only."""

        def _ready_to_send(self) -> None:
            """There is room."""
            require(self.stream.room())


class LossInOneDirection(Fault):
    """The network loses the connection in one direction only: the return path goes on."""

    rule, breaks = "R15", ("both-break-together",)

    class wire(Wire):
        """Has a connection for each direction."""

        def loses_the_connection(self) -> None:
            """loses the stream, and not the return path"""
            require(not self.stream.broken)
            self.failed = True
            self.stream.close()


class CleansUpInPart(Fault):
    """The source cleans up its bitmaps at the end, and forgets the requests that wait."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class source(Source):
        """Keeps requests."""

        def _clean_up(self) -> None:
            """Requests stay in their queue."""
            kept = self.requests
            super()._clean_up()
            self.requests = kept


class DestinationCleansUpInPart(Fault):
    """The destination gives up, and its guest's memory stays sensitive: a touch of it would never be answered."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class destination(Destination):
        """Keeps its userfaultfd."""

        def _give_up(self) -> None:
            """Memory stays as it is."""
            sensitive = self.sensitive
            super()._give_up()
            self.sensitive = sensitive


class DestinationKeepsMemory(Fault):
    """The destination gives up, and keeps the pages that have come."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class destination(Destination):
        """Does not release its guest's memory."""

        def _give_up(self) -> None:
            """Pages stay."""
            present = self.present
            super()._give_up()
            self.present = present


class DestinationKeepsAssembly(Fault):
    """The destination gives up, and keeps the target pages of a host page that is not whole."""

    rule, breaks, group = "R15", ("nothing-is-kept",), 2

    class destination(Destination):
        """Does not release what is not placed."""

        def _give_up(self) -> None:
            """The rest of the host page may still come."""
            assembling = self.assembling
            super()._give_up()
            self.assembling = assembling


class DestinationKeepsDevices(Fault):
    """The destination gives up, and its devices stay loaded."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class destination(Destination):
        """Does not reset its devices."""

        def _give_up(self) -> None:
            """Devices stay as they are."""
            loaded = self.devices_loaded
            super()._give_up()
            self.devices_loaded = loaded


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


class ResumesAfterCompletion(Fault):
    """The source starts its guest again when the migration is completed, as it does after any other end."""

    rule, breaks = "R15", ("no-two-guests", "no-write-after-switch")

    class source(Source):
        """Has one end for all."""

        def receives_shut(self) -> None:
            """receives the destination's word that all has arrived, and starts the guest"""
            super().receives_shut()
            self.running = True


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


class RefusesUnasked(Fault):
    """A destination that cannot do postcopy refuses at once, and not only where it is asked for postcopy."""

    rule, breaks = "R23", ("only-advise-is-refused",)

    class destination(Destination):
        """Does not wait for ADVISE."""

        def refuses_advise(self) -> None:
            """refuses the migration: it has no capability for postcopy, or its host cannot do it"""
            require(self.main == Main.STREAM)
            require(self.state == State.NONE)
            require(not self._can_do_postcopy())
            self._ready_to_reply()
            self.return_path.send(Reply.SHUT_ERROR)
            self.observe(Mishap.REFUSAL)
            self._give_up()


class ReportsFailure(Fault):
    """A destination that was started without the capability reports an error at the end, although all has arrived."""

    rule, breaks = "R24", ("shut-says-the-truth", "failed-for-a-reason")

    class destination(Destination):
        """Says that it failed."""

        def sends_shut(self) -> None:
            """tells the source how it ended, wrongly where it has no capability for postcopy"""
            require(self.owes_shut)
            if not self.return_path.broken:
                require(self.return_path_open)
                require(self.return_path.room())
                self.return_path.send(Reply.SHUT_OK if self.postcopy_capability else Reply.SHUT_ERROR)
            self.owes_shut = False


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


class AnyShutCompletes(Fault):
    """The source takes any SHUT for the end of the migration, that of a refusal too."""

    rule, breaks = "R24", ("completed-means-arrived",)

    class source(Source):
        """Does not look at the status."""

        def receives_shut_with_error(self) -> None:
            """receives the destination's word, and calls the migration completed"""
            super().receives_shut_with_error()
            self.phase = Phase.COMPLETED


class ShutSentAgain(Fault):
    """The destination forgets that it has sent SHUT."""

    rule, breaks = "R24", ("shut-once",)

    class destination(Destination):
        """Owes SHUT for ever."""

        def sends_shut(self) -> None:
            """tells the source that all has arrived, and will do so again"""
            super().sends_shut()
            self.owes_shut = not self.return_path.broken


class ShutBeforeTheEnd(Fault):
    """The destination owes SHUT from RUN on, and does not wait for the end of the stream."""

    rule, breaks = "R24", ("shut-says-the-truth",)

    class destination(Destination):
        """Says at once that all has arrived."""

        def handles_run(self) -> None:
            """starts the CPUs, and owes SHUT"""
            super().handles_run()
            self.owes_shut = True


class CancelLeavesGuestStopped(Fault):
    """A cancel after the CPUs were stopped does not start them again."""

    rule, breaks = "R27", ("guest-goes-on-in-precopy", "the-guest-runs-again")

    class source(Source):
        """Cancels the migration alone."""

        def operator_cancels(self) -> None:
            """cancels the migration, and leaves the guest as it is"""
            running = self.running
            super().operator_cancels()
            self.running = running


class LossCalledCancel(Fault):
    """The source takes a lost connection in precopy for a cancel by the operator."""

    rule, breaks = "R27", ("operator-cancels-alone",)

    class source(Source):
        """Has one word for both."""

        def notices_loss(self) -> None:
            """notices that the connection is gone, and says that the migration was cancelled"""
            super().notices_loss()
            if self.running:
                self.phase = Phase.CANCELLED


OMISSIONS: tuple[type[Fault], ...] = (
    DeviceLoadDoesNotWait,
    WriteNotLogged,
    CleanPagesSent,
    SendsOnBrokenConnection,
    LossInOneDirection,
    CleansUpInPart,
    DestinationCleansUpInPart,
    DestinationKeepsMemory,
    DestinationKeepsAssembly,
    DestinationKeepsDevices,
    FaultsStayQueued,
    ResumesAfterCompletion,
    FaultRequestedAgain,
    RequestsWithoutFault,
    RequestsPartOfHostPage,
    SleeperGoesOn,
    SleeperWrites,
    DeviceLoadGoesOn,
    HostPagesInterleaved,
    RefusesUnasked,
    ReportsFailure,
    CleanUpTakesMemory,
    AnyShutCompletes,
    ShutSentAgain,
    ShutBeforeTheEnd,
    CancelLeavesGuestStopped,
    LossCalledCancel,
)
