"""A process of a host's own: ``python -m postcopy.engine.background_process WHAT DESCRIPTOR``, started by the host.

It ends with its host, however that ends: the kernel kills it when the thread that has started it ends, as it does with
a guest process; and where it waits for its host it finds the line closed.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from postcopy.engine import placing_process, sending_process
from postcopy.engine.own_process import Gone, Line

BODIES: dict[str, Callable[[Line], None]] = {
    sending_process.WHAT: sending_process.serve,
    placing_process.WHAT: placing_process.serve,
}
"""By what they do."""
_SET_DEATH_SIGNAL = 1
"""See prctl(2)."""


def work(what: str, line: Line) -> None:
    """Do that until the host hangs up."""
    with suppress(Gone):
        BODIES[what](line)
    line.drain()


def main(what: str, descriptor: str) -> None:
    """Be such a process."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL))
    with suppress(KeyboardInterrupt):
        work(what, Line(socket.socket(fileno=int(descriptor))))


if __name__ == "__main__":
    main(*sys.argv[1:])
