"""QEMU's preempt channel and a semaphore: a count that is left over from a recovery that broke.

A destination that recovers accepts a main connection and a preempt connection, and the second posts a semaphore. On
RESUME it waits for it. If a recovery breaks between the two, both connections go and the count stays; in the next
recovery the wait passes at once, and the destination aborts with its guest. The mend takes the count back.

    postcopy check examples/qemu_preempt_count.py:CountStays
    postcopy check examples/qemu_preempt_count.py:CountIsDrained
"""

from enum import Enum, IntEnum

from postcopy.language import Channel, Choice, Flag, Machine, Network, Protocol, Receives, Semaphore, Sends, Thread
from postcopy.language import View, action, always, require

Command = Enum("Command", "RESUME")
State = IntEnum("State", "PAUSED RECOVERING RUNNING ABORTED")


class Source(Machine):
    """Connects, and says RESUME. That it also makes the preempt connection is not of interest here."""

    thread = Thread("migration thread")
    stream = Sends("stream")

    @action(thread)
    def connects(self) -> None:
        """makes the main connection anew"""
        self.stream.connect()

    @action(thread)
    def says_resume(self) -> None:
        """says RESUME; the preempt connection may not be accepted yet"""
        require(not self.stream.broken and self.stream.room())
        self.stream.send(Command.RESUME)


class Destination(Machine):
    """Accepts both connections; the listen thread reads RESUME."""

    listen = Thread("listen thread")
    accept = Thread("main thread")
    state = Choice("the state of the destination", State.PAUSED)
    preempt = Flag("the preempt connection stands")
    accepted = Semaphore("preempt connections that have been accepted", most=2, saturates=True)
    stream = Receives("stream")

    @action(accept, at=State.PAUSED)
    def waits_for_connections(self) -> None:
        """waits for new connections"""
        self.stream.listen()
        self.state = State.RECOVERING

    @action(accept, at=State.RECOVERING)
    def accepts_preempt(self) -> None:
        """accepts the preempt connection"""
        require(not self.preempt and not self.stream.broken)
        self.preempt = True
        self.accepted.post()

    @action(listen, at=State.RECOVERING)
    def resumes(self) -> None:
        """reads RESUME, waits for the preempt connection and takes it for granted"""
        self.stream.receive(Command.RESUME)
        self.accepted.wait()
        self.state = State.RUNNING if self.preempt else State.ABORTED

    @action(listen, at=State.RECOVERING)
    def pauses(self) -> None:
        """notices that the connection is broken, and pauses"""
        require(self.stream.broken and not self.stream.listening)
        self.preempt = False
        self.state = State.PAUSED


class Draining(Destination):
    """Forgets connections that have been accepted and are gone."""

    def pauses(self) -> None:
        """notices that the connection is broken, takes the count back and pauses"""
        super().pauses()
        self.accepted.try_wait()


class Wire(Machine):
    """The main connection breaks now and then."""

    network = Thread("network")
    stream = Network("stream")

    @action(network, environment=True)
    def breaks(self) -> None:
        """breaks the connection, and what is on it is lost"""
        require(not self.stream.broken)
        self.stream.close()
        self.stream.drop_newest()


@always("The destination does not abort")
def no_abort(state: View) -> bool:
    """It asserts that the preempt connection is there, and the guest dies with it."""
    return bool(state.destination.state != State.ABORTED)


class CountStays(Protocol):
    """Wrong: the count of a recovery that broke stays."""

    source, destination, wire, stream = Source, Destination, Wire, Channel(Command, reconnects=True)
    properties = (no_abort,)

    @staticmethod
    def may_rest(state: View) -> bool:
        """The guest goes on, or has died."""
        return bool(state.destination.state >= State.RUNNING)


class CountIsDrained(CountStays):
    """Right: it is taken back."""

    destination = Draining
