"""Threads that wait for sockets: they end with the program, and are joined where the sockets are closed."""

from __future__ import annotations

import threading
from collections.abc import Callable

PATIENCE = 5.0
"""So long, in seconds, each of them may take to see that its socket is closed."""


class Threads:
    """Those of one object."""

    def __init__(self) -> None:
        self._all: list[threading.Thread] = []

    def start(self, function: Callable[..., None], *arguments: object) -> None:
        """One more, which calls the function."""
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._all.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for all of them."""
        for thread in self._all:
            thread.join(PATIENCE)
