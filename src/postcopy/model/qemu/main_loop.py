"""The main loop of QEMU's destination: bottom halves, new connections, and the operator's command.

It does all of this with the big lock. While it waits, no vCPU that needs the lock goes on, and no command of the
monitor is carried out.

Each round of the loop runs every bottom half that is scheduled and every handler whose file is ready: glib dispatches
all sources of one priority that are ready (`util/main-loop.c:glib_pollfds_poll`), and `util/async.c:aio_bh_poll` takes
the whole list of bottom halves. So these are strongly fair: a loop that comes round again and again comes to each of
them, whatever else it does. A step that a handler takes with the loop in its hands, as `takes_connection`, needs no
such promise: there is no other step then.
"""

from postcopy.language import action, require
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.destination import Main, State
from postcopy.model.network import Reply
from postcopy.model.qemu.optional import OptionalDestination
from postcopy.model.qemu.states import FaultThread, Interrupt, Listen, MainLoop, Preempt, Refusing


class QemuDestination(OptionalDestination):
    """All of QEMU's destination."""

    @action(
        OptionalDestination.main_loop,
        rule="R7",
        qemu="migration/savevm.c:loadvm_postcopy_handle_run_bh",
        fair="strongly",
    )
    def starts_guest(self) -> None:
        """starts the CPUs, if the disk can be had"""
        require(self.run_is_due and self.loop == MainLoop.FREE)
        self.run_is_due = False
        if self._lock_disk():
            self.running = True
        else:
            self._has_no_disk()

    # -- the end -------------------------------------------------------------------------------------------------

    @action(
        OptionalDestination.main_loop,
        rule="R24",
        qemu="migration/postcopy-ram.c:postcopy_incoming_cleanup",
        fair="strongly",
    )
    def begins_cleanup(self) -> None:
        """asks the preempt thread to leave, and waits for the pages that were requested"""
        require(self.end_is_due and self.loop == MainLoop.FREE)
        require(self.main == Main.LEFT)  # the main thread loads the package in the main loop
        self.end_is_due = False
        self.quitting = self.preempt_at != Preempt.NONE
        self._wakes_those_it_joins()
        self.loop = MainLoop.DRAINING

    @action(OptionalDestination.main_loop, rule="R24", qemu="migration/postcopy-ram.c:postcopy_incoming_cleanup")
    def cleans_up(self) -> None:
        """has joined the threads of postcopy, and watches for missing pages no more"""
        require(self.loop == MainLoop.DRAINING)
        require(self._all_has_come() or not self.preempt)
        require(self.preempt_at != Preempt.PAUSED and self.preempt_at != Preempt.WOKEN)
        require(self.urgent_unnoted.empty)
        require(self.fault_at == FaultThread.POLLING)
        self.fast.close()
        self.preempt_at = Preempt.NONE
        self.quitting = False
        self.notified = False
        self._stops_watching()
        self.loop = MainLoop.FREE
        if self.recovery == Refusing.FAILED:
            self._stays_failed()
        else:
            self.owes_shut = True

    @action(
        OptionalDestination.main_loop,
        rule="R19 R24",
        qemu="migration/migration.c:migrate_send_rp_shut",
        fair="strongly",
    )
    def sends_shut(self) -> None:
        """tells the source that all has arrived"""
        require(self.owes_shut and self.loop == MainLoop.FREE)
        if self._can_reply():
            self.return_path.send(Reply.SHUT_OK)
        self.owes_shut = False

    # -- a new connection ----------------------------------------------------------------------------------------

    def operator_recovers(self) -> None:
        """lets the destination wait for new connections, if the main loop can carry the command out"""
        require(self.loop == MainLoop.FREE)
        super().operator_recovers()
        self._listens_for_fast()

    @action(OptionalDestination.destination_operator, qemu="migration/migration.c:qmp_migrate_pause", environment=True)
    def operator_pauses(self) -> None:
        """pauses the migration: shuts the main connection down, in postcopy-active and postcopy-recover only"""
        require(self.state == State.RUNNING and self._has_file())
        require(not self.stream.broken)
        self._shuts_down()

    @action(OptionalDestination.destination_operator, qemu="migration/migration.c:qmp_migrate_pause", environment=True)
    def operator_pauses_closed(self) -> None:
        """pauses a migration whose file the listen thread has closed, while the state is still the one before"""
        require(self.state == State.RUNNING and self.loop == MainLoop.FREE)
        require(self.listener == Listen.CLOSING or self.listener == Listen.CLOSED)
        self.observe(Interrupt.SHUT_DOWN)
        self._has_no_file()

    @action(OptionalDestination.destination_operator, qemu="util/yank.c:qmp_yank", environment=True)
    def operator_yanks(self) -> None:
        """yanks the migration: shuts all connections down, whatever the state is"""
        require(self.main != Main.LEFT or self._has_file())
        require(not self.stream.broken)
        self._shuts_down()
        if not self.fast.listening:
            self.fast.close()

    def accepts(self) -> None:
        """accepts a connection, and waits for its first bytes"""
        require(self.recovery == Recovering.LISTENING)
        require(not self.stream.listening)
        require(self.loop == MainLoop.FREE)
        self.loop = MainLoop.PEEKING

    @action(OptionalDestination.main_loop, qemu="migration/migration.c:postcopy_try_recover")
    def takes_connection(self) -> None:
        """sees the first bytes: the state is postcopy-recover; posts to the listen thread"""
        require(self.loop == MainLoop.PEEKING)
        require(not self.stream.empty)
        self.loop = MainLoop.FREE
        if self.return_path.listening:
            self.return_path.connect()
        self.return_path_open = True
        self.recovery = Recovering.RECOVER
        self.wakes_listener.post()

    @action(OptionalDestination.main_loop, qemu="migration/channel.c:migration_channel_identify")
    def cannot_identify(self) -> None:
        """finds the connection at its end before its first bytes"""
        require(self.loop == MainLoop.PEEKING)
        require(self.stream.broken and self.stream.empty)
        self._connection_came_to_nothing()

    @action(OptionalDestination.main_loop, environment=True)
    def accepts_stranger(self) -> None:
        """accepts a connection that is not the source's, and waits for its first bytes"""
        require(self.recovery == Recovering.PAUSED or self.recovery == Recovering.LISTENING)
        require(self.stream.listening or self.recovery == Recovering.PAUSED)
        require(self.loop == MainLoop.FREE)
        self.loop = MainLoop.PEEKING_STRANGER

    @action(OptionalDestination.main_loop, qemu="migration/channel.c:migration_channel_identify", environment=True)
    def stranger_leaves(self) -> None:
        """finds the stranger's connection at its end before its first bytes"""
        require(self.loop == MainLoop.PEEKING_STRANGER)
        self._connection_came_to_nothing()

    @action(
        OptionalDestination.main_loop,
        qemu="migration/postcopy-ram.c:postcopy_preempt_new_channel",
        fair="strongly",
    )
    def accepts_fast_again(self) -> None:
        """accepts the new preempt channel, and posts"""
        require(self._fast_is_connected() and self.return_path_open)
        require(self.loop == MainLoop.FREE)
        self.listens_fast = False
        self.fast_there = True
        self.accepted.post()
        if self.fast.broken:
            self._listens_for_fast()

    @action(OptionalDestination.main_loop, qemu="migration/channel.c:migration_channel_identify")
    def accepts_fast_as_main(self) -> None:
        """accepts a connection for preempt while there is no main one: takes it for that, and waits for its first
        bytes"""
        require(self.recovery == Recovering.PAUSED or self.recovery == Recovering.LISTENING)
        require(self._fast_is_connected())
        require(self.loop == MainLoop.FREE)
        self.loop = MainLoop.PEEKING_FAST

    @action(OptionalDestination.main_loop, qemu="migration/channel.c:migration_channel_identify")
    def fast_comes_to_nothing(self) -> None:
        """finds that connection at its end before its first bytes: the recovery that made it has broken"""
        require(self.loop == MainLoop.PEEKING_FAST and not self._awaits_connection())
        require(self.fast.broken)
        self._fast_came_to_nothing()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _has_file(self) -> bool:
        """The listen thread has a file to read from."""
        reads = self.listener == Listen.READING or self.listener == Listen.RESUMING
        return bool(reads or self.listener == Listen.AWAITING)

    def _shuts_down(self) -> None:
        self.observe(Interrupt.SHUT_DOWN)
        self.stream.close()
        self.return_path.close()

    def _has_no_file(self) -> None:
        """The command shuts down a file that is not there."""
        self._aborts()

    def _fast_is_connected(self) -> bool:
        """A connection for preempt waits to be accepted."""
        return bool(self.preempt and self.listens_fast and not self.fast.listening)

    def _balloon_allowed(self) -> bool:
        return super()._balloon_allowed() and not self.sensitive

    def _has_no_disk(self) -> None:
        """The guest stays stopped, and the migration goes on."""

    def _wakes_those_it_joins(self) -> None:
        """A thread that waits for the end of a recovery is not woken."""

    def _stays_failed(self) -> None:
        """The process stays, without exit-on-error, and has nothing of the migration left but the guest, if it runs."""
        self.state = State.FAILED
        self.return_path_open = False
        self.stream.close()
        self.return_path.close()

    def _connection_came_to_nothing(self) -> None:
        """It is gone before its first bytes."""
        self._cannot_recover()

    def _fast_came_to_nothing(self) -> None:
        """A connection for preempt that was taken for the main one is gone before its first bytes."""
        self._cannot_recover()

    def _cannot_recover(self) -> None:
        """The state is failed, and by default the process ends."""
        if self.exit_on_error:
            self._give_up()
        else:
            self.loop = MainLoop.FREE
            self.recovery = Refusing.FAILED
