"""Bugs of two connections, and of connections and states that are closed in the wrong order."""

from enum import Enum, auto

from postcopy.language import Channel, Flag, Machine, Page, PageSet, Receives, Sends, Thread, action, require
from postcopy.model.changes.preempt import Preempt, PreemptDestination, PreemptSource
from postcopy.model.changes.switch import LockingSource, SwitchAfterPong, SwitchAtPackageLocked
from postcopy.model.destination import Destination
from postcopy.model.guest import Mishap
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class ClosesFastTooEarly(Preempt):
    """The destination ends with the main stream, while requested pages are still on their way on the preempt
    channel."""

    class destination(PreemptDestination):
        """Counts nothing."""

        def ends(self) -> None:
            """reads the end of the main stream and cleans up"""
            super().ends()

        def _requests_open(self) -> bool:
            return False


class SplitsHostPage(Preempt):
    """A host page that is half sent on the main channel is finished on the preempt channel: neither has all of it."""

    group = 2

    class source(PreemptSource):
        """Does not look where the host page began."""

        def _on_main_channel(self, page: PageSet) -> bool:  # noqa: ARG002
            return False


class LoadsBeforeFastIsReady(Preempt):
    """The package is loaded before the preempt channel has been accepted: the page that the device load waits for comes
    on a channel that only the waiting thread could accept."""

    class destination(PreemptDestination):
        """Does not wait."""

        def reads_package(self) -> None:
            """reads the whole package into memory"""
            Destination.reads_package(self)


class WaitsForFastInListen(LoadsBeforeFastIsReady):
    """LISTEN waits until the preempt channel has been accepted, which its own thread would have to do."""

    class destination(LoadsBeforeFastIsReady.destination):
        """Waits in the wrong place."""

        def handles_listen(self) -> None:
            """waits for the preempt channel, starts the listen thread and makes memory sensitive to access"""
            require(self.fast_ready)
            super().handles_listen()


class WaitsForPongForEver(SwitchAfterPong):
    """When all pages have been sent the source waits for the package's PONG alone, and does not notice that the
    connection has ended."""

    class source(SwitchAfterPong.source):
        """Sleeps on one event."""

        def notices_loss(self) -> None:
            """notices that the connection is gone, unless it waits for the PONG"""
            require(not (self.phase == Phase.POSTCOPY and self.dirty.empty and not self.loaded))
            super().notices_loss()


class UnlocksTooLate(SwitchAtPackageLocked):
    """The source gives up its lock on the disk some time after the package is out."""

    class source(LockingSource):
        """Sends first."""

        def sends_package(self) -> None:
            """sends LISTEN, the device state and RUN in one package"""
            Source.sends_package(self)

        @action(LockingSource.migration, qemu="block.c:bdrv_inactivate_all")
        def unlocks(self) -> None:
            """gives up the lock on the disk"""
            require(self.phase >= Phase.POSTCOPY)
            require(self.holds_lock)
            self._unlock()


class Event(Enum):
    """Events that the source sends to the management layer."""

    STOP = auto()
    POSTCOPY_ACTIVE = auto()
    FAILED = auto()


class Order(Enum):
    """Orders that the management layer sends to the source."""

    CONT = auto()


