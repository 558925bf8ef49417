"""One rule of the document removed at a time. Each fault names the properties that it must break, first the one that a
shortest counterexample shows.

`FAULTS` at the end lists them by the name that the command line knows. None of them is a feature: they are there so
that every property can be seen to fail, and so that a reader can see what each rule is for.
"""

from __future__ import annotations

from postcopy.language import NONE, Choice, Flag, Page, action, require
from postcopy.model.destination import Destination, Main, State
from postcopy.model.fault import Fault, by_rule
from postcopy.model.faults_ends import ENDS
from postcopy.model.faults_liveness import LIVENESS_FAULTS
from postcopy.model.faults_omissions import OMISSIONS
from postcopy.model.guest import Memory
from postcopy.model.network import Command, Reply
from postcopy.model.source import Phase, Source


class MismatchedCapability(Fault):
    """A destination without the capability takes ADVISE for the end of the stream, and starts the guest (A31)."""

    rule, breaks = "R1", ("no-two-guests",)

    class destination(Destination):
        """Does not understand ADVISE."""

        def refuses_advise(self) -> None:
            """takes the unknown ADVISE for the end of the stream, and starts the guest"""
            require(self.main == Main.STREAM)
            require(not self.postcopy_capability)
            self.stream.receive(Command.ADVISE)
            self.devices_loaded = True
            self.running = True
            self.state = State.END
            self.main = Main.LEFT
            self.owes_shut = True


class LateStartActs(Fault):
    """migrate_start_postcopy is obeyed whenever it comes, after the end of the migration too."""

    rule, breaks = "R2", ("nothing-is-kept", "finished-stays-finished")

    class source(Source):
        """Remembers the command for ever."""

        def operator_starts_postcopy(self) -> None:
            """issues migrate_start_postcopy, at whatever time"""
            if self.postcopy_capability and self.phase > Phase.IDLE:
                self.start_postcopy = True

        def stops_cpus_to_switch(self) -> None:
            """begins the switch because the command was issued"""
            require(self.start_postcopy)
            require(self.phase == Phase.PRECOPY or self.phase == Phase.COMPLETED)
            self.running = False
            self._compute_discards()
            self.start_postcopy = False
            self.phase = Phase.SWITCHING


class CpusRunOn(Fault):
    """The source's CPUs are not stopped at the switch."""

    rule, breaks = "R3", ("no-write-after-switch", "no-two-guests", "no-stale-read")

    class source(Source):
        """Forgets to stop the CPUs."""

        def stops_cpus_to_switch(self) -> None:
            """masks the sent map with the migration bitmap, and leaves the CPUs running"""
            require(self.phase == Phase.PRECOPY)
            require(self.start_postcopy)
            self._compute_discards()
            self.start_postcopy = False
            self.phase = Phase.SWITCHING


class Unpackaged(Fault):
    """LISTEN, the device state and RUN come one by one on the stream, which the main thread goes on reading."""

    rule, breaks = "R4", ("no-deadlock",)

    class source(Source):
        """Sends what would be in the package as it comes."""

        loose = Choice("what is sent next, for want of a package", Command.LISTEN)

        def sends_package(self) -> None:
            """sends LISTEN, then the device state, then RUN, on the stream itself"""
            require(self.phase == Phase.PACKAGING)
            self._ready_to_send()
            if self.loose == Command.LISTEN:
                self.stream.send(Command.LISTEN)
                self.loose = Command.DEVICE
            elif self.loose == Command.DEVICE:
                self.stream.send(Command.DEVICE)
                self.loose = Command.RUN
            else:
                self.stream.send(Command.RUN)
                self.phase = Phase.POSTCOPY

    class destination(Destination):
        """Its main thread reads the stream until RUN."""

        def handles_listen(self) -> None:
            """makes memory sensitive; the main thread goes on reading the stream"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE)
            self.stream.receive(Command.LISTEN)
            self._listen()

        @action(Destination.main_thread)
        def begins_device_load(self) -> None:
            """begins to load the devices from the stream"""
            require(self.main == Main.STREAM)
            self.stream.receive(Command.DEVICE)
            self.main = Main.DEVICES

        def finishes_device_load(self) -> None:
            """has loaded the devices, and reads on"""
            require(self.main == Main.DEVICES)
            require(self.device_waiting.empty)
            self.devices_loaded = True
            self.main = Main.STREAM

        def handles_run(self) -> None:
            """starts the CPUs"""
            require(self.main == Main.STREAM)
            require(self.state == State.LISTEN)
            self.stream.receive(Command.RUN)
            self.state = State.RUNNING
            self.running = True
            self.main = Main.LEFT

        def places_page(self) -> None:
            """receives and places a page, once the stream is the listen thread's"""
            require(self.main == Main.LEFT)
            super().places_page()


