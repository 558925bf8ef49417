"""How a host starts a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys

from postcopy.engine.own_process import OwnProcess


def start_process(what: str) -> OwnProcess:
    """Start one.

    Args:
        what: it does; one of those that `postcopy.engine.background_process` knows.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "postcopy.engine.background_process", what, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is for the engine to act on
        )
    return OwnProcess(what, ours, process)