class ManagedSource(Source):
    """Reports its states as events, and starts its CPUs when it is ordered to."""

    main_thread = Thread("main thread of the source")

    events = Sends("events")
    orders = Receives("orders")

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs and computes the discard set, and says that it has stopped"""
        super().stops_cpus_to_switch()
        self._tell(Event.STOP)

    def sends_package(self) -> None:
        """sends the package, and says that it is in postcopy"""
        super().sends_package()
        self._tell(Event.POSTCOPY_ACTIVE)

    @action(main_thread, qemu="monitor/qmp-cmds.c:qmp_cont")
    def obeys(self) -> None:
        """starts the CPUs, as it was ordered to"""
        self.orders.receive(Order.CONT)
        if self.phase == Phase.FAILED:
            self.running = True

    def _fail(self) -> None:
        super()._fail()
        self._tell(Event.FAILED)

    def _tell(self, event: Event) -> None:
        require(self.events.room())
        self.events.send(event)


class Manager(Machine):
    """The management layer at the source: resumes a guest that was stopped, if the migration fails before postcopy."""

    management = Thread("management")

    stopped = Flag("the guest has been stopped, as far as the management layer knows")
    postcopy = Flag("the migration is in postcopy, as far as the management layer knows")
    events = Receives("events")
    orders = Sends("orders")

    @action(management)
    def hears_stop(self) -> None:
        """hears that the CPUs have stopped"""
        self.events.receive(Event.STOP)
        self.stopped = True

    @action(management)
    def hears_postcopy(self) -> None:
        """hears that the migration is in postcopy"""
        self.events.receive(Event.POSTCOPY_ACTIVE)
        self.postcopy = True

    @action(management)
    def hears_failed(self) -> None:
        """hears that the migration has failed, and lets the guest go on unless it was in postcopy"""
        require(self.orders.room())
        self.events.receive(Event.FAILED)
        if self.stopped and not self.postcopy:
            self.orders.send(Order.CONT)


class ManagementBelievesEvents(Postcopy):
    """The management layer learns from the events whether the migration is in postcopy."""

    source = ManagedSource
    manager = Manager
    events = Channel(Event)
    orders = Channel(Order)


class ManagementSamplesAtStop(ManagementBelievesEvents):
    """The management layer asks for the migration's state when it hears that the CPUs have stopped. That is before
    postcopy begins, and it does not ask again."""

    class manager(Manager):
        """Decides at STOP."""

        def hears_postcopy(self) -> None:
            """hears that the migration is in postcopy, and does not note it"""
            self.events.receive(Event.POSTCOPY_ACTIVE)


class ShutdownAfterError(Postcopy):
    """At the destination the error is noted before the stream is shut down: a reader that gets nothing knows that the
    stream is over."""

    inapplicable = {"both-break-together": "the destination can shut one direction down"}  # noqa: RUF012

    class destination(Destination):
        """Has an operator who may shut its end of the stream down."""

        destination_operator = Thread("destination operator")

        error = Flag("the destination's end of the stream has its error noted")
        shut = Flag("the destination's end of the stream has been shut down")

        @action(destination_operator, qemu="migration/qemu-file.c:qemu_file_set_error", environment=True)
        def notes_error(self) -> None:
            """notes an error of the stream"""
            require(self._listening())
            require(not self.error)
            self._may_note()
            self.error = True

        @action(destination_operator, qemu="migration/qemu-file.c:qemu_file_shutdown", environment=True)
        def shuts_down(self) -> None:
            """shuts the stream down"""
            require(self._listening())
            require(not self.shut)
            self._may_shut()
            self.observe(Mishap.FAILURE)
            self.shut = True
            self.stream.close()

        @action(Destination.listen, qemu="migration/ram.c:ram_load_postcopy")
        def reads_zeros(self, page: Page) -> None:
            """reads nothing from a stream that was shut down, sees no error, and places the zeros in its buffer"""
            require(self._listening())
            require(self.shut)
            require(not self.error)
            require(not self.present[page])
            self.guest.arrived(page, page)
            self._place(page)

        def loses_the_guest(self) -> None:
            """notices that the connection is gone: the guest is lost"""
            require(self.error or not self.shut)
            super().loses_the_guest()

        def _may_note(self) -> None:
            """Any time."""

        def _may_shut(self) -> None:
            require(self.error)

        def _give_up(self) -> None:
            super()._give_up()
            self.error = False
            self.shut = False


class ShutdownBeforeError(ShutdownAfterError):
    """The stream is shut down before its error is noted. A reader in between gets zeros and takes them for a page."""

    class destination(ShutdownAfterError.destination):
        """Shuts the stream down first, and notes the error afterwards."""

        def _may_note(self) -> None:
            require(self.shut)

        def _may_shut(self) -> None:
            """At once."""
