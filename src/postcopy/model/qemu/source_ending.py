"""What QEMU's source does about an error, and how its migration ends.

An error before postcopy-active ends in FAILING, one in postcopy-active pauses, and one while the migration completes
ends in FAILING again. In FAILING the source takes its guest back where it can have the disk.
"""

from postcopy.language import action, require
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.guest import Mishap
from postcopy.model.qemu.source import SendingSource
from postcopy.model.qemu.states import Ending
from postcopy.model.source import Phase, Source


class EndingSource(SendingSource):
    """The migration thread where something fails, and at the end."""

    def notices_loss(self) -> None:
        """notices an error of a file it writes to: pauses in postcopy-active, and fails before that"""
        require(Phase.IDLE < self.phase and self.phase < Phase.ENDING)
        require(self.ending == Ending.NO and self.recovery == Recovering.NO)
        require(self._file_error() and not self.handing_over)
        require(not self._sleeps_until_loaded())
        if self._may_pause():
            self._pause()
        else:
            self.ending = Ending.FAILING

    @action(Source.migration, rule="R15", qemu="migration/migration.c:postcopy_start")
    def switch_fails(self) -> None:
        """sees an error of its file behind the package, and fails, whatever was noted"""
        require(self.handing_over and self.stream.broken)
        self.handing_over = False
        self._cannot_switch()

    @action(Source.migration, qemu="migration/migration.c:migration_iteration_run")
    def begins_to_wait(self) -> None:
        """has sent all pages, and waits for the PONG of the package: it looks at no file from here on"""
        require(self.phase == Phase.POSTCOPY and not self.active)
        require(not self.handing_over and not self.awaits_loaded)
        require(self.ending == Ending.NO and self.recovery == Recovering.NO)
        require(self.dirty.empty and self.writing.empty)
        require(self.sending.empty and not self.loaded)
        self.awaits_loaded = True

    @action(Source.migration, qemu="migration/migration.c:migration_iteration_run")
    def gives_up_waiting(self) -> None:
        """waits for the PONG of the package, and is woken by an error: the error comes first, whatever was noted"""
        require(self._waits_for_pong() and self.error)
        self.awaits_loaded = False
        self.ending = Ending.FAILING

    def ends_postcopy(self) -> None:
        """ends the stream in postcopy-active: nothing is dirty, and no request is queued"""
        super().ends_postcopy()
        if self.error:
            self._ends_with_error()

    @action(Source.migration, rule="R24", qemu="migration/migration.c:migration_completion")
    def completes(self) -> None:
        """has joined the return-path thread: completed, or failing where there was an error"""
        require(self.phase == Phase.ENDING and self.ending == Ending.NO)
        require(self.return_path_left and self.recovery == Recovering.NO)
        if self.error:  # files that are not written to any more show none
            self._cannot_complete()
        else:
            self.phase = Phase.COMPLETED

    @action(Source.migration, rule="R15 R23", qemu="migration/migration.c:migration_iteration_finish")
    def takes_guest_back(self) -> None:
        """starts the guest again, if the disk can be had; what is left is cleaned up, and the migration has failed"""
        require(self.ending == Ending.FAILING)
        if self._word_counts():
            self.ending = Ending.NO
            self._pause()
        else:
            self.running = self._has_disk()
            self._clean_up()
            self.phase = Phase.FAILED

    @action(Source.migration, rule="R27", qemu="migration/migration.c:migration_iteration_finish")
    def finishes_cancelled(self) -> None:
        """starts the guest again, if it was stopped and the disk can be had: cancelled"""
        require(self.ending == Ending.CANCELLING)
        self.running = self.running or self._has_disk()
        self._clean_up()
        self.phase = Phase.CANCELLED

    def host_dies(self) -> None:
        """dies, and its ends of the connections and its lock on the disk with it"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        self.observe(Mishap.FAILURE)
        self._unlock()
        self._clean_up()
        self.phase = Phase.DEAD
        self.running = False

    # -- what the actions share ----------------------------------------------------------------------------------

    def _file_error(self) -> bool:
        """The migration thread writes to the stream all the time. That the preempt channel is gone is seen by the
        next page that is written to it."""
        return self.stream.broken or self.fast_failed or self._sees_end_of_fast()

    def _sees_end_of_fast(self) -> bool:
        """The source only writes to the preempt channel, and nothing watches it."""
        return False

    def _waits_for_pong(self) -> bool:
        """Its wait ends with an error, though the PONG may have been noted meanwhile."""
        return bool(self.awaits_loaded)

    def _sleeps_until_loaded(self) -> bool:
        """Only the return-path thread wakes it."""
        return bool(self.awaits_loaded)

    def _may_pause(self) -> bool:
        """In postcopy-active, and not any more once it completes."""
        return self.phase == Phase.POSTCOPY and self.active

    def _cannot_switch(self) -> None:
        """The package is out, and its file has an error."""
        self.ending = Ending.FAILING

    def _ends_with_error(self) -> None:
        """The return-path thread has left with an error before: that is seen when it is joined."""
        self.ending = Ending.FAILING

    def _word_counts(self) -> bool:
        """What has been noted is not looked at any more."""
        return False

    def _cannot_complete(self) -> None:
        """As before the handover."""
        self.ending = Ending.FAILING
