"""Cloud Hypervisor's postcopy: the source resumes its guest after it has said that the migration is complete.

The source pauses the guest and sends its state, and then `complete`; from then on the guest runs at the destination,
which pulls its pages over a connection of its own. The rule for errors was older than postcopy: whatever goes wrong,
the source resumes its guest. So when the connection breaks after `complete`, two guests run (pull request 8890). The
mend is a point of no return: after `complete` the source does not resume. There are no pages in this protocol.

    postcopy check examples/cloud_hypervisor_resume.py:ResumesOnEveryError
    postcopy check examples/cloud_hypervisor_resume.py:ResumesUntilComplete
"""

from enum import Enum

from postcopy.language import Channel, Choice, Flag, Machine, Network, Protocol, Receives, Sends, Thread, View
from postcopy.language import action, always, require

Message = Enum("Message", "STATE COMPLETE")
Phase = Enum("Phase", "RUNNING SENDING COMPLETE FAILED")


class Source(Machine):
    """Sends the guest's state."""

    thread = Thread("migration thread")
    phase = Choice("how far the source is", Phase.RUNNING)
    running = Flag("the guest runs at the source", True)
    stream = Sends("stream")

    @action(thread, at=Phase.RUNNING)
    def pauses(self) -> None:
        """pauses the guest, and sends its state"""
        require(self.stream.room() and not self.stream.broken)
        self.running = False
        self.stream.send(Message.STATE)
        self.phase = Phase.SENDING

    @action(thread, at=Phase.SENDING)
    def completes(self) -> None:
        """says that the migration is complete"""
        require(self.stream.room() and not self.stream.broken)
        self.stream.send(Message.COMPLETE)
        self.phase = Phase.COMPLETE

    @action(thread)
    def notices_error(self) -> None:
        """notices that the connection is broken, and resumes the guest"""
        require(self.stream.broken and self.phase != Phase.FAILED)
        self.phase = Phase.FAILED
        self.running = True


class CarefulSource(Source):
    """Knows its point of no return."""

    def notices_error(self) -> None:
        """notices that the connection is broken, and resumes the guest unless the migration is complete"""
        require(self.stream.broken and self.phase != Phase.FAILED)
        if self.phase != Phase.COMPLETE:
            self.running = True
        self.phase = Phase.FAILED


class Destination(Machine):
    """Takes the guest over."""

    thread = Thread("receiver")
    running = Flag("the guest runs at the destination")
    stream = Receives("stream")

    @action(thread)
    def loads(self) -> None:
        """loads the state"""
        self.stream.receive(Message.STATE)

    @action(thread)
    def starts(self) -> None:
        """starts the guest: the migration is complete"""
        self.stream.receive(Message.COMPLETE)
        self.running = True


class Wire(Machine):
    """The connection can break. What it has carried still arrives."""

    network = Thread("network")
    stream = Network("stream")

    @action(network, environment=True)
    def breaks(self) -> None:
        """breaks the connection"""
        require(not self.stream.broken)
        self.stream.close()


@always("Never do two guests run")
def no_two_guests(state: View) -> bool:
    """Both write to the same disks."""
    return not (state.source.running and state.destination.running)


class ResumesOnEveryError(Protocol):
    """Wrong: the rule of a migration without postcopy."""

    source, destination, wire, stream = Source, Destination, Wire, Channel(Message)
    properties = (no_two_guests,)

    @staticmethod
    def may_rest(state: View) -> bool:
        """The source has done what it can, and all has been read."""
        return bool(state.source.phase not in (Phase.RUNNING, Phase.SENDING) and state.stream.empty)


class ResumesUntilComplete(ResumesOnEveryError):
    """Right: after `complete` the source does not resume."""

    source = CarefulSource
