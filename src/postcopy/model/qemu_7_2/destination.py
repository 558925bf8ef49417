"""QEMU 7.2's destination: no connection is looked at, a recovery is tried once, the listen thread cleans up itself."""

from postcopy.language import NONE, Flag, action, require
from postcopy.model.changes.recovery_messages import Recovering, RecoveryCommand
from postcopy.model.destination import Destination, Main, State
from postcopy.model.guest import Mishap
from postcopy.model.network import Reply
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.states import FaultThread, Listen, Preempt
from postcopy.model.qemu_7_2.states import FastEnd


class Destination72(QemuDestination):
    """All of the destination of QEMU 7.2."""

    main_there = Flag("the file of the main connection is set, and a preempt channel is waited for")
    main_accepted = Flag("the connection of this recovery has been accepted")
    stream_freed = Flag(
        "the main thread has closed and freed the file that the listen thread reads, and ends the process"
    )

    answers_ping_of_package = None
    sees_that_load_failed = None
    takes_connection = None
    cannot_identify = None
    stranger_leaves = None
    accepts_fast_as_main = None
    fast_comes_to_nothing = None
    begins_cleanup = None
    cleans_up = None

    # -- the stream and the package ------------------------------------------------------------------------------

    def opens_return_path(self) -> None:
        """begins to read, with preempt once that channel is there, and opens its end of the return path"""
        require(self.fast_there or not self.preempt)
        super().opens_return_path()

    def finishes_device_load(self) -> None:
        """has loaded the devices: RUN is next"""
        Destination.finishes_device_load(self)

    def device_load_fails(self) -> None:
        """cannot load a device: closes the file that the listen thread reads"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        self.observe(Mishap.FAILURE)
        self._frees_stream()

    def refuses_run(self) -> None:
        """finds another state than LISTENING: closes the file that the listen thread reads"""
        require(self.main == Main.RUN)
        require(self.state != State.LISTEN)
        self._frees_stream()

    @action(Destination.main_thread, rule="R23", qemu="migration/migration.c:process_incoming_migration_co")
    def exits(self) -> None:
        """ends the process"""
        require(self.stream_freed)
        self._give_up()

    @action(Destination.listen, qemu="migration/savevm.c:postcopy_ram_listen_thread")
    def reads_freed_stream(self) -> None:
        """goes on with the file that the main thread has freed"""
        require(self.stream_freed and self.listener == Listen.READING)
        self._aborts()

    # -- the listen thread fails, pauses and ends ----------------------------------------------------------------

    def fails(self) -> None:
        """gives up: joins the preempt thread and the fault thread, and the process ends"""
        require(self.listener == Listen.FAILING)
        self._wakes_those_it_joins()
        require(self._may_join())
        super().fails()

    def publishes_paused(self) -> None:
        """sets the state postcopy-paused from postcopy-active. In a recovery it stays postcopy-recover: the thread
        does not wait, and reads from a file that is not there"""
        require(self.listener == Listen.CLOSED)
        if self.recovery == Recovering.NO:
            super().publishes_paused()
        else:
            self._cannot_pause_again()

    def cannot_answer(self) -> None:
        """cannot answer in a recovery, and reads on"""
        require(self._listening() and self._recovers())
        require(self.return_path.broken)
        self.stream.receive(RecoveryCommand.RECV_BITMAP)

    def posts_to_preempt_thread(self) -> None:
        """asserts that the preempt channel is there, and posts to its thread"""
        require(self.listener == Listen.AWAITING)
        if self.fast_there:
            self.wakes_preempt.post()
            self.listener = Listen.READING
        else:
            self._aborts()

    def leaves(self) -> None:
        """joins the preempt thread and the fault thread once the main thread has left, watches for missing pages no
        more, sets the state completed, and leaves"""
        require(self.listener == Listen.ENDING)
        require(self.main == Main.LEFT)
        self._wakes_those_it_joins()
        require(self._may_join())
        self.fast.close()
        self.preempt_at = Preempt.NONE
        self.notified = False
        self.requested = NONE
        self.sensitive = False
        self.faulted = NONE
        self.state = State.END
        self.owes_shut = True
        self.listener = Listen.LEFT

    @action(Destination.listen, rule="R19 R24", qemu="migration/migration.c:migrate_send_rp_shut")
    def sends_shut(self) -> None:
        """tells the source that all has arrived"""
        require(self.owes_shut)
        if self._can_reply():
            self.return_path.send(Reply.SHUT_OK)
        self.owes_shut = False

    # -- the preempt thread --------------------------------------------------------------------------------------

    @action(QemuDestination.preempt_thread, qemu="migration/postcopy-ram.c:postcopy_preempt_thread")
    def reads_end_of_fast(self) -> None:
        """reads the end of its channel, and leaves"""
        require(self.preempt_at == Preempt.READING and self.urgent_unnoted.empty)
        self.fast.receive(FastEnd.EOS)
        self.preempt_at = Preempt.LEFT

    # -- a new connection ----------------------------------------------------------------------------------------

    def operator_pauses(self) -> None:
        """pauses the migration: shuts the main connection down, in postcopy-active only"""
        require(self.recovery == Recovering.NO)
        super().operator_pauses()

    def operator_recovers(self) -> None:
        """lets the destination wait for new connections"""
        super().operator_recovers()
        self.main_accepted = False

    def accepts(self) -> None:
        """accepts a connection, and takes it for what it lacks: the main one first, then that of preempt"""
        require(self.recovery == Recovering.LISTENING)
        require(not self.stream.listening and not self.main_accepted)
        self.main_accepted = True
        if self.main_there:  # of a recovery that has come to nothing: the thread that is woken reads that one
            self.stream.close()
            self.return_path.close()
            self._begins_recovery()
        elif self.preempt:
            self.main_there = True
        else:
            self._begins_recovery()

    @action(QemuDestination.main_loop)
    def loses_main_before_fast(self) -> None:
        """loses the new main connection before that of preempt has come: nothing reads it, so that its file stays"""
        require(self.recovery == Recovering.LISTENING)
        require(self.main_there and self.main_accepted and self.stream.broken)
        self.recovery = Recovering.PAUSED

    def accepts_stranger(self) -> None:
        """accepts a connection that is not the source's, takes it for the main one, and it comes to nothing"""
        require(self.recovery == Recovering.PAUSED or self.recovery == Recovering.LISTENING)
        require(self.stream.listening or self.recovery == Recovering.PAUSED)
        require(not self.main_there)
        self.stream.close()
        self.main_accepted = True
        if self.preempt:
            self.main_there = True
        else:
            self._begins_recovery()

    def accepts_fast_again(self) -> None:
        """accepts the new preempt channel: all connections are there, and the state is postcopy-recover"""
        require(self.recovery == Recovering.LISTENING)
        require(self._fast_is_connected() and self.main_there and self.main_accepted)
        self.listens_fast = False
        self.fast_there = True
        self._begins_recovery()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _begins_recovery(self) -> None:
        """The state is postcopy-recover; posts to the listen thread."""
        if self.return_path.listening:
            self.return_path.connect()
        self.return_path_open = True
        self.recovery = Recovering.RECOVER
        self.main_there = False
        self.main_accepted = False
        self.wakes_listener.post()

    def _frees_stream(self) -> None:
        """The main thread closes the file, and ends the process next."""
        self.stream_freed = True
        self.main = Main.LEFT

    def _ends_or_stays(self) -> None:
        """There is no exit-on-error: the process ends."""
        self._give_up()

    def _cannot_pause_again(self) -> None:
        self._aborts()

    def _may_join(self) -> bool:
        """The preempt thread has left by the end of its channel; the fault thread does not wait for a recovery."""
        no_preempt = self.preempt_at == Preempt.NONE or self.preempt_at == Preempt.LEFT
        return bool(no_preempt and self.fault_at == FaultThread.POLLING)

    def _give_up(self) -> None:
        super()._give_up()
        self.main_there = False
        self.main_accepted = False
        self.stream_freed = False
