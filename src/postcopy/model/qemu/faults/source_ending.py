"""Faults of QEMU's source where something fails, at its end, and of its return-path thread."""

from postcopy.language import NONE, Page, require
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.network import Command, Reply
from postcopy.model.qemu.faults.fault import PREEMPT, QemuFault
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import Ending, OnPackage
from postcopy.model.source import Phase


class NeverLooksForErrors(QemuFault):
    """The migration thread does not look for an error of its files."""

    step, expects = "S19", "no-deadlock"

    class source(Qemu11Mended.source):
        """Goes on blindly."""

        notices_loss = None


class FailsInPostcopyActive(QemuFault):
    """An error in postcopy-active fails the migration, where it should pause it."""

    step, expects = "S19", "guest-lost-only-with-host"

    class source(Qemu11Mended.source):
        """Never pauses."""

        def _may_pause(self) -> bool:
            return False

        def takes_guest_back(self) -> None:
            """has failed, and cleans up"""
            require(self.ending == Ending.FAILING)
            self.running = self._has_disk()
            self._clean_up()
            self.phase = Phase.FAILED


class EofWithDirtyPages(QemuFault):
    """The source ends the stream while pages are dirty."""

    step, expects = "S20", "none-missing-at-end"

    class source(Qemu11Mended.source):
        """Does not look at the bitmap."""

        def ends_postcopy(self) -> None:
            """ends the stream, whatever is left"""
            require(self.phase == Phase.POSTCOPY and self.active)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING


class EndsWhileWriting(QemuFault):
    """With preempt the source ends the stream while a page is clean in the bitmap and not written yet."""

    step, expects, terms = "S20", "none-missing-at-end", PREEMPT

    class source(Qemu11Mended.source):
        """Does not wait for the page that it writes."""

        def ends_postcopy(self) -> None:
            """ends the stream when nothing is dirty"""
            require(self.phase == Phase.POSTCOPY and self.active)
            require(self.dirty.empty and self.requests.empty)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING


class EofWithRequests(QemuFault):
    """The source ends the stream while a request is queued."""

    step, expects = "S20", "no-request-is-lost"

    class source(Qemu11Mended.source):
        """Forgets its queue."""

        def ends_postcopy(self) -> None:
            """ends the stream when nothing is dirty, whatever is queued"""
            self.requests = NONE
            super().ends_postcopy()


class CompletesWithoutJoining(QemuFault):
    """The source is completed before its return-path thread has left."""

    step, expects = "S21", "completed-means-arrived"

    class source(Qemu11Mended.source):
        """Does not join the thread."""

        def completes(self) -> None:
            """is completed when the stream has ended"""
            require(self.phase == Phase.ENDING and self.ending == Ending.NO)
            require(self.recovery == Recovering.NO)
            self.phase = Phase.COMPLETED


class CompletesWithAnError(QemuFault):
    """The source is completed although its return path has failed."""

    step, expects = "S22", "completed-means-arrived"

    class source(Qemu11Mended.source):
        """Does not look at the error."""

        def completes(self) -> None:
            """has joined the return-path thread: completed"""
            require(self.phase == Phase.ENDING and self.ending == Ending.NO)
            require(self.return_path_left and self.recovery == Recovering.NO)
            self.phase = Phase.COMPLETED


class StartsWithoutItsDisk(QemuFault):
    """A source that has failed starts its guest whether it can have the disk or not."""

    step, expects = "S23", "no-two-guests"

    class source(Qemu11Mended.source):
        """Does not look at the disk."""

        def _has_disk(self) -> bool:
            """Takes it for granted."""
            return True


class StaysStoppedAfterCancel(QemuFault):
    """A source that was cancelled after its CPUs were stopped does not start them again."""

    step, expects = "S23", "the-guest-runs-again"

    class source(Qemu11Mended.source):
        """Forgets its guest."""

        def finishes_cancelled(self) -> None:
            """cleans up: cancelled"""
            require(self.ending == Ending.CANCELLING)
            self._clean_up()
            self.phase = Phase.CANCELLED


class FailsWithoutCleaningUp(QemuFault):
    """A source that has failed leaves its connections open."""

    step, expects = "S24", "no-deadlock"

    class source(Qemu11Mended.source):
        """Closes nothing."""

        def takes_guest_back(self) -> None:
            """starts the guest again, and keeps its files: failed"""
            require(self.ending == Ending.FAILING)
            require(not self.loaded and self._has_disk())
            self.running = True
            self.ending = Ending.NO
            self.phase = Phase.FAILED


