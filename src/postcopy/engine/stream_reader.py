"""Messages from a connection: reads until there is one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from postcopy.engine.errors import ConnectionLost
from postcopy.engine.messages import StreamMessage
from postcopy.engine.page_vectors import Slots
from postcopy.engine.parsing import StreamParser
from postcopy.engine.transport import Connection


class StreamReader:
    """The stream of one connection. One thread at a time."""

    def __init__(self, connection: Connection, parser: StreamParser) -> None:
        self._connection, self.parser = connection, parser
        self._again: deque[StreamMessage] = deque()

    def give_again(self, messages: Iterable[StreamMessage]) -> None:
        """Messages that were looked at come once more, before all others."""
        self._again.extend(messages)

    def next_message(self, timeout: float, most: int = 1, group: int = 1) -> StreamMessage:
        """The next message, or neighbouring pages as one (see `StreamParser.next_pages`).

        Args:
            timeout: seconds that it may take.

        Raises:
            ConnectionLost: it does not come in time, or the connection has ended.
            WireError: it is none.
        """
        if self._again:
            return self._again.popleft()
        parser, end = self.parser, time.monotonic() + timeout
        while True:
            message = parser.next_pages(most, group)
            if message is not None:
                return message
            slots = take_in(self._connection, parser, max(0.0, end - time.monotonic()), timeout)
            if slots is not None and slots.whole < most // 2 and not slots.full:
                with suppress(ConnectionLost):  # what has come is read first; an end is found again
                    self._connection.receive(slots, 0.0)  # there may be more by now


def take_in(connection: Connection, parser: StreamParser, seconds: float, timeout: float) -> Slots | None:
    """Let a parser have what arrives next; the slots that it is in, if the parser gave some.

    Args:
        seconds: that are left of the timeout.

    Raises:
        ConnectionLost: nothing comes in time, or the connection has ended.
    """
    slots = parser.slots() if connection.scatters else None
    size = connection.receive(parser.room() if slots is None else slots, seconds)
    if size is None:
        raise still(parser, timeout)
    if not size:
        raise ConnectionLost(f"the source closed the connection{' within a message' if parser.buffered else ''}")
    if slots is None:
        parser.filled(size)
    return slots


def still(parser: StreamParser, timeout: float) -> ConnectionLost:
    """The error that a source has sent nothing for so long."""
    return ConnectionLost(
        f"the source has sent {'only a part of a message' if parser.buffered else 'nothing'} for {timeout:g} s"
    )
