"""The process of a destination that reads the stream in postcopy and places its pages.

It reads what arrives, and says which pages came, before it places any. The host asks its core about each run of them,
and says go; the process places that run, and says when that was. What is no page the process hands over as it is. So
the host needs its interpreter only for steps of the core, and an urgent page does not wait for a batch.

The order of the records is that of threads in one process: the core takes the step, then the page is placed and wakes
the guest. Where a process dies with pages that it was told to place, the guest is lost: the core counts them as here.
"""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress

import msgspec

from postcopy.engine.errors import ConnectionLost, EngineError, GuestError, RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.memory import MOST_PLACED, KernelDestinationMemory, MappedGuest
from postcopy.engine.messages import Block, Contents, Page, Pages, StreamMessage
from postcopy.engine.own_process import MOST_BYTES, Line, OnePerConnection, Start
from postcopy.engine.parsing import StreamParser
from postcopy.engine.stream_reader import still, take_in
from postcopy.engine.transport import Connection

WHAT = "places pages"
MOST_RUNS = 64
"""Runs of pages of which the host is told at a time."""
STOP = None
"""What the host says instead of go."""


class Setup(msgspec.Struct, frozen=True):
    """What the process works on; memory, userfaultfd, connection and parser come with it as descriptors."""

    address: int
    guest: int
    blocks: tuple[Block, ...]
    target_page: int
    host_page: int
    timeout: float


class Run(msgspec.Struct, frozen=True):
    """Neighbouring pages whose contents the process holds."""

    block: str
    offset: int
    count: int
    zero: bool


Placed = tuple[int, int, float]
"""The first page of a run, how many there are, and when they were placed: of the clock of `time.perf_counter`."""


class Arrived(msgspec.Struct, frozen=True):
    """What has come since the last word.

    Attributes:
        placed: the runs that were placed since the last word.
        runs: have come; the process waits for the word about each, in order.
        other: a message that came behind them and is no page, or not a whole host page.
    """

    placed: list[Placed]
    runs: list[Run]
    other: StreamMessage | None


class Ended(msgspec.Struct, frozen=True):
    """The last word.

    Attributes:
        error: why, where it was not the host's word.
    """

    placed: list[Placed]
    error: EngineError | None = None


class Held(msgspec.Struct, frozen=True):
    """Pages of the stream whose contents the process holds.

    Attributes:
        message: stands for them: the pages, with other contents.
    """

    message: Pages


class PlacingProcess(OnePerConnection):
    """The destination's end.

    Args:
        guest: its memory is under userfaultfd.
    """

    def __init__(self, guest: MappedGuest, start: Start) -> None:
        super().__init__(WHAT, start)
        self._geometry = guest.geometry
        self._descriptors = (guest.memfd, guest.descriptors[0])
        self._address, self._guest = guest.address, guest.pid
        self._blank = memoryview(bytes(MOST_PLACED * guest.geometry.target_page))
        self._note: Callable[[range, float], None] = lambda _pages, _at: None
        self._ended = False
        self._timeout = 0.0
        self._arrived: deque[StreamMessage | Held] = deque()
        self._under_way = 0

    def begin(
        self, connection: Connection, parser: StreamParser, timeout: float, note: Callable[[range, float], None]
    ) -> None:
        """From here on the process reads from this connection.

        Args:
            parser: what it has read so far, and what the next bytes mean.
            timeout: seconds that the stream may stand still.
            note: is told of pages that were placed, and when (`time.perf_counter`).

        Raises:
            ConnectionLost: the process is gone.
        """
        process = self._begin()
        self._ended, self._timeout, self._note = False, timeout, note
        self._arrived.clear()
        self._under_way = 0
        geometry = self._geometry
        setup = Setup(
            self._address,
            self._guest,
            geometry.blocks,
            geometry.target_page,
            geometry.host_page,
            timeout,
        )
        state = os.memfd_create("postcopy-parser", os.MFD_CLOEXEC)
        with os.fdopen(state, "wb") as file:
            pickle.dump(parser, file)
            file.flush()
            process.send(setup, [*self._descriptors, connection.descriptor, state])

    def next_message(self) -> StreamMessage | Held:
        """The next message of the stream, or the next pages whose contents the process holds.

        Raises:
            ConnectionLost, RemoteProtocolError: as a `StreamReader`; or the process is gone.
            GuestError: pages that were to be placed have not been: the guest is lost.
        """
        while not self._arrived:
            answer = self._answer()
            if isinstance(answer, Ended):
                raise answer.error or ConnectionLost("the process that places pages has been stopped")
            for run in answer.runs:
                data: Contents | None = None if run.zero else self._blank[: run.count * self._geometry.target_page]
                self._arrived.append(Held(Pages(run.block, run.offset, run.count, self._geometry.target_page, data)))
            if answer.other is not None:
                self._arrived.append(answer.other)
        return self._arrived.popleft()

    def place(self, pages: range) -> None:
        """The core has taken the pages that came last: they are placed now.

        Raises:
            GuestError: the process is gone.
        """
        assert self._process is not None
        self._under_way += 1
        try:
            self._process.send(pages.start)
        except ConnectionLost:
            self.settle()  # its last word says why

    def settle(self) -> None:
        """Wait until all pages that were to be placed have been; after that the process does nothing.

        Raises:
            GuestError: they have not been: the guest is lost.
        """
        if not self._begun or self._ended:
            return
        assert self._process is not None
        with suppress(ConnectionLost):
            self._process.send(STOP)
        with suppress(ConnectionLost):
            while not isinstance(answer := self._answer(), Ended):
                pass
            if isinstance(answer.error, GuestError):
                raise answer.error

    def _answer(self) -> Arrived | Ended:
        assert self._process is not None
        try:
            answer: Arrived | Ended = self._process.receive(self._timeout)
        except ConnectionLost as error:
            self._ended = True
            raise (GuestError(str(error)) if self._under_way else error) from None
        self._ended = isinstance(answer, Ended)
        for first, count, at in answer.placed:
            self._under_way -= 1
            self._note(range(first, first + count), at)
        return answer


