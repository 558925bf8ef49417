"""The switch itself: who may run the guest when something fails while the destination loads the package (A01).

Three ways to hand over, each with and without a disk that only one host can lock. The source decides between two
evils: to start its guest again although the destination may have started it, or to leave it stopped although the
destination never will.
"""

from enum import Enum, auto

from postcopy.language import Channel, Flag, Monitor, Receives, Sends, Step, View, action, always, require, sometimes
from postcopy.model.changes.change import Change
from postcopy.model.destination import Destination, Main, State
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class SwitchReply(Enum):
    """What the return path carries beside the document's replies."""

    LOADED = auto()
    """The PONG to a PING in the package, between the device state and RUN."""
    RUN_ACK = auto()
    """The destination is ready to run."""


class Disk(Enum):
    """The lock on the guest's disk: on its channel while no host holds it."""

    LOCK = auto()


class Switch(Monitor):
    """Remembers how far the switch has come."""

    begun = Flag("the package has been sent")
    loaded = Flag("the devices have been loaded at the destination")
    started = Flag("the guest has run at the destination")

    def watch(self, step: Step) -> None:
        """Look at the package and at the destination."""
        if step.sends(Command.PACKAGED):
            self.begun = True
        if step.after.destination.devices_loaded:
            self.loaded = True
        if step.after.destination.running:
            self.started = True


def _nobody_runs(state: View) -> bool:
    """Both hosts have given up; the source's host still stands."""
    given_up = state.destination.state == State.FAILED and state.source.phase == Phase.FAILED
    return bool(given_up and not state.source.running)


@always("A failure while the devices are loaded costs no guest", rules="R15", monitor=Switch)
def loading_costs_no_guest(state: View) -> bool:
    """The source has all of the guest and the destination had not even loaded its devices; yet no host runs the guest,
    and none is going to."""
    return not (state.Switch.begun and not state.Switch.loaded and _nobody_runs(state))


@always("A failure before the destination's CPUs start costs no guest", rules="R15", monitor=Switch)
def switch_costs_no_guest(state: View) -> bool:
    """The guest has never run at the destination, so that the source's is the newest; yet no host runs the guest, and
    none is going to."""
    return not (state.Switch.begun and not state.Switch.started and _nobody_runs(state))


@always("A guest that has run at the destination does not run at the source again", rules="R15", monitor=Switch)
def no_way_back(state: View) -> bool:
    """The guest has run at the destination, talked to the network and written to its disk from there; at the source it
    goes on from where it was before."""
    return not (state.Switch.started and state.source.running)


@sometimes("The source takes the guest back after the package was sent", rules="R15", monitor=Switch)
def taken_back(state: View) -> bool:
    """The longer switch exists so that this can happen."""
    return bool(state.source.phase == Phase.FAILED and state.source.running and state.Switch.begun)


class SwitchAtPackage(Change):
    """As the document has it: with the package the source gives the guest away for good."""

    origin = "the document; QEMU 2015 to 2025; A01"
    properties = (loading_costs_no_guest, switch_costs_no_guest, no_way_back)
    breaks = ("loading-costs-no-guest", "switch-costs-no-guest")


