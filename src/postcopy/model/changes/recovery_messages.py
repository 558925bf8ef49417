"""What the two hosts say to each other in recovery, and where each of them is in it."""

from enum import Enum, auto

from postcopy.language import Flag, Monitor, Step
from postcopy.model.guest import Mishap


class RecoveryCommand(Enum):
    """What the source asks on a new connection."""

    RECV_BITMAP = auto()
    RESUME = auto()


class RecoveryReply(Enum):
    """What the destination answers."""

    BITMAP = auto()
    """Its pages are those that have arrived."""
    RESUME_ACK = auto()


class Recovering(Enum):
    """Where a host is in recovery."""

    NO = auto()
    PAUSED = auto()
    LISTENING = auto()
    """The destination waits for a new connection."""
    RECOVER = auto()
    """There is a new connection, and it is not yet known what has arrived."""
    ASKED = auto()
    RELOADED = auto()
    """The source's bitmap is right again."""
    RESUMING = auto()
    """The source waits for the acknowledgement."""


class Outlived(Monitor):
    """Remembers whether the guest has run at the destination, and whether a host has died or refused."""

    started = Flag("the guest has run at the destination")
    died = Flag("a host has died, or refused")

    def watch(self, step: Step) -> None:
        """Look at the destination's CPUs, and for failures that are not the network's."""
        if step.after.destination.running:
            self.started = True
        if step.happened(Mishap.FAILURE) or step.happened(Mishap.REFUSAL):
            self.died = True
