"""A protocol with an option, and wrong ones: packets are sealed, or are not, and both ends know."""

from __future__ import annotations

from enum import Enum, auto
from typing import ClassVar

from postcopy.language import (
    Bitmap,
    Channel,
    Flag,
    LeadsTo,
    Machine,
    Option,
    Page,
    Property,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    always,
    eventually,
    require,
)


class Packet(Enum):
    """What is sent."""

    PLAIN = auto()
    SEALED = auto()


class Sender(Machine):
    """Sends each page once, sealed where that is agreed."""

    thread = Thread("sender")

    wire = Sends("wire")
    sent = Bitmap("pages sent")

    @action(thread)
    def sends(self, page: Page) -> None:
        """sends a page"""
        require(not self.sent[page])
        require(self.wire.room())
        self.sent |= page
        if self.sealing:
            self.wire.send(Packet.SEALED, page)
        else:
            self.wire.send(Packet.PLAIN, page)


class Receiver(Machine):
    """Takes what the option says, and fails on all else."""

    thread = Thread("receiver")

    wire = Receives("wire")
    got = Bitmap("pages received")
    failed = Flag("the receiver has failed")

    @action(thread)
    def takes_plain(self) -> None:
        """takes a plain packet"""
        message = self.wire.receive(Packet.PLAIN)
        self.got |= message.pages
        if self._expects_sealed():
            self.failed = True

    @action(thread)
    def takes_sealed(self) -> None:
        """takes a sealed packet"""
        message = self.wire.receive(Packet.SEALED)
        self.got |= message.pages
        if not self._expects_sealed():
            self.failed = True

    def _expects_sealed(self) -> bool:
        return self.sealing  # type: ignore[no-any-return]


@always("The receiver understands the sender")
def understands(state: View) -> bool:
    """The receiver has got a packet of the other form."""
    return not state.receiver.failed


@always("No packet on its way has the other form")
def in_form(state: View) -> bool:
    """A packet is on its way that is not as the option says."""
    return not state.wire.carries(Packet.PLAIN if state.sealing else Packet.SEALED)


@eventually("Each page arrives")
def arrives(state: View, page: Page) -> LeadsTo:
    """It never does."""
    return LeadsTo(when=True, then=bool(state.receiver.got[page]))


class Sealing(Protocol):
    """Both ends know from the start whether packets are sealed."""

    sender: type[Sender] = Sender
    receiver: type[Receiver] = Receiver
    wire = Channel(Packet)
    sealing = Option("packets are sealed")
    properties: ClassVar[tuple[Property, ...]] = (understands, in_form, arrives)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.receiver.got.full)


class ReceiverForgets(Sealing):
    """The receiver expects sealed packets whatever was agreed."""

    class receiver(Receiver):
        """Does not ask the option."""

        def _expects_sealed(self) -> bool:
            return True


class AlwaysSealed(ReceiverForgets):
    """The option is on, so that it does no harm that the receiver forgets it."""

    sealing = Option("packets are sealed", True)


class NeverSealed(ReceiverForgets):
    """The option is off, so that it always does harm."""

    sealing = Option("packets are sealed", False)


class ReceiverStalls(Sealing):
    """Where packets are not sealed, the receiver counts for ever, and takes none."""

    class receiver(Receiver):
        """Its thread has something else to do."""

        counting = Thread("counter")
        odd = Flag("the receiver has counted to an odd number")

        @action(counting)
        def counts(self) -> None:
            """counts on"""
            require(not self.sealing)
            self.odd = not self.odd

        def takes_plain(self) -> None:
            """takes a plain packet, which it would do if packets were sealed"""
            require(self.sealing)
            super().takes_plain()