class DevicesBeforeListen(Fault):
    """The package has the device state before LISTEN."""

    rule, breaks = "R5", ("no-stale-device-read",)

    class destination(Destination):
        """Loads the devices first."""

        def reads_package(self) -> None:
            """reads the package, and begins with its first part: the device state"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE)
            self.stream.receive(Command.PACKAGED)
            self.main = Main.DEVICES

        def finishes_device_load(self) -> None:
            """has loaded the devices, and comes to LISTEN"""
            require(self.main == Main.DEVICES)
            require(self.device_waiting.empty)
            self.devices_loaded = True
            self.main = Main.PACKAGE

        def handles_listen(self) -> None:
            """starts the listen thread and makes memory sensitive to access"""
            require(self.main == Main.PACKAGE)
            require(self.state == State.ADVISE)
            self._listen()
            self.main = Main.RUN


class ListenWaitsForMain(Fault):
    """The listen thread places nothing before the main thread has left the package (one lock for both)."""

    rule, breaks = "R6", ("no-deadlock",)

    class destination(Destination):
        """One lock for both threads."""

        def places_page(self) -> None:
            """receives and places a page, once the main thread has let go of the lock"""
            require(self.main == Main.LEFT)
            super().places_page()


class RunBeforeDevices(Fault):
    """The package has RUN before the device state."""

    rule, breaks = "R7", ("devices-before-cpus",)

    class destination(Destination):
        """Starts the CPUs first."""

        def handles_listen(self) -> None:
            """starts the listen thread, and comes to RUN"""
            require(self.main == Main.PACKAGE)
            require(self.state == State.ADVISE)
            self._listen()
            self.main = Main.RUN

        def handles_run(self) -> None:
            """starts the CPUs, and goes on to the devices"""
            require(self.main == Main.RUN)
            require(self.state == State.LISTEN)
            self.state = State.RUNNING
            self.running = True
            self.main = Main.DEVICES

        def finishes_device_load(self) -> None:
            """has loaded the devices, and leaves migration"""
            require(self.main == Main.DEVICES)
            require(self.device_waiting.empty)
            self.devices_loaded = True
            self.main = Main.LEFT


class MainClosesStream(Fault):
    """At the end of the package the main thread cleans up as after a normal migration, and closes the stream."""

    rule, breaks = "R8", ("failed-for-a-reason", "no-guest-lost")

    class destination(Destination):
        """Its main thread cleans up."""

        def handles_run(self) -> None:
            """starts the CPUs, and closes the stream as it always does at the end"""
            super().handles_run()
            self.stream.close()
            self.return_path.close()


class EndBeforeRun(Fault):
    """The listen thread does not wait for the main thread, and RUN does not look at the state (A14)."""

    rule, breaks = "R9", ("states-forward",)

    class destination(Destination):
        """Sets states without looking."""

        def ends(self) -> None:
            """reads the end of the stream and cleans up, whatever the main thread does"""
            require(self._listening())
            self.stream.receive(Command.EOF)
            self.state = State.END
            self.sensitive = False
            self.faulted = NONE
            self.owes_shut = True

        def handles_run(self) -> None:
            """starts the CPUs and sets the state to RUNNING, whatever it was"""
            require(self.main == Main.RUN)
            self.state = State.RUNNING
            self.running = True
            self.main = Main.LEFT


class GivesUpAfterEnd(Fault):
    """A destination that has come to its end still takes a broken connection for a failure (A39)."""

    rule, breaks = "R9", ("states-forward",)

    class destination(Destination):
        """Does not look at the state before it gives up."""

        @action(Destination.listen)
        def gives_up_after_end(self) -> None:
            """finds the connection gone while it still owes its SHUT, and gives the guest up"""
            require(self.state == State.END)
            require(self.owes_shut)
            require(self.return_path.broken)
            self._give_up()


class ResyncInPostcopy(Fault):
    """The dirty log is synchronised in postcopy once more, and marks a page that has been sent (A19)."""

    rule, breaks = "R10", ("nothing-dirtied-after-switch", "no-page-sent-twice", "no-write-overwritten")

    class source(Source):
        """Synchronises too late."""

        @action(Source.migration, rule="R10", qemu="migration/ram.c:migration_bitmap_sync")
        def synchronises_bitmap(self, page: Page) -> None:
            """takes a late bit of the dirty log into the migration bitmap"""
            require(self.phase == Phase.POSTCOPY)
            require(not self.dirty[page])
            self.dirty |= page


class NoDiscards(Fault):
    """The source sends no discards (A20)."""

    rule, breaks = "R11", ("no-stale-device-read", "nothing-stale-at-start", "no-stale-read")

    class source(Source):
        """Keeps the discard set to itself."""

        def sends_discards(self) -> None:
            """sends no discards"""
            require(self.phase == Phase.SWITCHING)
            self._sacrifice_sent_map()
            self.phase = Phase.PACKAGING


class DiscardsTakenTooEarly(Fault):
    """The sent map is masked when the command comes, while the CPUs still run."""

    rule, breaks = "R11", ("discard-set-exact", "nothing-stale-at-start", "no-stale-device-read")

    class source(Source):
        """Masks the sent map while the guest still dirties pages."""

        masked = Flag("the sent map has been masked")

        @action(Source.migration, rule="R11")
        def masks_sent_map(self) -> None:
            """masks the sent map with the migration bitmap, while the CPUs run"""
            require(self.phase == Phase.PRECOPY)
            require(self.start_postcopy)
            require(not self.masked)
            self._compute_discards()
            self.masked = True

        def stops_cpus_to_switch(self) -> None:
            """stops the CPUs"""
            require(self.phase == Phase.PRECOPY)
            require(self.masked)
            self.running = False
            self.start_postcopy = False
            self.phase = Phase.SWITCHING


class DiscardsAfterPackage(Fault):
    """The package goes out before the discards, which the listen thread then has to process."""

    rule, breaks = "R11", ("discards-before-start", "no-stale-device-read")

    class source(Source):
        """Package first."""

        def sends_discards(self) -> None:
            """sends the package before the discards"""
            require(self.phase == Phase.SWITCHING)
            self._ready_to_send()
            self.stream.send(Command.PACKAGED)
            self.phase = Phase.PACKAGING

        def sends_package(self) -> None:
            """sends the discard set after the package"""
            require(self.phase == Phase.PACKAGING)
            self._ready_to_send()
            self.stream.send(Command.DISCARD, self.sent)
            self._sacrifice_sent_map()
            self.phase = Phase.POSTCOPY

    class destination(Destination):
        """Its listen thread discards."""

        @action(Destination.listen)
        def discards_late(self) -> None:
            """discards pages, from the listen thread"""
            require(self._listening())
            message = self.stream.receive(Command.DISCARD)
            self.present -= message.pages
            self.observe(Memory.DISCARD, message.pages)
            self.guest.dropped(message.pages)


class SentMapReadInPostcopy(Fault):
    """A request is checked against the sent map, which the discard set has used up."""

    rule, breaks = "R12", ("sent-map-is-used-up", "no-request-lost")

    class source(Source):
        """Asks the sent map whether a page has been sent."""

        def serves_request(self, page: Page) -> None:
            """serves a requested page unless the sent map says that it has been sent"""
            require(self.phase == Phase.POSTCOPY)
            require(self.sending.empty)
            require(self.requests[page])
            self.requests -= page.host_pages
            if self.dirty[page] and not self.sent[page]:
                self._ready_to_send()
                self._send_in_postcopy(page)

        def _sacrifice_sent_map(self) -> None:
            """Keeps what is left of it."""

        def ends_postcopy(self) -> None:
            """ends the stream, and forgets the sent map"""
            super().ends_postcopy()
            self.sent = NONE


class RequestServedAgain(Fault):
    """A request is served although the page has been sent already."""

    rule, breaks = "R13", ("no-page-sent-twice", "no-write-overwritten")

    class source(Source):
        """Does not look at the migration bitmap."""

        def serves_request(self, page: Page) -> None:
            """serves a requested page, sent before or not"""
            require(self.phase == Phase.POSTCOPY)
            require(self.sending.empty)
            require(self.requests[page])
            self._ready_to_send()
            self.requests -= page.host_pages
            self._send_in_postcopy(page)


class SendLeavesDirty(Fault):
    """Sending a page in postcopy does not take it out of the migration bitmap."""

    rule, breaks = "R14", ("sends-bounded", "no-page-sent-twice", "no-write-overwritten", "the-migration-ends")

    class source(Source):
        """Does not clear the bit."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page that is still dirty, and leaves it so"""
            require(self.phase == Phase.POSTCOPY)
            require(self.requests.empty)
            require(self.dirty[page])
            self._ready_to_send()
            self._send_page(page)


