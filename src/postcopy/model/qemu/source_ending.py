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
        require(self._file_error())
        if self._may_pause():
            self._pause()
        else:
            self.ending = Ending.FAILING

    @action(Source.migration, qemu="migration/migration.c:migration_iteration_run")
    def gives_up_waiting(self) -> None:
        """waits for the PONG of the package, and is woken by an error: the error comes first, whatever was noted"""
        require(self.phase == Phase.POSTCOPY and not self.active)
        require(self.ending == Ending.NO and self.recovery == Recovering.NO)
        require(self.error)
        require(self._waits_for_pong())
        self.ending = Ending.FAILING

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
        return self.stream.broken or (self.preempt and self.fast_there and self.fast.broken)

    def _waits_for_pong(self) -> bool:
        """Its wait ends with an error, whether the PONG has been noted or not."""
        return self.dirty.empty or self.loaded

    def _may_pause(self) -> bool:
        """In postcopy-active, and not any more once it completes."""
        return self.phase == Phase.POSTCOPY and self.active

    def _cannot_complete(self) -> None:
        """As before the handover."""
        self.ending = Ending.FAILING
