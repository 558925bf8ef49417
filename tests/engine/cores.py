"""Two small cores, and how to drive them through a migration by hand."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import State
from postcopy.engine.effects import LoadPages, Output, PlacePages
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Record
from postcopy.engine.messages import (
    Block,
    Device,
    Packaged,
    Page,
    Pong,
    ReceivedBitmap,
    Reply,
    ResumeAck,
    StreamMessage,
)
from postcopy.engine.source import Phase, SourceCore

PAGE = 1024
CPU = Device(3, "cpu", 0, 1, b"registers")


def small(pages: int = 4, group: int = 1) -> Geometry:
    """Two blocks, the second of one host page."""
    last = group * PAGE
    return Geometry([Block("low", pages * PAGE - last), Block("high", last)], PAGE, group * PAGE)


def snapshot(core: SourceCore | DestinationCore) -> dict[str, Any]:
    """All of a core but its log."""
    return {name: deepcopy(value) for name, value in vars(core).items() if name not in ("log", "geometry")}


class Pair:
    """A source and a destination with nothing between them but two lists.

    Args:
        qemu: each takes the other for a QEMU.
        recovery: each recovers the migration after a break.
        preempt: each has a connection for urgent pages, which is made as soon as that may be.
    """

    def __init__(
        self,
        geometry: Geometry | None = None,
        *,
        qemu: bool = False,
        recovery: bool = False,
        preempt: bool = False,
        **destination: Any,
    ) -> None:
        self.geometry = geometry or small()
        self.log: list[Record] = []
        self.source = SourceCore(self.geometry, qemu=qemu, recovery=recovery, preempt=preempt, log=self.log.append)
        self.destination = DestinationCore(
            self.geometry, qemu=qemu, recovery=recovery, preempt=preempt, log=self.log.append, **destination
        )
        self.outputs: list[Output] = []
        self.after_package: list[StreamMessage] = []

    @property
    def steps(self) -> list[str]:
        """What has been done, without what was repeated at once."""
        names = [str(r.step.value) for r in self.log]
        return [a for a, b in zip(names, [None, *names], strict=False) if a != b]

    def deliver(self, messages: Iterable[StreamMessage]) -> list[Output]:
        """Give messages to the thread that reads the stream, and pongs back."""
        found: list[Output] = []
        for message in messages:
            core = self.destination
            listens = core.listening or core.state is State.RECOVERING
            found += (core.receive_listening if listens else core.receive)(message)
        for output in found:
            if isinstance(output, Pong | ReceivedBitmap | ResumeAck):
                self.source.receive(output)
        self.outputs += found
        return found

    def page(self, number: int) -> Page:
        """A page whose bytes tell its number."""
        return Page(*self.geometry.locate(number), bytes([number + 1]) * PAGE)

    def send_pages(self, most: int | None = None) -> list[int]:
        """Send pages until there is none."""
        sent: list[int] = []
        while (most is None or len(sent) < most) and (pages := self.source.next_pages()):
            (number,) = pages
            sent.append(number)
            self.deliver([self.page(number)])
        return sent

    def to_precopy(self) -> None:
        """The opening."""
        self.source.start()
        while (step := self.source.opening) is not None:
            self.deliver(step())
        if self.source.urgent_may_open:
            self.source.open_urgent()
            self.destination.accept_urgent()

    def to_switch(self, dirtied: Iterable[range] = ()) -> None:
        """The opening, all pages once, and the CPUs stopped."""
        self.to_precopy()
        self.send_pages()
        self.source.start_postcopy()
        self.source.cpus_stopped_to_switch(dirtied)

    def to_package(self, dirtied: Iterable[range] = ()) -> None:
        """Up to the package, which the destination has read."""
        self.to_switch(dirtied)
        self.deliver(self.source.send_discards())
        sent = self.source.send_package([CPU])
        package = next(n for n, message in enumerate(sent, start=1) if isinstance(message, Packaged))
        self.deliver(sent[:package])
        self.after_package = sent[package:]

    def to_postcopy(self, dirtied: Iterable[range] = ()) -> None:
        """Up to RUN."""
        self.to_package(dirtied)
        core = self.destination
        self.outputs += core.listen()
        self.outputs += core.next_in_package()
        core.devices_loaded()
        self.outputs += core.run()

    def to_end(self) -> None:
        """From postcopy to the end."""
        self.send_pages()
        self.deliver(self.source.end_postcopy())
        self.outputs += self.destination.end()
        for output in self.destination.shut():
            assert isinstance(output, Reply)
            self.source.receive(output)

    def to_break(self) -> None:
        """The connection breaks, and both notice it."""
        self.source.lose("cut")
        self.destination.lose("cut")

    def to_connection(self) -> None:
        """From a break to a new connection."""
        self.destination.wait_for_connection()
        self.source.reconnect()
        self.destination.accept()

    def to_resumed(self) -> None:
        """From a break to the acknowledgement on a new connection."""
        self.to_connection()
        self.deliver(self.source.ask_what_arrived())
        if self.source.urgent_may_reopen:
            self.source.reopen_urgent()
            self.destination.accept_urgent_again()
        self.deliver(self.source.resume())

    @property
    def memory(self) -> dict[int, bytes | None]:
        """What the effects made of the destination's memory, by page."""
        found: dict[int, bytes | None] = {}
        for output in self.outputs:
            if isinstance(output, LoadPages | PlacePages):
                data = None if output.data is None else bytes(output.data)
                for n, page in enumerate(output.pages):
                    found[page] = None if data is None else data[n * PAGE : (n + 1) * PAGE]
        return found


__all__ = ["CPU", "PAGE", "Pair", "Phase", "small", "snapshot"]
