"""Faults of the threads of postcopy at the destination, and of its end."""

from postcopy.language import NONE, Page, PageSet, require
from postcopy.model.guest import Memory
from postcopy.model.network import Command, Reply
from postcopy.model.qemu.faults.fault import PREEMPT, QemuFault
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import MainLoop, Preempt


class PlacesPartOfAHostPage(QemuFault):
    """A target page is placed before the rest of its host page has come."""

    step, expects, pages, host_page = "D16", "no-partial-page", 2, 2

    class destination(Qemu11Mended.destination):
        """Does not wait for the whole."""

        def places_page(self) -> None:
            """receives a page, and places it"""
            require(self._reads())
            message = self.stream.receive(Command.PAGE)
            self.guest.arrived(message.pages, message.marked["stale"])
            self.unnoted = message.pages
            self._place(message.pages)


class CopiesWithoutWaking(QemuFault):
    """A page is placed, and the threads that wait for it sleep on."""

    step, expects = "D16", "sleeper-is-woken"

    class destination(Qemu11Mended.destination):
        """Wakes no thread."""

        def _place(self, pages: PageSet) -> None:
            """Copies, and does not wake."""
            self.observe(Memory.PLACE, pages)
            self.present |= pages
            self.assembling -= pages
            self.guest.placed(pages)


class RequestedForEver(QemuFault):
    """A page that has come stays in the tree of requested pages."""

    step, expects, terms = "D16", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Removes nothing."""

        def notes_page(self) -> None:
            """notes the page as received, and leaves it among the requested"""
            require(not self.unnoted.empty)
            self.unnoted = NONE


class NeverPauses(QemuFault):
    """The listen thread gives up on an error, with the guest running."""

    step, expects = "D17", "guest-lost-only-with-host"

    class destination(Qemu11Mended.destination):
        """Knows no pause."""

        def _has_an_error(self) -> None:
            """Gives up, whatever the state is."""
            require(self._may_judge())
            self._give_up()


class ClosesUnderTheReader(QemuFault):
    """A pause closes the preempt channel's file without the mutex, while its thread reads."""

    step, expects, terms = "D17", "no-process-aborts", PREEMPT

    class destination(Qemu11Mended.destination):
        """Takes no mutex."""

        def _mutex_is_free(self) -> bool:
            return True


class PausesWithoutAGuest(QemuFault):
    """The listen thread pauses on an error before the guest runs, too."""

    step, expects = "D18", "paused-can-resume"

    class destination(Qemu11Mended.destination):
        """Does not look at the state."""

        def _has_an_error(self) -> None:
            """Pauses, whatever the state is."""
            require(self._may_judge())
            self._closes_files()


class FailsAndStays(QemuFault):
    """The listen thread sees that the load has failed, and does nothing."""

    step, expects = "D18", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Does not end."""

        fails = None


class NeverSchedulesTheCleanUp(QemuFault):
    """The listen thread leaves, and schedules no clean-up."""

    step, expects = "D19", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Has no bottom half."""

        def leaves(self) -> None:
            """sets the state completed, and leaves"""
            super().leaves()
            self.end_is_due = False


class CleansUpUndrained(QemuFault):
    """With preempt the end does not wait for the pages that were requested."""

    step, expects, terms = "D20", "none-missing-at-end", PREEMPT

    class destination(Qemu11Mended.destination):
        """Waits for nothing."""

        def _may_complete(self) -> bool:
            return True

        def cleans_up(self) -> None:
            """forgets what was requested, joins the threads, and watches for missing pages no more"""
            require(self.loop == MainLoop.DRAINING)
            self.requested = NONE
            super().cleans_up()


class PreemptIsNotAskedToLeave(QemuFault):
    """The end does not ask the preempt thread to leave, and waits for it."""

    step, expects, terms = "D20", "big-lock-comes-free", PREEMPT

    class destination(Qemu11Mended.destination):
        """Asks nothing."""

        def begins_cleanup(self) -> None:
            """waits for the pages that were requested"""
            super().begins_cleanup()
            self.quitting = False


class StaysSensitive(QemuFault):
    """The end leaves memory registered with userfaultfd."""

    step, expects = "D20", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Unregisters nothing."""

        def cleans_up(self) -> None:
            """has joined the threads of postcopy"""
            super().cleans_up()
            self.sensitive = True


class NeverSendsShut(QemuFault):
    """The source is not sent the word that all has arrived."""

    step, expects = "D20", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Says nothing."""

        def sends_shut(self) -> None:
            """forgets that the source waits"""
            require(self.owes_shut and self.loop == MainLoop.FREE)
            self.owes_shut = False


class RequestsWhatHasCome(QemuFault):
    """The fault thread requests a page that has come since the fault."""

    step, expects, terms = "F2", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Does not look at the received bitmap."""

        def requests_page(self, page: Page) -> None:
            """reads a fault, and requests its page"""
            require(self.sensitive and self._can_reply())
            require(self.faulted[page])
            self.faulted -= page
            self.requested |= page.host_pages
            self.return_path.send(Reply.REQ_PAGES, page.host_pages)


class NeverNotesRequests(QemuFault):
    """The fault thread requests a page, and does not note it."""

    step, expects, terms = "F2", "none-missing-at-end", PREEMPT

    class destination(Qemu11Mended.destination):
        """Has no tree."""

        def requests_page(self, page: Page) -> None:
            """reads a fault and requests its page"""
            before = self.requested
            super().requests_page(page)
            self.requested = before


class DropsFaults(QemuFault):
    """A fault that cannot be sent is forgotten."""

    step, expects = "F2", "no-request-is-lost"

    class destination(Qemu11Mended.destination):
        """Does not wait for a new connection."""

        def requests_page(self, page: Page) -> None:
            """reads a fault and requests its page, if it can"""
            require(self.sensitive and self.faulted[page])
            if self._can_reply():
                super().requests_page(page)
            else:
                self.faulted -= page


class PreemptLeavesOnABreak(QemuFault):
    """The preempt thread leaves when its channel breaks, and does not wait for a new one."""

    step, expects, terms = "P1", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Knows no pause."""

        def _stops_reading_fast(self) -> None:
            """Leaves."""
            self.preempt_at = Preempt.LEFT


class UrgentStaysRequested(QemuFault):
    """A page that has come on the preempt channel stays in the tree of requested pages."""

    step, expects, terms = "P1", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Removes nothing."""

        def notes_urgent_page(self) -> None:
            """notes the page as received, and leaves it among the requested"""
            require(not self.urgent_unnoted.empty)
            self.urgent_unnoted = NONE
