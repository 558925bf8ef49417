"""What each message on QEMU's wire is in the model: the one place where that is said.

The table says no rule: whether a message may come, and where, is for the protocol alone.
"""

from __future__ import annotations

from typing import NamedTuple

from postcopy.conformance.qemu.observations import Sent, Taken


class OnTheWire(NamedTuple):
    """A row of the table.

    Attributes:
        qemu: the message in QEMU's words.
        means: the message of the model that it is; None where no protocol has it.
        how: what is made of it, where that is not one for one.
    """

    qemu: str
    means: Sent | None
    how: str = ""


OPEN_RETURN_PATH = Sent("stream", "OPEN_RETURN_PATH")
PING = Sent("stream", "PING")
ADVISE = Sent("stream", "ADVISE")
PAGE = Sent("stream", "PAGE")
URGENT_PAGE = Sent("fast", "PAGE")
DISCARD = Sent("stream", "DISCARD")
PACKAGED = Sent("stream", "PACKAGED")
PRECOPY_END = Sent("stream", "PRECOPY_END")
EOF = Sent("stream", "EOF")
ASK_BITMAP = Sent("stream", "RECV_BITMAP")
RESUME = Sent("stream", "RESUME")
PONG = Sent("return_path", "PONG")
LOADED = Sent("return_path", "LOADED")
LOADS_DEVICES = Taken("destination.finishes_device_load")
"""What lies before the answer to the PING in the package, where the protocol has no message for that answer."""
REQUEST = Sent("return_path", "REQ_PAGES")
SHUT_OK = Sent("return_path", "SHUT_OK")
SHUT_ERROR = Sent("return_path", "SHUT_ERROR")
ENDS_IN_FAILURE = (Taken("destination.gives_up"), Taken("destination.fails"))
"""Where no message says so in the model: the destination has lost the connection in precopy, or its listen thread
gives up. QEMU sends SHUT with an error before its process ends
(migration/migration.c:migration_incoming_state_destroy)."""
CANNOT_LOAD = Taken("destination.host_dies")
"""The same where the destination cannot load what comes before the package: its process ends."""
BITMAP = Sent("return_path", "BITMAP")
RESUME_ACK = Sent("return_path", "RESUME_ACK")

WIRE: tuple[OnTheWire, ...] = (
    OnTheWire("header, configuration, sections, footers, sizes of blocks", None, "framing: what guest there is"),
    OnTheWire("OPEN_RETURN_PATH", OPEN_RETURN_PATH),
    OnTheWire("PING 1", PING),
    OnTheWire("PING of another value", None, "its PONG has to follow it"),
    OnTheWire("POSTCOPY_ADVISE", ADVISE, "the sizes of pages are those of the recording"),
    OnTheWire("page, zero page", PAGE),
    OnTheWire("page on a connection of multifd", PAGE, "as if the stream had carried it, in the order of time"),
    OnTheWire("page on the preempt channel", URGENT_PAGE),
    OnTheWire("POSTCOPY_RAM_DISCARD, all of one switch", DISCARD, "one message, with the pages of all its ranges"),
    OnTheWire("PACKAGED", PACKAGED, "with what is in it: LISTEN, the devices, a PING, RUN"),
    OnTheWire("devices outside of a package, and the end behind them", PRECOPY_END),
    OnTheWire("end of the stream", EOF),
    OnTheWire("a new main connection", None, "the action that connects the stream"),
    OnTheWire("RECV_BITMAP, for each block", ASK_BITMAP, "one message for all blocks: the first"),
    OnTheWire("POSTCOPY_RESUME", RESUME),
    OnTheWire("PONG 1", PONG),
    OnTheWire("PONG of the package's last PING", LOADED, "without such a message: `destination.finishes_device_load`"),
    OnTheWire("PONG of another value", None, "answers a PING of that value, once"),
    OnTheWire("REQ_PAGES, REQ_PAGES_ID", REQUEST),
    OnTheWire("SHUT 0", SHUT_OK),
    OnTheWire(
        "SHUT of another value",
        SHUT_ERROR,
        "or `destination.gives_up`, `destination.fails`, and until a reply shows that the package was read "
        "`destination.host_dies`; behind what the source sends before it reads it",
    ),
    OnTheWire("reply RECV_BITMAP, for each block", BITMAP, "one message for all blocks: the last"),
    OnTheWire("RESUME_ACK", RESUME_ACK),
    OnTheWire("SWITCHOVER_START, SWITCHOVER_ACK", None, "no protocol has them"),
)
"""The table."""

SHOWN: frozenset[Sent] = frozenset(row.means for row in WIRE if row.means is not None)
"""The messages that a recorded wire shows, wherever they are sent."""

INFERRED = (
    "what the guest writes at the source: a page that is sent again, or discarded, was written before",
    "what the guest touches at the destination: a page that is requested was touched before",
    "when a message is received: it is taken as late as the next message of that host allows",
    "when the guest starts at the destination, and where each thread is between two messages",
)
UNSEEN = (
    "whether a page goes out because it was requested: so also whether requested pages come first (R17)",
    "what pages hold",
    "how the hosts end: only SHUT says something of that",
)