class SwitchAfterPong(Change):
    """The package has a PING between the devices and RUN. Until its PONG the source may take the guest back.

    The last message may be the one that is lost: then the destination runs the guest, and the source takes it back.
    """

    origin = "QEMU 7b842fe354 (2025), POSTCOPY_DEVICE; A01"
    properties = (loading_costs_no_guest, switch_costs_no_guest, no_way_back, taken_back)
    breaks = (
        "no-two-guests",
        "no-way-back",
        "switch-costs-no-guest",
        "nothing-stale-at-start",
        "no-stale-read",
    )
    return_path = Postcopy.return_path.extended(SwitchReply.LOADED)

    class source(Source):
        """Knows when the destination has loaded the package."""

        loaded = Flag("the destination has loaded the devices")

        @action(Source.return_path_thread, qemu="migration/migration.c:source_return_path_thread")
        def receives_loaded(self) -> None:
            """receives the PONG of the package: the devices are loaded"""
            require(self.phase < Phase.COMPLETED)
            self.return_path.receive(SwitchReply.LOADED)
            self.loaded = True

        def ends_postcopy(self) -> None:
            """ends the stream: nothing is dirty, no request is open, the package is loaded"""
            require(self.loaded)
            super().ends_postcopy()

        def _fail(self) -> None:
            """The guest goes on here unless the destination may start it."""
            back = self.phase < Phase.POSTCOPY or (self.phase == Phase.POSTCOPY and not self.loaded)
            super()._fail()
            self.running = back

    class destination(Destination):
        """Answers the package's PING before RUN."""

        answered = Flag("the PING of the package has been answered")

        @action(Destination.main_thread, qemu="migration/migration.c:migrate_send_rp_pong")
        def answers_ping_of_package(self) -> None:
            """answers the PING of the package, if it still can"""
            require(self.main == Main.RUN)
            require(not self.answered)
            if not self.return_path.broken:
                require(self.return_path.room())
                self.return_path.send(SwitchReply.LOADED)
            self.answered = True

        def handles_run(self) -> None:
            """starts the CPUs and leaves migration to the listen thread"""
            require(self.answered)
            super().handles_run()


class SwitchAfterAcknowledgement(Change):
    """RUN is not in the package. The destination says that it is ready, and the source sends RUN then, and only then
    gives the guest away."""

    origin = "the RFC of 2025-08-07 (20250807114922.1013286-1-jmarcin@redhat.com), not merged; A01"
    properties = (loading_costs_no_guest, switch_costs_no_guest, no_way_back, taken_back)
    breaks = ("switch-costs-no-guest",)
    inapplicable = {  # noqa: RUF012
        "threads-do-their-own-work": "RUN is not in the package: the listen thread receives it"
    }
    return_path = Postcopy.return_path.extended(SwitchReply.RUN_ACK)

    class source(Source):
        """Sends RUN when it is asked to."""

        ready = Flag("the destination has said that it is ready to run")
        committed = Flag("RUN has been sent")

        @action(Source.return_path_thread)
        def receives_run_ack(self) -> None:
            """receives the destination's word that it is ready to run"""
            require(self.phase < Phase.COMPLETED)
            self.return_path.receive(SwitchReply.RUN_ACK)
            self.ready = True

        @action(Source.migration, rule="R7")
        def sends_run(self) -> None:
            """gives the guest away and sends RUN"""
            require(self.phase == Phase.POSTCOPY)
            require(self.ready)
            require(not self.committed)
            self._ready_to_send()
            self.stream.send(Command.RUN)
            self.committed = True

        def ends_postcopy(self) -> None:
            """ends the stream: nothing is dirty, no request is open, RUN is out"""
            require(self.committed)
            super().ends_postcopy()

        def _fail(self) -> None:
            """The guest goes on here unless RUN is out."""
            back = self.phase < Phase.POSTCOPY or (self.phase == Phase.POSTCOPY and not self.committed)
            super()._fail()
            self.running = back

    class destination(Destination):
        """Starts the CPUs when the source says so."""

        ready = Flag("the destination has reported that its CPUs may start")

        @action(Destination.main_thread)
        def sends_run_ack(self) -> None:
            """tells the source that it is ready to run"""
            require(self.main == Main.RUN)
            require(not self.ready)
            self._ready_to_reply()
            self.return_path.send(SwitchReply.RUN_ACK)
            self.ready = True

        @action(Destination.listen, rule="R7 R8 R9 R20")
        def handles_run(self) -> None:
            """receives RUN and starts the CPUs"""
            require(self.ready)
            self.stream.receive(Command.RUN)
            super().handles_run()

        def _run_is_due(self) -> bool:
            return self.stream.next_is(Command.RUN)


