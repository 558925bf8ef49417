"""A new connection after one has broken: to the same host, which shows that it is the same.

Under TLS it shows the certificate that it has shown before: another one of the same authority does not do. In the clear
it has the same address, which is all that is known of it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from postcopy.engine.errors import ConnectionLost, EngineError
from postcopy.engine.log import Step
from postcopy.engine.transport import GLANCE, Connection, Listener
from postcopy.surface import setting


class Patience:
    """How long a host goes on to recover a migration: so many seconds without a page that goes through.

    A connection that is made and breaks at once, again and again, is as no connection.

    Args:
        seconds: from the first break on, or the first after a page.
        counts: of the host's log.
        steps: those by which pages go through.
    """

    def __init__(self, seconds: float, counts: Counter[Step], *steps: Step) -> None:
        self.seconds, self._counts, self._steps = seconds, counts, steps
        self._begin, self._pages = 0.0, -1

    def pause(self) -> None:
        """The migration has paused."""
        pages = sum(self._counts[step] for step in self._steps)
        if pages > self._pages:
            self._begin, self._pages = time.monotonic(), pages

    @property
    def left(self) -> float:
        """Seconds, below 0 where it is at its end."""
        return self._begin + self.seconds - time.monotonic()


def caller(call_once: Callable[[], Connection], peer: bytes) -> Callable[[], Connection]:
    """For a source: calls its destination once more.

    Args:
        call_once: as it has called before.
        peer: what the destination was known by (see `Connection`).
    """

    def call() -> Connection:
        connection = call_once()
        if connection.peer != peer:
            connection.release()
            raise ConnectionLost("the host that answers is not the destination of before")
        return connection

    return call


Reconnect: TypeAlias = Callable[[float, Callable[[], None]], Connection]
"""Waits so many seconds for the same source to make a new connection, or raises an `EngineError`; looks now and then
whether that is of use still."""


def called(listener: Listener, peer: bytes, *, more: bool = False, early: bool = False) -> Reconnect:
    """For a destination: waits for its source to call once more, where it has called before.

    Args:
        peer: what the source was known by (see `Connection`).
        more: there will be a connection for urgent pages, too.
        early: it may be made at once (see `Listener.accept`).
    """

    def wait(seconds: float, look: Callable[[], None]) -> Connection:
        end = time.monotonic() + seconds
        while True:
            try:
                listener.close()
                listener.listen()
                break
            except EngineError:
                look()
                if time.monotonic() > end:
                    raise
                time.sleep(GLANCE)
        return listener.accept(max(0.0, end - time.monotonic()), peer=peer, look=look, more=more, early=early)

    return wait


AcceptUrgent: TypeAlias = Callable[[Callable[[], None]], Connection]
"""Waits for the source to make the connection for urgent pages, or raises an `EngineError`; looks now and then whether
that is of use still."""


def called_for_urgent(listener: Listener, seconds: float, peer: bytes) -> AcceptUrgent:
    """For a destination: waits for its source to make the connection for urgent pages. Nothing is said on it at first.

    A QEMU makes it when it switches to postcopy. Where it is needed and does not come, the host waits no longer.

    Args:
        listener: it has accepted the source, and is to accept more.
        seconds: to wait at most.
        peer: what the source was known by (see `Connection`).
    """
    return lambda look: listener.accept(seconds, peer=peer, look=look, silent=True)


def needed(host: str) -> str:
    """What the other host needs for that: the end of a sentence."""
    return f": is it switched on at the {host} ({setting('preempt')}, at a QEMU postcopy-preempt)?"
