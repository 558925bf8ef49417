"""Faults of QEMU's source while it migrates: precopy, the switch, and the pages of postcopy."""

from postcopy.language import NONE, Flag, Page, require
from postcopy.model.network import Command
from postcopy.model.qemu.faults.fault import PREEMPT, QemuFault
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import Ending
from postcopy.model.source import Phase


class NeverOpensReturnPath(QemuFault):
    """The stream begins without the command that opens the return path."""

    step, expects = "S3", "no-deadlock"

    class source(Qemu11Mended.source):
        """Leaves the command out."""

        def opens_return_path(self) -> None:
            """goes on without a return path"""
            require(self.phase == Phase.OPENING)
            self.phase = Phase.PINGING


class NeverAdvises(QemuFault):
    """The source switches to postcopy without an ADVISE before."""

    step, expects = "S3", "no-deadlock"

    class source(Qemu11Mended.source):
        """Leaves ADVISE out."""

        def advises(self) -> None:
            """goes straight on to precopy"""
            require(self.phase == Phase.ADVISING)
            self.phase = Phase.PRECOPY


class CancelsWhenever(QemuFault):
    """migrate_cancel is obeyed in postcopy as well."""

    step, expects = "S5", "failed-is-true"

    class source(Qemu11Mended.source):
        """Looks at no state."""

        def operator_cancels(self) -> None:
            """cancels the migration, whatever the state is"""
            require(Phase.IDLE < self.phase and self.phase < Phase.ENDING)
            require(self.ending == Ending.NO)
            self.ending = Ending.CANCELLING
            self._close_files()


class ForgetsWrites(QemuFault):
    """What the guest writes while precopy goes on is not noted as dirty."""

    step, expects = "S6", "nothing-stale-at-start"

    class source(Qemu11Mended.source):
        """Has no dirty log."""

        def guest_writes(self, page: Page) -> None:
            """writes a page, and the dirty log misses it"""
            before = self.dirty
            super().guest_writes(page)
            self.dirty = before


class ClearsWithoutSending(QemuFault):
    """In precopy a page is cleared in the bitmap and not sent."""

    step, expects = "S6", "no-page-is-lost"

    class source(Qemu11Mended.source):
        """Skips pages."""

        def sends_precopy_page(self, page: Page) -> None:
            """clears a dirty page, and sends nothing"""
            require(self.phase == Phase.PRECOPY or self.phase == Phase.FINISHING)
            require(self.dirty[page])
            self.dirty -= page


class SwitchesUnasked(QemuFault):
    """The source switches to postcopy without the command, and without the capability too."""

    step, expects = "S7", "no-deadlock"

    class source(Qemu11Mended.source):
        """Does not look at the operator's command."""

        def stops_cpus_to_switch(self) -> None:
            """stops the CPUs for postcopy, whether it was asked for or not"""
            self.start_postcopy = True
            super().stops_cpus_to_switch()


class SwitchesWithoutFastChannel(QemuFault):
    """With preempt the source switches before that channel is there."""

    step, expects, terms = "S8", "no-deadlock", PREEMPT

    class source(Qemu11Mended.source):
        """Does not wait for the channel."""

        def stops_cpus_to_switch(self) -> None:
            """stops the CPUs for postcopy, whether the preempt channel is there or not"""
            require(self.phase == Phase.PRECOPY and self.start_postcopy)
            require(self.ending == Ending.NO)
            self.running = False
            self._compute_discards()
            self.start_postcopy = False
            self.phase = Phase.SWITCHING


class OpensTheFastChannelUnanswered(QemuFault):
    """With preempt that channel is opened before a PONG says that the destination has taken the main one."""

    step, expects, terms, in_flight = "S8", "preempt-after-main", PREEMPT, 3

    class source(Qemu11Mended.source):
        """Does not wait for the PONG."""

        def opens_fast_channel(self) -> None:
            """opens the preempt channel at once"""
            self.pong_noted = True
            super().opens_fast_channel()


class CpusRunOnAtTheSwitch(QemuFault):
    """The source's CPUs go on when postcopy begins."""

    step, expects = "S10", "no-write-after-switch"

    class source(Qemu11Mended.source):
        """Stops nothing."""

        def stops_cpus_to_switch(self) -> None:
            """begins postcopy with its CPUs running"""
            super().stops_cpus_to_switch()
            self.running = True