class LockingSource(Source):
    """Gives the lock away before the package, and needs it to take the guest back."""

    holds_lock = Flag("the source holds the lock on the disk", True)
    lock_taken = Receives("disk")
    lock_given = Sends("disk")

    def sends_package(self) -> None:
        """gives up the lock on the disk, and sends the package"""
        super().sends_package()
        self._unlock()

    def ends_precopy(self) -> None:
        """gives up the lock on the disk, and sends the device state and the end of the stream"""
        super().ends_precopy()
        self._unlock()

    def host_dies(self) -> None:
        """dies, and its end of the connection and its lock on the disk with it"""
        super().host_dies()
        self._unlock()

    def _unlock(self) -> None:
        if self.holds_lock:
            require(self.lock_given.room())
            self.lock_given.send(Disk.LOCK)
            self.holds_lock = False

    def _fail(self) -> None:
        """Without the lock the guest does not start."""
        super()._fail()
        if self.running and not self.holds_lock:
            if self.lock_taken.next_is(Disk.LOCK):
                self.lock_taken.receive(Disk.LOCK)
                self.holds_lock = True
            else:
                self.running = False


class LockingDestination(Destination):
    """Takes the lock when it starts the CPUs, and cannot start them without."""

    holds_lock = Flag("the destination holds the lock on the disk")
    lock_taken = Receives("disk")
    lock_given = Sends("disk")

    def handles_run(self) -> None:
        """locks the disk and starts the CPUs"""
        super().handles_run()
        self._lock()

    def loads_precopy_end(self) -> None:
        """loads the device state at the end of precopy, locks the disk and starts the CPUs"""
        super().loads_precopy_end()
        self._lock()

    @action(Destination.main_thread, qemu="block.c:bdrv_activate_all")
    def cannot_lock(self) -> None:
        """cannot lock the disk, and gives up"""
        require(self.main == Main.RUN)
        require(self._run_is_due())
        require(self.lock_taken.empty)
        self._give_up()

    def _run_is_due(self) -> bool:
        return True

    def _lock(self) -> None:
        self.lock_taken.receive(Disk.LOCK)
        self.holds_lock = True

    def _give_up(self) -> None:
        """The lock of a process that is gone is free."""
        super()._give_up()
        if self.holds_lock:
            require(self.lock_given.room())
            self.lock_given.send(Disk.LOCK)
            self.holds_lock = False


class SwitchAtPackageLocked(SwitchAtPackage):
    """As the document has it, with a disk that only one host can lock. The lock changes nothing, because the source
    never takes the guest back."""

    disk = Channel(Disk)
    source = LockingSource
    destination = LockingDestination


class SwitchAfterPongLocked(SwitchAfterPong):
    """The PING in the package, with a disk that only one host can lock: never do two guests run at the same time.

    But where the destination has started the guest and dies, its lock is free: a source that has not seen the PONG
    takes the guest back, to what it was before the destination ran it.
    """

    breaks = ("no-way-back", "switch-costs-no-guest")
    disk = Channel(Disk)

    class source(LockingSource, SwitchAfterPong.source):
        """Locks, and knows when the package is loaded."""

    class destination(LockingDestination, SwitchAfterPong.destination):
        """Locks, and answers the PING."""


class SwitchAfterAcknowledgementLocked(SwitchAfterAcknowledgement):
    """RUN after an acknowledgement, with a disk that only one host can lock: the lock has nothing to prevent."""

    disk = Channel(Disk)

    class source(LockingSource, SwitchAfterAcknowledgement.source):
        """Locks, and sends RUN when it is asked to."""

    class destination(LockingDestination, SwitchAfterAcknowledgement.destination):
        """Locks, and waits for RUN."""

        def _run_is_due(self) -> bool:
            return self.stream.next_is(Command.RUN)