class PausesWithOpenFiles(QemuFault):
    """A source that pauses keeps its connections open, and the return-path thread with them."""

    step, expects = "S25", "no-deadlock"

    class source(Qemu11Mended.source):
        """Sets the state alone."""

        def _pause(self) -> None:
            """Is paused, and closes nothing."""
            self.recovery = Recovering.PAUSED


class ForgetsThatThePackageIsLoaded(QemuFault):
    """The PONG behind the devices is read, and not noted."""

    step, expects = "R1", "no-deadlock"

    class source(Qemu11Mended.source):
        """Reads and forgets."""

        def receives_loaded(self) -> None:
            """reads the PONG behind the devices"""
            self._reads()
            self.return_path.receive(OnPackage.LOADED)


class DropsRequests(QemuFault):
    """A request is read and not queued, and its page is taken for sent."""

    step, expects = "R2", "no-request-is-lost"

    class source(Qemu11Mended.source):
        """Has no queue."""

        def receives_request(self) -> None:
            """reads a page request, and takes its page for sent"""
            self._reads()
            message = self.return_path.receive(Reply.REQ_PAGES)
            self.dirty -= message.pages


class UrgentStaysDirty(QemuFault):
    """A page that is sent on the preempt channel stays dirty."""

    step, expects, terms = "R3", "no-page-comes-twice", PREEMPT

    class source(Qemu11Mended.source):
        """Clears nothing."""

        def serves_at_once(self, page: Page) -> None:
            """sends a requested page on the preempt channel, and leaves it dirty"""
            before = self.dirty
            super().serves_at_once(page)
            self.dirty = before


class UrgentPartOfAHostPage(QemuFault):
    """The return-path thread sends what is left of a host page that the migration thread has begun."""

    step, expects, terms, pages, host_page = "R3", "none-missing-at-end", PREEMPT, 2, 2

    class source(Qemu11Mended.source):
        """Does not look at the page that is being sent."""

        def _on_main_channel(self, _page: Page) -> bool:
            """Takes no notice of it."""
            return False


class TrustsItsOwnBitmap(QemuFault):
    """After a break the source keeps its own bitmap, and does not take over what has arrived."""

    step, expects = "R4", "no-page-is-lost"

    class source(Qemu11Mended.source):
        """Reads the received bitmap, and forgets it."""

        def reloads_bitmap(self) -> None:
            """receives the bitmap of what has arrived, and keeps its own"""
            before = self.dirty
            super().reloads_bitmap()
            self.dirty = before


class NeverTakesTheAcknowledgement(QemuFault):
    """The acknowledgement of RESUME is read, and the state stays postcopy-recover."""

    step, expects = "R5", "no-deadlock"

    class source(Qemu11Mended.source):
        """Stays where it is."""

        def receives_resume_ack(self) -> None:
            """reads the acknowledgement, and stays in postcopy-recover"""
            super().receives_resume_ack()
            self.recovery = Recovering.RESUMING


class TakesErrorForSuccess(QemuFault):
    """SHUT with an error is taken for SHUT without one."""

    step, expects, in_flight = "R6", "completed-means-arrived", 3

    class source(Qemu11Mended.source):
        """Does not look at the value."""

        def receives_shut_with_error(self) -> None:
            """reads SHUT, and leaves"""
            self._reads()
            self.return_path.receive(Reply.SHUT_ERROR)
            self.return_path_left = True


class LeavesWithoutAnError(QemuFault):
    """The return-path thread comes to the end of its connection, and stores no error."""

    step, expects = "R7", "completed-means-arrived"

    class source(Qemu11Mended.source):
        """Leaves in silence."""

        def _leaves(self) -> None:
            """Says nothing."""
            self.return_path_left = True


class LeavesARecoveryInSilence(QemuFault):
    """In postcopy-recover the return-path thread does not wake the migration thread when it leaves."""

    step, expects = "R7", "no-deadlock"

    class source(Qemu11Mended.source):
        """Looks at its files alone."""

        def notices_second_loss(self) -> None:
            """notices in a recovery that a file it writes to is gone, and pauses again"""
            require(self.recovery != Recovering.NO and not self._waits_for_connection())
            require(self.stream.broken)
            self._pause()