class _Guest(msgspec.Struct):
    """What `KernelDestinationMemory` needs of a guest, where it is another process's."""

    geometry: Geometry
    memfd: int
    address: int
    pid: int
    descriptors: list[int]


class _Placer:
    """The process's end, and what it has to tell."""

    def __init__(
        self,
        line: Line,
        connection: Connection,
        parser: StreamParser,
        memory: KernelDestinationMemory,
        timeout: float,
    ) -> None:
        self._line, self._connection, self._parser, self._memory = line, connection, parser, memory
        self._group, self._timeout = memory.geometry.group, timeout
        self._placed: list[Placed] = []

    def run(self) -> None:
        """Place what comes, until the host says stop, or nothing more comes."""
        try:
            while self._take():
                pass
            error = None
        except EngineError as found:
            error = RemoteProtocolError(str(found)) if isinstance(found, RemoteProtocolError) else found
        self._line.send(Ended(self._placed, error))

    def _take(self) -> bool:
        """Everything that is here; whether the host lets it go on."""
        held: list[Page | Pages] = []
        runs: list[Run] = []
        other = error = None
        while len(runs) < MOST_RUNS and other is None:
            try:
                message = self._parser.next_pages(MOST_PLACED, self._group)
            except RemoteProtocolError as found:  # after what came before it
                error = found
                break
            if message is None:
                break
            if isinstance(message, Pages) or (isinstance(message, Page) and self._group == 1):
                held.append(message)
                count = message.count if isinstance(message, Pages) else 1
                runs.append(Run(message.block, message.offset, count, message.data is None))
            else:
                other = message
        if not runs and other is None and error is None:
            return self._receive()
        if runs or other is not None:
            self._tell(runs, other)
        for message in held:
            if not self._place(message):
                return False
        if error is not None:
            raise error
        return True

    def _tell(self, runs: list[Run], other: StreamMessage | None) -> None:
        try:
            self._line.send(Arrived(self._placed, runs, other))
        except ValueError:
            raise RemoteProtocolError(f"{type(other).__name__} of more than {MOST_BYTES} bytes comes") from None
        self._placed = []

    def _place(self, message: Page | Pages) -> bool:
        """What the host says about a run: the page from which on it is placed, or stop."""
        word = self._line.receive(None)
        first = STOP if word is None else word[0]
        if first is STOP:
            return False
        count = message.count if isinstance(message, Pages) else 1
        self._memory.place(range(first, first + count), message.data)
        self._placed.append((first, count, time.perf_counter()))
        return True

    def _receive(self) -> bool:
        ready = self._line.ready(self._timeout, self._connection.descriptor)
        if self._line.descriptor in ready:
            return False  # the only word that comes now
        if not ready:
            raise still(self._parser, self._timeout)
        take_in(self._connection, self._parser, self._timeout, self._timeout)
        return True


def serve(line: Line) -> None:
    """Place pages until the stream ends or the host says so."""
    received = line.receive(None)
    assert received is not None
    setup, (memfd, userfaultfd, sock, state) = received
    geometry = Geometry(setup.blocks, setup.target_page, setup.host_page)
    guest = _Guest(geometry, memfd, setup.address, setup.guest, [userfaultfd])
    with (
        os.fdopen(state, "rb") as file,
        socket.socket(fileno=sock) as stream,
        closing(KernelDestinationMemory(guest)) as memory,
    ):
        file.seek(0)
        _Placer(line, Connection(stream, setup.timeout), pickle.load(file), memory, setup.timeout).run()
    os.close(memfd)
    os.close(userfaultfd)