class ResumesAfterHandover(Fault):
    """The source takes any failure for one in precopy, and lets its guest go on (A32, B05)."""

    rule, breaks = "R15", ("no-two-guests",)

    class source(Source):
        """Has no point of no return."""

        def _fail(self) -> None:
            """The guest goes on here, whatever has been sent."""
            self.running = True
            self._clean_up()
            self.phase = Phase.FAILED


class StaysStoppedInPrecopy(Fault):
    """The source gives its guest up for any failure."""

    rule, breaks = "R15", ("guest-goes-on-in-precopy", "the-guest-runs-again")

    class source(Source):
        """Takes every failure for one in postcopy."""

        def _fail(self) -> None:
            """The guest is given up."""
            self.running = False
            self._clean_up()
            self.phase = Phase.FAILED


class FaultNotRequested(Fault):
    """The fault thread reads a fault and asks nobody for the page."""

    rule, breaks = "R16", ("no-request-lost",)

    class destination(Destination):
        """Asks nobody."""

        def requests_page(self, page: Page) -> None:
            """reads a fault, and sends no request"""
            require(self._listening())
            require(self.faulted[page])
            self.faulted -= page


class NoBackgroundSending(Fault):
    """Only what is asked for is sent."""

    rule, breaks = "R17", ("no-deadlock",)

    class source(Source):
        """Waits to be asked."""

        sends_background_page = None  # type: ignore[assignment]


