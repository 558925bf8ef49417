"""The protocol of the seed document, put together: two hosts, one connection with two directions, one guest."""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from postcopy.language import Channel, Protocol, View
from postcopy.model import destination, guest, network, source
from postcopy.model.guest import Memory
from postcopy.model.network import Command, Reply
from postcopy.model.roles import Role
from postcopy.model.source import Phase


class Postcopy(Protocol):
    """Postcopy live migration as documented in June 2015."""

    source = source.Source
    destination = destination.Destination
    wire = network.Wire
    guest = guest.Guest
    stream = Channel(Command, marks=("stale",), marked=(Command.PAGE,))
    return_path = Channel(Reply)
    roles: ClassVar[Mapping[Enum, Enum]] = {Reply.REQ_PAGES: Role.REQUEST}
    drawn_by = ("source.phase", "destination.state")
    visible: ClassVar[Mapping[Enum | str, tuple[str, ...]]] = {
        Memory.PLACE: ("places",),
        "source.running": ("the guest runs at the source", "the guest stops at the source"),
        "destination.running": ("the guest runs at the destination", "the guest stops at the destination"),
    }

    @staticmethod
    def may_rest(state: View) -> bool:
        """Not yet started; or over at both hosts, and no thread waits."""
        if state.source.phase == Phase.IDLE:
            return True
        over = state.destination.state == destination.State.END or state.destination.state == destination.State.FAILED
        return bool(over and state.source.phase >= Phase.COMPLETED and state.waited_for().empty)
