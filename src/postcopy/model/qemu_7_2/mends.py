"""What QEMU's history has mended since 7.2, each a change of its own, and all together.

Each is a commit of QEMU, or a few that belong together, cut down to what it does to the protocol; some defects are
mended nowhere yet. That a failure behind the package costs the guest has no small mend: for that the state
postcopy-device was made (7b842fe354).
"""

from postcopy.language import action, require
from postcopy.model.destination import State
from postcopy.model.qemu import mends
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.source_recovery import QemuSource
from postcopy.model.qemu.states import Ending, FaultThread, Listen, Preempt
from postcopy.model.qemu_7_2.destination import Destination72
from postcopy.model.qemu_7_2.protocol import Qemu72
from postcopy.model.qemu_7_2.source import Source72
from postcopy.model.source import Phase


class CancelRefusedInPostcopy(Qemu72):
    """646119088f (2025): a migration is not cancelled any more when the switch has begun."""

    class source(Source72):
        """Refuses."""

        def operator_cancels(self) -> None:
            """cancels the migration before postcopy"""
            require(self.phase < Phase.SWITCHING or self._completes_precopy())
            super().operator_cancels()


class GuestRestoredAfterSwitch(Qemu72):
    """a4c6275aa1 (2023): the switch remembers that the guest ran. Here the guest goes on only where the package is not
    out; the commit starts it behind the package as well."""

    class source(Source72):
        """Starts what the switch has stopped."""

        def _starts_again(self) -> bool:
            return super()._starts_again() or not self.switched


class NoDiskNoStart(Qemu72):
    """26f65c01ed (2025): the guest is not started where the disk cannot be had."""

    class source(Source72):
        """Looks at the disk."""

        def _starts_again(self) -> bool:
            return super()._starts_again() and (self.running or self._has_disk())


class PausesFromRecover(Qemu72):
    """0e99bb8f54 (2023): the destination pauses from postcopy-recover, too."""

    class destination(Destination72):
        """Pauses again."""

        def _cannot_pause_again(self) -> None:
            QemuDestination.publishes_paused(self)


class ReturnPathThreadEnds(Qemu72):
    """ef796ee93b, 36e9aab3c5, f8c543e808 (2023): the return-path thread ends on an error, a pause joins it, and a
    recovery makes a new one. A recovery that breaks wakes the migration thread, which pauses again."""

    class source(Source72):
        """As in QEMU 11.1."""

        releases_wrong_file = None
        reads_new_return_path = None
        notices_second_loss = QemuSource.notices_second_loss
        return_path_ends = QemuSource.return_path_ends
        connects_again = QemuSource.connects_again
        operator_resumes = QemuSource.operator_resumes

        def _thread_outlives_pause(self) -> bool:
            return False


class CompletesWhenClean(Qemu72):
    """7aaa1fc072 (2025): a migration completes when nothing is dirty any more."""

    class source(Source72):
        """Waits."""

        def begins_to_complete(self) -> None:
            """finds that nothing is left, and completes"""
            require(self.dirty.empty and self.requests.empty)
            super().begins_to_complete()


class NoCancelAtTheEnd(Qemu72):
    """Mended nowhere yet: a migration is not cancelled any more when the end of precopy is out."""

    class source(Source72):
        """Refuses."""

        def operator_cancels(self) -> None:
            """cancels the migration before the end of precopy is out"""
            require(not self._completes_precopy())
            super().operator_cancels()


class PausesBehindPackage(Qemu72):
    """A part of 7b842fe354 (2025): an error that the switch finds behind the package pauses."""

    class source(Source72):
        """Pauses from the package on."""

        def _may_pause(self) -> bool:
            return self.phase == Phase.POSTCOPY


class ThreadsAreWoken(Qemu72):
    """6621883f93 (2023) for the preempt thread, and for the fault thread mended nowhere yet: the clean-up wakes the
    threads that it joins."""

    class destination(Destination72):
        """Wakes them."""

        def _wakes_those_it_joins(self) -> None:
            if self.fault_at == FaultThread.PAUSED:
                self.fault_at = FaultThread.POLLING
            if self.preempt_at == Preempt.PAUSED or self.preempt_at == Preempt.WOKEN:
                self.preempt_at = Preempt.LEFT
            if self.listener == Listen.FAILING and self.preempt_at == Preempt.READING:
                self.preempt_at = Preempt.LEFT


