"""The process of a source that sends pages in the background.

Which pages are sent, and when, its host says, batch by batch; the core has marked them as sent by then. The process
reads them from the guest's memory, looks for those of zeros, frames them and writes them to the connection. So the host
needs its interpreter only for steps of the core, and an urgent page does not wait for a batch.

A batch is under way while the next one waits, so that the process is never idle. A page in one of the two has to be
waited for if the guest asks for it: the batches are small.
"""

from __future__ import annotations

import mmap
import os
import socket
from collections.abc import Iterable

import msgspec

from postcopy.engine.contents import PageContents
from postcopy.engine.errors import ConnectionLost
from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import Block
from postcopy.engine.own_process import Line, OnePerConnection, Start
from postcopy.engine.transport import Connection
from postcopy.engine.writing import StreamWriter

WHAT = "sends pages"
BATCH = 64
"""Pages."""
MOST_UNDER_WAY = 2
"""Batches that the process has at a time."""


class Setup(msgspec.Struct, frozen=True):
    """What the process works on; the memory and the connection come with it as descriptors."""

    blocks: tuple[Block, ...]
    target_page: int
    host_page: int
    timeout: float


class Sent(msgspec.Struct, frozen=True):
    """Batches that are written.

    Attributes:
        size: their bytes.
        zeros: pages of zeros among them.
    """

    size: int = 0
    zeros: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.size + other.size, self.zeros + other.zeros)


class Failed(msgspec.Struct, frozen=True):
    """The connection is lost."""

    why: str


class SendingProcess(OnePerConnection):
    """The source's end.

    Args:
        memory: the descriptor of the guest's memory.
    """

    def __init__(self, geometry: Geometry, memory: int, start: Start) -> None:
        super().__init__(WHAT, start)
        self._geometry, self._memory = geometry, memory
        self._timeout = 0.0
        self._under_way = 0

    def begin(self, connection: Connection) -> None:
        """From here on the process writes to this connection, until `settle` returns.

        Raises:
            ConnectionLost: the process is gone.
        """
        process = self._begin()
        self._under_way, self._timeout = 0, connection.timeout
        geometry = self._geometry
        setup = Setup(geometry.blocks, geometry.target_page, geometry.host_page, connection.timeout)
        process.send(setup, [self._memory, connection.descriptor])

    def send(self, runs: Iterable[range]) -> Sent:
        """Have these pages sent; what has been written since the last call.

        Raises:
            ConnectionLost: the connection is lost, or the process is gone.
        """
        assert self._process is not None
        self._under_way += 1
        try:
            self._process.send([(run.start, len(run)) for run in runs])
        except ConnectionLost:
            return self._answers(0)  # its last word says why
        return self._answers(MOST_UNDER_WAY - 1)

    def settle(self) -> Sent:
        """Wait until all is written; what that was, since the last call.

        Raises:
            ConnectionLost: as `send`.
        """
        return self._answers(0)

    def _answers(self, most_under_way: int) -> Sent:
        assert self._process is not None
        sent = Sent()
        while self._under_way > most_under_way:
            answer = self._process.receive(self._timeout)
            if isinstance(answer, Failed):
                raise ConnectionLost(answer.why)
            self._under_way -= 1
            sent += answer
        return sent


def serve(line: Line) -> None:
    """Send batches until the host hangs up."""
    received = line.receive(None)
    assert received is not None
    setup, (memory, sock) = received
    geometry = Geometry(setup.blocks, setup.target_page, setup.host_page)
    contents = PageContents(mmap.mmap(memory, 0, prot=mmap.PROT_READ), geometry)
    os.close(memory)
    with socket.socket(fileno=sock) as stream:
        _send_batches(line, contents, Connection(stream, setup.timeout))


def _send_batches(line: Line, contents: PageContents, connection: Connection) -> None:
    writer = StreamWriter()
    while (received := line.receive(None)) is not None:
        pages = [p for first, count in received[0] for p in contents.messages(range(first, first + count))]
        try:
            size = connection.send(writer.parts(pages))
        except ConnectionLost as error:
            line.send(Failed(str(error)))
            return
        line.send(Sent(size, sum(p.count for p in pages if p.data is None)))
