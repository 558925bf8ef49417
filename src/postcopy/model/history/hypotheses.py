"""Suspicions from reading QEMU's source (b6f9617a34), for which no bug report is known, and variants of real
bugs: does the model reach them? `HYPOTHESES` at the end says what it found; a test asks again.
"""

from __future__ import annotations

from dataclasses import dataclass

from postcopy.language import NONE, Bitmap, Flag, PageSet, Protocol, View, action, always, require
from postcopy.model.changes.recovery import RecoveringDestination, RecoveringSource, Recovery
from postcopy.model.changes.recovery_with_preempt import RecoveryWithPreempt
from postcopy.model.changes.switch import SwitchAfterPong, SwitchAfterPongLocked
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Phase


@always("Once the source knows that the package is loaded it does not take the guest back", rules="R15")
def pong_is_final(state: View) -> bool:
    """The PONG has been received: the source knows that the destination starts the guest, and starts it, too."""
    source = state.source
    return not (source.phase == Phase.FAILED and source.running and source.loaded)


class _ActsOnState(SwitchAfterPong.source):
    """Decides by the migration's state, which the migration thread sets some time after the PONG was received."""

    active = Flag("the migration's state says active")

    @action(SwitchAfterPong.source.migration, qemu="migration/migration.c:migration_iteration_run")
    def becomes_active(self) -> None:
        """sees that the package is loaded, and sets the state to active"""
        require(self.phase == Phase.POSTCOPY)
        require(self.loaded)
        require(not self.active)
        self.active = True

    def _fail(self) -> None:
        back = self.phase < Phase.POSTCOPY or (self.phase == Phase.POSTCOPY and not self.active)
        super()._fail()
        self.running = back


class ErrorBeforeActive(SwitchAfterPong):
    """D1: an error is judged by the migration's state, and not by whether the PONG has come."""

    properties = (pong_is_final,)
    source = _ActsOnState


class ErrorBeforeActiveLocked(SwitchAfterPongLocked):
    """D1 with a disk that only one host can lock."""

    properties = (pong_is_final,)

    class source(SwitchAfterPongLocked.source, _ActsOnState):
        """Locks, and decides by the state."""


class PongAndBreakTogether(SwitchAfterPong):
    """D2: the PONG and the end of the return path arrive together; whichever is seen first decides."""

    properties = (pong_is_final,)


class NotesReceivedLater(RecoveryWithPreempt):
    """D3: a page is in memory some time before the received bitmap says so, and nothing keeps a break, or the answer
    about what has arrived, from coming in between."""

    class destination(RecoveryWithPreempt.destination):
        """Places first and notes afterwards, in the preempt thread."""

        unnoted = Bitmap("pages in memory that the received bitmap does not have yet", role=Role.NOTE)

        def places_urgent_page(self) -> None:
            """receives an urgent page and places it"""
            require(self.unnoted.empty)
            before = self.present
            super().places_urgent_page()
            self.unnoted = self.present - before

        @action(RecoveryWithPreempt.destination.preempt_thread, qemu="migration/ram.c:ramblock_recv_bitmap_set_range")
        def notes_received(self) -> None:
            """notes in the received bitmap what it has placed"""
            require(not self.unnoted.empty)
            self.unnoted = NONE

        def says_what_arrived(self) -> None:
            """answers with the bitmap of what has arrived"""
            self._wait_for_preempt_thread()
            present = self.present
            self.present = present - self.unnoted
            super().says_what_arrived()
            self.present = present

        def _wait_for_preempt_thread(self) -> None:
            """Does not."""

        def _give_up(self) -> None:
            super()._give_up()
            self.unnoted = NONE


class NotesReceivedUnderMutex(NotesReceivedLater):
    """D3 as QEMU has it: the preempt thread is halted, between two pages, before the answer is given."""

    class destination(NotesReceivedLater.destination):
        """Takes the preempt thread's mutex first."""

        def _wait_for_preempt_thread(self) -> None:
            require(self.unnoted.empty)


class AddsWhatIsMissing(Recovery):
    """The source adds what has not arrived to its own bitmap, in place of building it anew."""

    class source(RecoveringSource):
        """Trusts both."""

        def _reload(self, arrived: PageSet) -> None:
            """What is dirty here cannot have arrived."""
            self.dirty |= ~arrived


class KeepsPartialPages(Recovery):
    """What had come of a host page that was not whole is kept over the break."""

    group = 2

    class destination(RecoveringDestination):
        """Keeps half pages."""

        def _forget_partial_pages(self) -> None:
            """The half page stays."""


@dataclass(frozen=True)
class Hypothesis:
    """A question to the model, and its answer.

    Attributes:
        number: its code in docs/bugs.md, or that of the bug of which it is a variant.
        question: what is suspected.
        protocol: the protocol that is asked.
        asked: the property.
        reached: whether the property is violated, so that what is suspected can happen.
    """

    number: str
    question: str
    protocol: type[Protocol]
    asked: str
    reached: bool


HYPOTHESES = (
    Hypothesis("D1", "an error between the PONG and the new state resumes the source", ErrorBeforeActive,
               "pong-is-final", True),
    Hypothesis("D1", "and then two guests run", ErrorBeforeActive, "no-two-guests", True),
    Hypothesis("D1", "with a disk lock, too, the source resumes after the PONG", ErrorBeforeActiveLocked,
               "pong-is-final", True),
    Hypothesis("D1", "with a disk lock two guests run", ErrorBeforeActiveLocked, "no-two-guests", False),
    Hypothesis("D2", "a PONG that is read before the break is not counted", PongAndBreakTogether, "pong-is-final",
               False),
    Hypothesis("D2", "a PONG that is there but read after the break leaves two guests", PongAndBreakTogether,
               "no-two-guests", True),
    Hypothesis("D3", "without the mutex a page that has arrived is reported missing", NotesReceivedLater,
               "dirtied-only-if-missing", True),
    Hypothesis("D3", "and placed again over what the guest wrote to it", NotesReceivedLater, "no-write-overwritten",
               True),
    Hypothesis("D3", "with the mutex, too", NotesReceivedUnderMutex, "dirtied-only-if-missing", False),
    Hypothesis("D4", "the listen thread can come to the end before RUN", FAULTS["end-before-run"],
               FAULTS["end-before-run"].breaks[0], True),
    Hypothesis("D4", "where it waits for the main thread, too", Postcopy, FAULTS["end-before-run"].breaks[0], False),
    Hypothesis("A02", "adding what has not arrived to the old bitmap is worse than building it anew", AddsWhatIsMissing,
               "no-page-sent-in-vain", False),
    Hypothesis("A43", "half a host page that is kept over a break makes the guest read something old",
               KeepsPartialPages, "no-stale-read", False),
    Hypothesis("A43", "half a host page that is kept over a break is sent again", KeepsPartialPages,
               "no-page-sent-in-vain", True),
)  # fmt: skip
"""What was asked. D5 (combinations that QEMU refuses) is answered by the variants without the refusal: hinted-pages,
release-ram-with-recovery, places-without-waking (RDMA), memory-stays-locked."""
