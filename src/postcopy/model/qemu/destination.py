"""QEMU's destination host up to the guest's start: the main thread reads the stream and the package.

The main thread is the coroutine that loads the stream (migration/savevm.c); in postcopy it leaves the stream to the
listen thread. What the main loop does beside it, with the big lock, stands in `main_loop`.
"""

from postcopy.language import (
    ALL,
    NONE,
    Bitmap,
    Choice,
    Flag,
    PageSet,
    Receives,
    Semaphore,
    Sends,
    Thread,
    action,
    require,
)
from postcopy.model.changes.preempt import Fast
from postcopy.model.changes.recovery import RecoveringDestination
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.changes.switch import Disk
from postcopy.model.destination import Destination, Main, State
from postcopy.model.guest import Mishap
from postcopy.model.network import Command, Reply
from postcopy.model.qemu.states import (
    Aborted,
    DiscardState,
    FaultThread,
    Listen,
    Loading,
    MainLoop,
    OnPackage,
    Preempt,
    Refusing,
)
from postcopy.model.roles import Role


class LoadingDestination(RecoveringDestination):
    """The main thread of the destination, and what all its threads share."""

    main_loop = Thread("main loop")
    preempt_thread = Thread("preempt thread")

    state = Destination.state.extended(DiscardState, after=State.ADVISE)
    main = Destination.main.extended(Loading, after=Main.PACKAGE)
    recovery = RecoveringDestination.recovery.extended(Refusing)
    listener = Choice("where the listen thread is", Listen.NONE)
    fault_at = Choice("where the fault thread is", FaultThread.POLLING)
    preempt_at = Choice("where the preempt thread is", Preempt.NONE)
    loop = Choice("where the main loop is", MainLoop.FREE)
    run_is_due = Flag("the bottom half that starts the guest is scheduled")
    end_is_due = Flag("the bottom half that cleans up is scheduled")
    load_failed = Flag("the package could not be loaded, and the stream's file says so")
    fast_there = Flag("the preempt channel's file is set")
    fast_failed = Flag("the preempt thread has seen an error of its channel's file")
    listens_fast = Flag("the listener waits for a preempt channel")
    notified = Flag("the fault thread has been notified")
    quitting = Flag("the preempt thread has been asked to leave")
    holds_lock = Flag("the destination holds the lock on the disk")
    requested = Bitmap("pages that have been requested and have not come: QEMU's tree and its count", role=Role.NOTE)
    unnoted = Bitmap("the page that the listen thread has placed and not noted yet", role=Role.NOTE)
    urgent_unnoted = Bitmap("the page that the preempt thread has placed and not noted yet", role=Role.NOTE)
    assembling_urgent = Bitmap("target pages on the preempt channel of a host page that is not whole", role=Role.NOTE)
    asking = Bitmap("requested pages that are to be requested again", role=Role.REQUEST)
    accepted = Semaphore("posts that a preempt channel has been accepted", most=1, saturates=True)
    wakes_listener = Semaphore("posts to the listen thread that there is a connection", most=1, saturates=True)
    wakes_faults = Semaphore("posts to the fault thread that RESUME has come", most=1, saturates=True)
    wakes_preempt = Semaphore("posts to the preempt thread that RESUME has come", most=1, saturates=True)
    fast = Receives("fast")
    lock_taken = Receives("disk")
    lock_given = Sends("disk")

    # -- the stream before the package ---------------------------------------------------------------------------

    @action(main_loop, qemu="migration/postcopy-ram.c:postcopy_preempt_new_channel")
    def accepts_fast_channel(self) -> None:
        """accepts the preempt channel, and posts"""
        require(self.main == Main.STREAM)
        self.fast.receive(Fast.HELLO)
        self.fast_there = True
        self.accepted.post()

    def answers_ping(self) -> None:
        """answers the ping, if it can"""
        require(self.main == Main.STREAM)
        self.stream.receive(Command.PING)
        if self._can_reply():
            self.return_path.send(Reply.PONG)

    def refuses_advise(self) -> None:
        """refuses postcopy, and says so if it can: it has no capability for it, or its host cannot do it"""
        require(self.main == Main.STREAM)
        require(self.state == State.NONE)
        require(not self._can_do_postcopy())
        self.stream.receive(Command.ADVISE)
        if self._can_reply():
            self.return_path.send(Reply.SHUT_ERROR)
        self.observe(Mishap.REFUSAL)
        self._give_up()

    def discards(self) -> None:
        """discards the pages that have been dirtied again: the state is DISCARD"""
        require(self.state == State.ADVISE)
        super().discards()
        self.state = DiscardState.DISCARD

    def reads_package(self) -> None:
        """reads the whole package into memory; with preempt once that channel is there"""
        require(self.main == Main.STREAM)
        require(self.state == State.ADVISE or self.state == DiscardState.DISCARD)
        require(self.fast_there or not self.preempt)
        self.stream.receive(Command.PACKAGED)
        self.main = Main.PACKAGE

    def loads_precopy_end(self) -> None:
        """loads the device state at the end of precopy, and starts the CPUs if the disk can be had"""
        super().loads_precopy_end()
        self.running = self._lock_disk()

    # -- the package ---------------------------------------------------------------------------------------------

    def handles_listen(self) -> None:
        """stores the state LISTENING"""
        require(self.main == Main.PACKAGE)
        self.main = Loading.STARTING if self.state == DiscardState.DISCARD else Loading.PREPARING
        self.state = State.LISTEN

    @action(Destination.main_thread, rule="R9", qemu="migration/postcopy-ram.c:postcopy_ram_prepare_discard")
    def prepares(self) -> None:
        """makes up for the DISCARD that has not come, its state included"""
        require(self.main == Loading.PREPARING)
        self._stores_discard()
        self.main = Loading.STARTING

    @action(Destination.main_thread, rule="R5 R9", qemu="migration/postcopy-ram.c:postcopy_ram_incoming_setup")
    def starts_threads(self) -> None:
        """makes memory sensitive to access and starts the threads of postcopy"""
        require(self.main == Loading.STARTING)
        self.sensitive = True
        if self.locked:
            self.guest.filled_with_zeros(~self.present)
            self.present = ALL
        self.listener = Listen.READING
        if self.preempt:
            self.accepted.wait()  # by the preempt thread; the package has waited for the channel
            self.preempt_at = Preempt.READING
        self.main = Main.DEVICES

    def finishes_device_load(self) -> None:
        """has loaded the devices"""
        super().finishes_device_load()
        self.main = Loading.ANSWERING

    @action(Destination.main_thread, rule="R23", qemu="migration/savevm.c:qemu_loadvm_state_main", environment=True)
    def device_load_fails(self) -> None:
        """cannot load a device, marks the stream's file with the error, and leaves"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        self.observe(Mishap.FAILURE)
        self.load_failed = True
        self.main = Main.LEFT

    @action(Destination.main_thread, qemu="migration/migration.c:migrate_send_rp_pong")
    def answers_ping_of_package(self) -> None:
        """answers the PING behind the devices, if it still can"""
        require(self.main == Loading.ANSWERING)
        if self._can_reply():
            self.return_path.send(OnPackage.LOADED)
        self.main = Main.RUN

    def handles_run(self) -> None:
        """looks whether the state is LISTENING"""
        require(self.main == Main.RUN)
        require(self.state == State.LISTEN)
        self.main = Loading.RUNNING

    @action(Destination.main_thread, qemu="migration/savevm.c:loadvm_postcopy_handle_run")
    def refuses_run(self) -> None:
        """finds another state than LISTENING, marks the stream's file with the error, and leaves"""
        require(self.main == Main.RUN)
        require(self.state != State.LISTEN)
        self.load_failed = True
        self.main = Main.LEFT

    @action(Destination.main_thread, rule="R7 R8 R9 R20", qemu="migration/savevm.c:loadvm_postcopy_handle_run")
    def stores_running(self) -> None:
        """stores the state RUNNING, schedules the guest's start, and leaves"""
        require(self.main == Loading.RUNNING)
        self.state = State.RUNNING
        self.run_is_due = True
        self.main = Main.LEFT

    # -- what the actions share ----------------------------------------------------------------------------------

    def _can_reply(self) -> bool:
        """Whether there is a return path; then it has to have room."""
        can = bool(self.return_path_open and not self.return_path.broken)
        if can:
            require(self.return_path.room())
        return can

    def _stores_discard(self) -> None:
        """The function that prepares for a DISCARD stores the state as well."""
        self.state = DiscardState.DISCARD

    def _lock_disk(self) -> bool:
        """Activates the disk, if no other host has it."""
        if self.disk_lock and not self.holds_lock and self.lock_taken.next_is(Disk.LOCK):
            self.lock_taken.receive(Disk.LOCK)
            self.holds_lock = True
        return bool(self.holds_lock or not self.disk_lock)

    def _aborts(self) -> None:
        """An assertion fails, or a file that is not there is read: the process ends, and the guest with it."""
        self.observe(Aborted.ASSERTION)
        self._give_up()

    def _give_up(self) -> None:
        """The process ends: nothing is left of the migration."""
        super()._give_up()
        self.fast.close()
        if self.holds_lock:
            require(self.lock_given.room())
            self.lock_given.send(Disk.LOCK)
        self.holds_lock = False
        self.listener = Listen.NONE
        self.fault_at = FaultThread.POLLING
        self.preempt_at = Preempt.NONE
        self.loop = MainLoop.FREE
        self.run_is_due = False
        self.end_is_due = False
        self.load_failed = False
        self.fast_there = False
        self.fast_failed = False
        self.listens_fast = False
        self.notified = False
        self.quitting = False
        self.requested = NONE
        self.unnoted = NONE
        self.urgent_unnoted = NONE
        self.assembling_urgent = NONE
        self.asking = NONE
        self.accepted.try_wait()
        self.wakes_listener.try_wait()
        self.wakes_faults.try_wait()
        self.wakes_preempt.try_wait()

    def _arrived(self) -> PageSet:
        """The received bitmap: a page is noted some time after it was placed."""
        return self.present - self.unnoted - self.urgent_unnoted

    def _recovers(self) -> bool:
        return bool(self.recovery == Recovering.RECOVER)