class BackgroundFirst(Fault):
    """Background pages are sent while requests wait (A37, A22)."""

    rule, breaks = "R17", ("requested-first",)

    class source(Source):
        """Does not look at the queue."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page that is still dirty, whoever waits for another"""
            require(self.phase == Phase.POSTCOPY)
            require(self.sending.empty)
            require(self.dirty[page])
            self._ready_to_send()
            self._send_in_postcopy(page)


class NoReturnPath(Fault):
    """The return path is not opened before it is needed."""

    rule, breaks = "R19", ("no-deadlock",)

    class source(Source):
        """Does not open it."""

        def opens_return_path(self) -> None:
            """does not open the return path"""
            require(self.phase == Phase.OPENING)
            self.phase = Phase.PINGING


class ReplyDroppedWhenFull(Fault):
    """A request that finds the return path full is dropped instead of waiting."""

    rule, breaks = "R19", ("no-request-lost",)

    class destination(Destination):
        """Does not block."""

        def requests_page(self, page: Page) -> None:
            """reads a fault and requests its page, if the return path has room just now"""
            require(self._listening())
            require(self.faulted[page])
            require(not self.return_path.broken)
            self.faulted -= page
            if self.return_path.room():
                self.return_path.send(Reply.REQ_PAGES, page.host_pages)


class MainReadsOn(Fault):
    """When RUN has been processed the main thread's loops go on reading the stream, beside the listen thread."""

    rule, breaks = "R20", ("one-reader",)

    class destination(Destination):
        """Does not end its loops."""

        def handles_run(self) -> None:
            """starts the CPUs, and goes back to reading the stream"""
            super().handles_run()
            self.main = Main.STREAM