class CompletionPauses(Qemu72):
    """Mended nowhere yet: an error that is found while the migration completes pauses it in postcopy. In precopy it
    completes where the disk cannot be had, because then the destination has it."""

    class source(Source72):
        """There is no way back where the destination has the guest."""

        def takes_guest_back(self) -> None:
            """has failed: starts the guest where it was stopped to complete in precopy; has completed where the
            destination has its disk"""
            require(self.ending == Ending.FAILING)
            if self._completes_precopy() and not self._has_disk():
                self._clean_up()
                self.phase = Phase.COMPLETED
            else:
                super().takes_guest_back()

        def _cannot_complete(self) -> None:
            if self.switched:
                self.completing = False
                self._pause()
            else:
                super()._cannot_complete()


class RequestedPagesAreAwaited(Qemu72):
    """cf02f29e1e (2023), and what it lacks: the listen thread waits for the pages that were requested, and pauses where
    their channel is gone."""

    class destination(Destination72):
        """Waits in the listen thread, which can pause."""

        def leaves(self) -> None:
            """waits for the pages that were requested, joins the threads of postcopy, and sets the state completed"""
            require(self.requested.empty or not self.preempt)
            super().leaves()

        @action(Destination72.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
        def pauses_at_the_end(self) -> None:
            """waits for requested pages at the end of the stream, sees that their channel is gone, and pauses"""
            require(self.listener == Listen.ENDING and self.preempt_at == Preempt.PAUSED)
            require(not self.requested.empty)
            if self.state == State.RUNNING:
                self._closes_files()
            else:
                self._cannot_pause()


class PostsAreTakenBack(Qemu72):
    """Mended nowhere yet (H8): a pause takes posts back, and waits until the preempt thread pauses."""

    class destination(mends.PostsAreTakenBack.destination, Destination72):
        """Begins each recovery from nothing."""


class PauseLooksAtFile(Qemu72):
    """Mended nowhere yet (N7): migrate-pause looks whether the destination still has its file."""

    class destination(mends.PauseLooksAtFile.destination, Destination72):
        """Has nothing to shut down."""


class PreemptIsWatched(Qemu72):
    """Mended nowhere yet (N11): the source watches its preempt channel, and notices at once that it cannot be made or
    has come to its end."""

    class source(Source72):
        """Looks at the connection as well."""

        def _sees_end_of_fast(self) -> bool:
            return self.preempt and self.fast.broken


class ListenThreadCleansUp(Qemu72):
    """468a7effde (2025): once there is a listen thread it alone cleans up, also where the package cannot be loaded."""

    class destination(Destination72):
        """Leaves the error to the listen thread, as QEMU 11.1 does."""

        exits = None
        reads_freed_stream = None
        sees_that_load_failed = QemuDestination.sees_that_load_failed
        device_load_fails = QemuDestination.device_load_fails
        refuses_run = QemuDestination.refuses_run


class Qemu72Mended(
    CancelRefusedInPostcopy,
    NoDiskNoStart,
    GuestRestoredAfterSwitch,
    PausesFromRecover,
    ReturnPathThreadEnds,
    CompletesWhenClean,
    NoCancelAtTheEnd,
    PausesBehindPackage,
    ThreadsAreWoken,
    CompletionPauses,
    RequestedPagesAreAwaited,
    PostsAreTakenBack,
    PauseLooksAtFile,
    PreemptIsWatched,
    ListenThreadCleansUp,
):
    """All of these together: what QEMU 7.2 would be with the small ones of the later mends."""

    class source(
        CancelRefusedInPostcopy.source,
        NoDiskNoStart.source,
        GuestRestoredAfterSwitch.source,
        ReturnPathThreadEnds.source,
        CompletesWhenClean.source,
        NoCancelAtTheEnd.source,
        PausesBehindPackage.source,
        CompletionPauses.source,
        PreemptIsWatched.source,
    ):
        """All of those at the source."""

    class destination(
        PausesFromRecover.destination,
        ThreadsAreWoken.destination,
        RequestedPagesAreAwaited.destination,
        PostsAreTakenBack.destination,
        PauseLooksAtFile.destination,
        ListenThreadCleansUp.destination,
    ):
        """All of those at the destination."""
