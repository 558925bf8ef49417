"""The wire between the two hosts: what the stream and the return path carry, and what the network may do to them.

One connection carries both directions, as the document has it; each is a bounded FIFO. A connection that breaks loses
some newest messages of each direction, possibly none and possibly all; what came before them can still be read.
"""

from enum import Enum, auto

from postcopy.language import Flag, Machine, Network, Thread, action, require


class Command(Enum):
    """What travels from source to destination."""

    OPEN_RETURN_PATH = auto()
    PING = auto()
    ADVISE = auto()
    PAGE = auto()
    DISCARD = auto()
    PACKAGED = auto()
    LISTEN = auto()
    """Sent on its own only where a fault unpacks the package; so are DEVICE and RUN."""
    DEVICE = auto()
    RUN = auto()
    PRECOPY_END = auto()
    """The device state and the end of a migration that never left precopy."""
    EOF = auto()


class Reply(Enum):
    """What travels from destination to source, on the return path (R19)."""

    PONG = auto()
    REQ_PAGES = auto()
    SHUT_OK = auto()
    SHUT_ERROR = auto()


class Wire(Machine):
    """The network, which may fail at any moment (R15)."""

    network = Thread("network")

    failed = Flag("the network lost the connection")
    stream = Network("stream")
    return_path = Network("return_path")

    @action(network, rule="R15", environment=True)
    def loses_the_connection(self) -> None:
        """loses the connection, in both directions at once"""
        require(not self.stream.broken)
        self.failed = True
        self.stream.close()
        self.return_path.close()

    @action(network, rule="R15", environment=True)
    def loses_newest_on_stream(self) -> None:
        """loses the newest message still on its way to the destination"""
        require(self.failed)
        require(not self.stream.empty)
        self.stream.drop_newest()

    @action(network, rule="R15", environment=True)
    def loses_newest_on_return_path(self) -> None:
        """loses the newest message still on its way to the source"""
        require(self.failed)
        require(not self.return_path.empty)
        self.return_path.drop_newest()
