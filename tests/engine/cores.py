"""Two small cores, and how to drive them through a migration by hand."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from postcopy.engine.destination import DestinationCore, LoadPages, Output, PlacePages
from postcopy.engine.geometry import Geometry
from postcopy.engine.log import Record
from postcopy.engine.messages import Block, Device, Page, Pong, Reply, StreamMessage
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
    """A source and a destination with nothing between them but two lists."""

    def __init__(self, geometry: Geometry | None = None, **destination: Any) -> None:
        self.geometry = geometry or small()
        self.log: list[Record] = []
        self.source = SourceCore(self.geometry, log=self.log.append)
        self.destination = DestinationCore(self.geometry, log=self.log.append, **destination)
        self.outputs: list[Output] = []

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
            found += (core.receive_listening if core.listening else core.receive)(message)
        for output in found:
            if isinstance(output, Pong):
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
        self.deliver(self.source.send_package([CPU]))

    def to_postcopy(self, dirtied: Iterable[range] = ()) -> None:
        """Up to RUN."""
        self.to_package(dirtied)
        core = self.destination
        self.outputs += core.listen()
        self.outputs += core.next_device()
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
