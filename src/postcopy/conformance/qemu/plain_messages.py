"""What messages that are about no page mean: alike for a recording that is judged later, and for bytes as they pass."""

from __future__ import annotations

from typing import NamedTuple

from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Meaning
from postcopy.conformance.qemu.wire_files import PackagePing
from postcopy.engine import messages as m

FIRST_PING = 1

_PLAIN: dict[type, tuple[str, Meaning]] = {
    m.OpenReturnPath: ("OPEN_RETURN_PATH", wire.OPEN_RETURN_PATH),
    m.Advise: ("POSTCOPY_ADVISE", wire.ADVISE),
    m.Packaged: ("PACKAGED", wire.PACKAGED),
    m.Resume: ("POSTCOPY_RESUME", wire.RESUME),
    m.ResumeAck: ("RESUME_ACK", wire.RESUME_ACK),
    m.Eof: ("end of the stream", wire.EOF),
}
REPLIES: dict[type, str] = {
    m.Request: "REQ_PAGES",
    m.Pong: "PONG",
    m.ReceivedBitmap: "reply RECV_BITMAP",
    m.ResumeAck: "RESUME_ACK",
    m.Shut: "SHUT",
    m.SwitchoverAck: "SWITCHOVER_ACK",
}
"""What a destination sends, in QEMU's words."""


class Said(NamedTuple):
    """What a message says.

    Attributes:
        words: it, in QEMU's words.
        means: what it is in the model; None where it is nothing there by itself.
        why: why it cannot come; empty where it can.
    """

    words: str
    means: Meaning | None = None
    why: str = ""


class PlainMessages:
    """Reads the messages of a migration, those of each direction in order.

    Attributes:
        answered: for each block that the destination has answered for on this connection: its received bitmap.
    """

    def __init__(self) -> None:
        self.answered: dict[str, bytes] = {}
        self._asked: list[str] = []
        self._pings: list[int] = []
        self._package_ping: int | None = None
        self._devices = False

    def connects_again(self) -> None:
        """There is a new main connection: blocks may be asked for anew."""
        self._asked, self.answered = [], {}

    def read(self, message: object) -> Said | None:
        """What a message says; None for one that says nothing yet, or is not of this kind."""
        match message:
            case PackagePing(value):
                self._package_ping = value
                self._pings.append(value)
            case m.Ping(value):
                self._pings.append(value)
                return Said("PING 1", wire.PING) if value == FIRST_PING else None
            case m.Pong(value):
                return self._pong(value)
            case m.AskBitmap(block):
                return self._ask(block)
            case m.ReceivedBitmap():
                return self._answer(message)
            case m.Device():
                self._devices = True
            case m.Eof() if self._devices:
                return Said("end of precopy", wire.PRECOPY_END)
            case m.Shut(0):
                return Said("SHUT 0", wire.SHUT_OK)
            case _ if (known := _PLAIN.get(type(message))) is not None:
                return Said(*known)
        return None

    def _pong(self, value: int) -> Said:
        words = f"PONG {value}"
        if value not in self._pings:
            none = "is open: each is answered once" if self._pings else "has come before"
            return Said(words, why=f"no PING {value} {none}")
        self._pings.remove(value)
        if value == FIRST_PING:
            return Said(words, wire.PONG)
        return Said(words, wire.LOADED if value == self._package_ping else None)

    def _ask(self, block: str) -> Said | None:
        if block in self._asked:
            return Said(f"RECV_BITMAP {block}", why="this block has been asked for on this connection already")
        self._asked.append(block)
        return Said("RECV_BITMAP", wire.ASK_BITMAP) if len(self._asked) == 1 else None

    def _answer(self, message: m.ReceivedBitmap) -> Said | None:
        if message.block not in self._asked or message.block in self.answered:
            why = "this block has not been asked for, or answered already"
            return Said(f"reply RECV_BITMAP {message.block}", why=why)
        self.answered[message.block] = message.bitmap
        return None