class KeepsTheDisk(QemuFault):
    """The source sends the package and keeps the lock on the disk."""

    step, expects = "S11", "fails-for-a-reason"

    class source(Qemu11Mended.source):
        """Never gives the lock up."""

        def _unlock(self) -> None:
            """Keeps it."""


class NeverDiscards(QemuFault):
    """The pages that are dirty at the switch are not discarded."""

    step, expects = "S12", "nothing-stale-at-start"

    class source(Qemu11Mended.source):
        """Sends no DISCARD."""

        def sends_discards(self) -> None:
            """goes on without discards"""
            require(self.phase == Phase.SWITCHING)
            self.phase = Phase.PACKAGING


class DiscardsTooMuch(QemuFault):
    """All pages are discarded, and not only those that are still to be sent."""

    step, expects = "S12", "no-page-is-lost"

    class source(Qemu11Mended.source):
        """Sends a DISCARD of all memory."""

        def sends_discards(self) -> None:
            """discards all pages"""
            require(self.phase == Phase.SWITCHING)
            self._ready_to_send()
            self.stream.send(Command.DISCARD, self.dirty | ~self.dirty)
            self.phase = Phase.PACKAGING


class PackageBeforeDiscards(QemuFault):
    """The package goes out in front of the discards."""

    step, expects = "S13", "no-deadlock"

    class source(Qemu11Mended.source):
        """Has the two steps the other way round."""

        packaged = Flag("the package is out, and the discards are next")

        def sends_package(self) -> None:
            """sends the package first"""
            require(self.phase == Phase.SWITCHING and not self.packaged)
            self.phase = Phase.PACKAGING
            super().sends_package()
            self.phase = Phase.SWITCHING
            self.packaged = True

        def sends_discards(self) -> None:
            """sends the discards behind the package, and is in postcopy-device"""
            require(self.packaged)
            super().sends_discards()
            self.packaged = False
            self.phase = Phase.POSTCOPY

        def _clean_up(self) -> None:
            super()._clean_up()
            self.packaged = False


class ActiveWithoutPong(QemuFault):
    """The source is in postcopy-active without the PONG that says that the package is loaded."""

    step, expects = "S16", "paused-can-resume"

    class source(Qemu11Mended.source):
        """Does not wait."""

        def becomes_active(self) -> None:
            """is in postcopy-active at once"""
            require(self.phase == Phase.POSTCOPY and not self.active)
            require(self.ending == Ending.NO)
            self.loaded = True
            self.active = True


class WaitsForPongWhateverFails(QemuFault):
    """An error of the return path does not end the wait for the PONG: as before commit 1ae7d9c30d."""

    step, expects = "S16", "no-deadlock"

    class source(Qemu11Mended.source):
        """Waits for the PONG alone."""

        gives_up_waiting = None


class SendsWithoutClearing(QemuFault):
    """A page that is sent in postcopy stays dirty."""

    step, expects = "S17", "no-page-comes-twice"

    class source(Qemu11Mended.source):
        """Clears nothing."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page, which stays dirty"""
            super().sends_background_page(page)
            self.dirty |= page


class ServesCleanPages(QemuFault):
    """A request is served although its page has been sent already."""

    step, expects = "S18", "no-page-comes-twice"

    class source(Qemu11Mended.source):
        """Does not look at the bitmap."""

        def serves_request(self, page: Page) -> None:
            """serves a requested page, whether it is dirty or not"""
            require(self.requests[page])
            self.dirty |= page
            super().serves_request(page)


class NeverServes(QemuFault):
    """A queued request is dropped."""

    step, expects = "S18", "no-request-is-lost"

    class source(Qemu11Mended.source):
        """Serves nothing."""

        def serves_request(self, page: Page) -> None:
            """drops a request, and takes the page for sent"""
            require(self.phase == Phase.POSTCOPY)
            require(self.requests[page])
            self.requests -= page.host_pages
            self.dirty -= page.host_pages


class BackgroundBeforeRequests(QemuFault):
    """A page that nothing waits for is sent while a request is queued."""

    step, expects, pages = "S18", "no-request-is-lost", 2

    class source(Qemu11Mended.source):
        """Does not look at the queue."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page, whether a request is queued or not"""
            before = self.requests
            self.requests = NONE
            super().sends_background_page(page)
            self.requests = before
