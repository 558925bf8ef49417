"""The messages of QEMU's wire that the models know, and which of QEMU's each is."""

from __future__ import annotations

from enum import Enum

from postcopy.engine import messages as wire
from postcopy.recording.wire_files import Side

LOADED = 0x42
"""What the PING behind the devices carries since QEMU 11; before that the package's only PING is there."""
OLD_LOADED = 3


class Kind(Enum):
    """A kind of message that the models know."""

    OPEN = "OPEN_RETURN_PATH"
    PING = "PING 1"
    ADVISE = "POSTCOPY_ADVISE"
    PAGE = "pages"
    DISCARD = "POSTCOPY_RAM_DISCARD"
    PACKAGE = "PACKAGED"
    END = "the end of the stream"
    ASK = "RECV_BITMAP"
    RESUME = "POSTCOPY_RESUME"
    PONG = "PONG 1"
    LOADED = "the PONG behind the devices"
    READY = "SWITCHOVER_ACK"
    REQUEST = "REQ_PAGES"
    ARRIVED = "the received bitmaps"
    RESUMED = "RESUME_ACK"
    SHUT = "SHUT"
    SHUT_ERROR = "SHUT with an error"

    @property
    def to(self) -> Side:
        """The side that reads it."""
        return "source" if self in TO_SOURCE else "destination"


TO_SOURCE = frozenset(
    (Kind.PONG, Kind.LOADED, Kind.READY, Kind.REQUEST, Kind.ARRIVED, Kind.RESUMED, Kind.SHUT, Kind.SHUT_ERROR)
)

_ALIKE: dict[type[wire.Message], Kind] = {
    wire.OpenReturnPath: Kind.OPEN,
    wire.Advise: Kind.ADVISE,
    wire.Page: Kind.PAGE,
    wire.Discard: Kind.DISCARD,
    wire.Packaged: Kind.PACKAGE,
    wire.Eof: Kind.END,
    wire.AskBitmap: Kind.ASK,
    wire.Resume: Kind.RESUME,
    wire.SwitchoverAck: Kind.READY,
    wire.Request: Kind.REQUEST,
    wire.ReceivedBitmap: Kind.ARRIVED,
    wire.ResumeAck: Kind.RESUMED,
}


def kind_of(message: wire.Message, loaded: int) -> Kind | None:
    """Which kind a message is of; None for what the models leave out.

    Args:
        loaded: what the PONG behind the devices carries: `loaded_in`.
    """
    match message:
        case wire.Ping(value):
            return Kind.PING if value == 1 else None
        case wire.Pong(value):
            return {1: Kind.PONG, loaded: Kind.LOADED}.get(value)
        case wire.Shut(status):
            return Kind.SHUT_ERROR if status else Kind.SHUT
    return _ALIKE.get(type(message))


def loaded_in(package: wire.Packaged) -> int:
    """What the PING behind the devices carries in this package."""
    ping = wire.Ping(LOADED)
    behind = b"\x08\x00\x02\x00\x04" + ping.written()
    return LOADED if behind in package.data else OLD_LOADED
