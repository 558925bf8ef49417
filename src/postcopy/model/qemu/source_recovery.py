"""QEMU's source in a pause and in a recovery: the operator's commands, the new connections, and RESUME."""

from postcopy.language import NONE, PageSet, action, require
from postcopy.model.changes.recovery import RecoveringSource
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.qemu.optional import OptionalSource
from postcopy.model.qemu.states import Connecting, Ending, Interrupt, SetUp
from postcopy.model.source import Phase, Source


class QemuSource(OptionalSource):
    """All of QEMU's source."""

    recovery = RecoveringSource.recovery.extended(SetUp, after=Recovering.PAUSED)

    def operator_resumes(self) -> None:
        """resumes the migration; a connection is yet to be made"""
        require(self.recovery == Recovering.PAUSED)
        self.recovery = SetUp.RECOVER_SETUP
        self.error = False

    @action(Source.operator, qemu="migration/migration.c:migration_start_outgoing", environment=True)
    def connects_again(self) -> None:
        """has a new connection to the destination, starts a return-path thread, and is in postcopy-recover"""
        require(self.recovery == SetUp.RECOVER_SETUP)
        self.stream.connect()
        self.return_path.listen()
        self.return_path_left = False
        self.recovery = Recovering.RECOVER

    @action(Source.operator, qemu="migration/migration.c:migration_connect_error_propagate", environment=True)
    def cannot_connect(self) -> None:
        """gets no connection, and is paused again"""
        require(self.recovery == SetUp.RECOVER_SETUP)
        self.observe(Connecting.IN_VAIN)
        self.recovery = Recovering.PAUSED

    @action(Source.migration, qemu="migration/postcopy-ram.c:postcopy_preempt_establish_channel")
    def connects_fast_again(self) -> None:
        """connects the preempt channel anew, once the bitmap is right again"""
        require(self.preempt and not self.fast_there)
        require(self.recovery == Recovering.RELOADED)
        self.fast.connect()
        self.fast_there = True

    def sends_resume(self) -> None:
        """tells the destination that the migration goes on; with preempt that channel is there"""
        require(self.fast_there or not self.preempt)
        super().sends_resume()

    @action(Source.migration, qemu="migration/migration.c:postcopy_pause")
    def notices_second_loss(self) -> None:
        """notices in a recovery that the new connection is gone as well, and pauses again"""
        require(self.recovery != Recovering.NO and not self._waits_for_connection())
        require(self.stream.broken or self.error)
        self._pause()

    @action(Source.operator, qemu="migration/migration.c:qmp_migrate_pause", environment=True)
    def operator_pauses(self) -> None:
        """pauses the migration: shuts the main connection down, in postcopy-active and postcopy-recover only"""
        # the state stays postcopy-active while the migration completes
        require(self.phase == Phase.POSTCOPY or (self.phase == Phase.ENDING and self.switched))
        require(self.active and self.ending == Ending.NO)
        require(not self._waits_for_connection() and not self.stream.broken)
        self.observe(Interrupt.SHUT_DOWN)
        self.error = True
        self.stream.close()
        self.return_path.close()

    @action(Source.operator, qemu="util/yank.c:qmp_yank", environment=True)
    def operator_yanks(self) -> None:
        """yanks the migration: shuts all connections down, whatever the state is"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(not self.stream.broken)
        self.observe(Interrupt.SHUT_DOWN)
        self._close_files()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _waits_for_connection(self) -> bool:
        """It is paused, or has been resumed and is not connected yet."""
        return self.recovery == Recovering.PAUSED or self.recovery == SetUp.RECOVER_SETUP

    def _pause(self) -> None:
        """Joins the return-path thread and closes everything. Without preempt the queue of requests stays."""
        requests = NONE if self.preempt else self.requests
        super()._pause()
        self.requests = requests
        self.writing = NONE
        self.handing_over = False
        self.awaits_loaded = False
        self._close_fast()
        self.return_path_left = True

    def _reload(self, arrived: PageSet) -> None:
        """The bitmap is what has not arrived."""
        self.dirty = ~arrived
