"""libvirt: the manager resumes the source although postcopy has begun, as two events come in another order.

When the guest stopped, the manager looked at the last state that it had heard of: with `postcopy-active` before `STOP`
it knew that the guest had gone. A new option turned the order round, the manager no longer knew, and resumed the guest
after a failure while it ran at the destination (commit eca9d21e6c). The mend notes `postcopy-active` whenever it comes.

    postcopy check examples/libvirt_event_order.py:LooksWhenStopped
    postcopy check examples/libvirt_event_order.py:NotesWhenActive
"""

from enum import Enum

from postcopy.language import EITHER, Channel, Choice, Flag, Machine, Maps, Protocol, Receives, Sends, Thread, View
from postcopy.language import action, always, require

Event = Enum("Event", "STOP POSTCOPY_ACTIVE FAILED")
Phase = Enum("Phase", "PRECOPY STOPPED POSTCOPY FAILED")


class Source(Machine):
    """QEMU at the source. With `pause_before` it stops the guest first, and says later that postcopy has begun."""

    thread = Thread("migration thread")
    pause_before = Flag("the option pause-before-switchover is on", EITHER)
    phase = Choice("how far the source is", Phase.PRECOPY)
    running = Flag("the guest runs at the source", True)
    handed_over = Flag("the guest has been handed over")
    events = Sends("events")

    @action(thread, at=Phase.PRECOPY)
    def stops(self) -> None:
        """stops the guest, and says so"""
        require(self.events.room(2))
        if not self.pause_before:
            self.events.send(Event.POSTCOPY_ACTIVE)
        self.events.send(Event.STOP)
        self.running = False
        self.phase = Phase.STOPPED

    @action(thread, at=Phase.STOPPED)
    def switches(self) -> None:
        """hands the guest over to the destination, where it runs at once"""
        require(self.events.room())
        if self.pause_before:
            self.events.send(Event.POSTCOPY_ACTIVE)
        self.handed_over = True
        self.phase = Phase.POSTCOPY

    @action(thread, environment=True, at=(Phase.STOPPED, Phase.POSTCOPY))
    def fails(self) -> None:
        """fails, and says so"""
        require(self.events.room() and (self.handed_over or self.pause_before))
        self.events.send(Event.FAILED)
        self.phase = Phase.FAILED


class Manager(Machine):
    """libvirt at the source: it believes what the events say."""

    loop = Thread("manager")
    active = Flag("the manager has heard that postcopy is active")
    gone = Flag("the manager believes that the guest has gone")
    events = Receives("events")
    qemu = Maps("source", "running")  # the command to resume is carried out at once

    @action(loop)
    def hears_active(self) -> None:
        """hears that postcopy is active"""
        self.events.receive(Event.POSTCOPY_ACTIVE)
        self.active = True

    @action(loop)
    def hears_stop(self) -> None:
        """hears that the guest has stopped, and looks whether that is for postcopy"""
        self.events.receive(Event.STOP)
        self.gone = self.active

    @action(loop)
    def hears_failure(self) -> None:
        """hears that the migration has failed, and resumes the guest unless it has gone"""
        self.events.receive(Event.FAILED)
        if not self.gone:
            self.qemu.running = True


class CarefulManager(Manager):
    """Takes the guest for gone if postcopy has been active, in whatever order it heard."""

    def hears_failure(self) -> None:
        """hears that the migration has failed, and resumes the guest unless postcopy has been active"""
        self.gone = self.active
        super().hears_failure()


@always("The source's guest stands still after the handover")
def stays_stopped(state: View) -> bool:
    """Its guest runs at the destination, on the same disks."""
    return not (state.source.handed_over and state.source.running)


class LooksWhenStopped(Protocol):
    """Wrong: what has happened is read off the order of two events."""

    source, manager, events = Source, Manager, Channel(Event, capacity=3)
    properties = (stays_stopped,)

    @staticmethod
    def may_rest(state: View) -> bool:
        """The guest runs somewhere, and all has been heard."""
        return bool((state.source.handed_over or state.source.running) and state.events.empty)


class NotesWhenActive(LooksWhenStopped):
    """Right: postcopy is noted whenever it is heard of."""

    manager = CarefulManager
