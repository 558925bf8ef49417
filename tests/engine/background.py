"""The processes for background pages, in a thread of the test: what they say to their host can be looked at, and they
can be slow or die at any word."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from postcopy.engine.background_process import work
from postcopy.engine.own_process import Line, OwnProcess

Before = Callable[[Any], None]


class Dies(BaseException):
    """Of a process: at once."""


class ListenedLine(Line):
    """Calls a function before each thing that the process says or hears; where that raises `Dies`, the process dies."""

    def __init__(self, sock: socket.socket, says: Before, hears: Before) -> None:
        super().__init__(sock)
        self._says, self._hears = says, hears

    def send(self, what: object, descriptors: Any = ()) -> None:
        self._says(what)
        super().send(what, descriptors)

    def receive(self, timeout: float | None) -> tuple[Any, list[int]] | None:
        found = super().receive(timeout)
        self._hears(found and found[0])
        return found


class InThread(OwnProcess):
    """Stands for a process."""

    def __init__(self, what: str, says: Before = lambda _: None, hears: Before = lambda _: None) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._what, self._line = what, Line(ours)
        self._thread = threading.Thread(
            target=self._run, args=(ListenedLine(its, says, hears),), daemon=True, name=what
        )
        self._thread.start()

    def _run(self, line: Line) -> None:
        with suppress(Dies):
            work(self._what, line)
        line.close()

    def close(self) -> None:
        self._line.close()
        self._thread.join(30)
        assert not self._thread.is_alive(), "it ends where the host hangs up"