class PartialHostPages(Fault):
    """The bitmaps are not cleaned up: a host page may stay partly sent or partly dirty (A20)."""

    rule, breaks, group = "R21", ("no-partial-page", "discard-set-exact"), 2

    class source(Source):
        """Counts in target pages only."""

        def _compute_discards(self) -> None:
            """Target page by target page."""
            self.sent &= self.dirty


class PlacesFirstTargetPage(Fault):
    """A host page is placed when its first target page has come (A43)."""

    rule, breaks, group = "R21", ("no-stale-device-read", "no-stale-read"), 2

    class destination(Destination):
        """Does not wait for the rest."""

        def places_page(self) -> None:
            """receives a page, and places its whole host page with what there is"""
            require(self._listening())
            message = self.stream.receive(Command.PAGE)
            self.guest.arrived(message.pages, message.marked["stale"])
            self.guest.filled_with_zeros(message.pages.host_pages - message.pages)
            self._place(message.pages.host_pages)
            self.guest.filled_with_zeros(message.pages.host_pages - message.pages)


class TornPlacement(Fault):
    """A page is mapped first and filled afterwards."""

    rule, breaks = "R22", ("no-partial-page", "no-stale-device-read", "no-stale-read")

    class destination(Destination):
        """Places in two steps."""

        def places_page(self) -> None:
            """receives a page and maps it, still empty"""
            require(self._listening())
            require(self.assembling.empty)
            message = self.stream.receive(Command.PAGE)
            self.assembling |= message.pages
            self.guest.arrived(message.pages, message.marked["stale"])
            self.guest.filled_with_zeros(message.pages)
            self.present |= message.pages
            self.waiting.remove(message.pages)
            self.device_waiting -= message.pages

        @action(Destination.listen)
        def fills_page(self) -> None:
            """fills the page that it has mapped"""
            require(not self.assembling.empty)
            self._place(self.assembling)


class UnsupportedHostGoesOn(Fault):
    """A host without userfaultfd goes on all the same; touching a missing page gives zeros."""

    rule, breaks = "R23", ("postcopy-where-supported", "no-stale-device-read", "no-stale-read")

    class destination(Destination):
        """Does not check its host."""

        def _can_do_postcopy(self) -> bool:
            """Only the capability is looked at."""
            return self.postcopy_capability

        def _listen(self) -> None:
            """Nothing becomes sensitive where the host cannot do it."""
            super()._listen()
            if not self.host_support:
                self.sensitive = False


class EndsWithDirtyPages(Fault):
    """The source ends the stream although pages are still dirty (A36)."""

    rule, breaks = "R24", ("no-page-lost", "nothing-missing-at-end")

    class source(Source):
        """Does not look at the migration bitmap."""

        def ends_postcopy(self) -> None:
            """ends the stream: no request is open"""
            require(self.phase == Phase.POSTCOPY)
            require(self.requests.empty)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING


class CompletesWithoutShut(Fault):
    """The source reports "completed" as soon as it has sent everything."""

    rule, breaks = "R24", ("completed-means-arrived",)

    class source(Source):
        """Does not wait for SHUT."""

        def ends_postcopy(self) -> None:
            """ends the stream and calls the migration completed"""
            super().ends_postcopy()
            self.phase = Phase.COMPLETED


class BalloonNotInhibited(Fault):
    """The balloon takes pages while postcopy is under way (A18)."""

    rule, breaks = "R25", ("no-request-lost",)

    class destination(Destination):
        """Lets the balloon work."""

        def _balloon_allowed(self) -> bool:
            """Always."""
            return True


class MemoryStaysLocked(Fault):
    """Memory locking is not disabled at the destination: every page is faulted in as zeros (A48)."""

    rule, breaks = "R26", ("no-stale-device-read", "nothing-stale-at-start", "no-stale-read")

    class destination(Destination):
        """Locks its memory."""

        def _prepare_memory(self) -> None:
            """Leaves the lock as it is."""


_HERE = [fault for fault in Fault.__subclasses__() if fault.__module__ == __name__]

FAULTS: dict[str, type[Fault]] = by_rule([*_HERE, *LIVENESS_FAULTS, *OMISSIONS, *ENDS])
"""All faults by name, in the order of the rules."""
