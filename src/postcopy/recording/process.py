"""A QEMU that ends with the program that has started it, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import BinaryIO

from postcopy.recording.errors import RecordingError

_SET_DEATH_SIGNAL = 1
"""Linux: PR_SET_PDEATHSIG of prctl(2). It stays through execve, and is sent when the thread that started has ended."""
_libc = ctypes.CDLL(None)


def start(command: Sequence[str], output: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a program, with nothing to read; the kernel kills it when the thread that calls this has ended.

    Args:
        command: the program and its arguments.
        output: where its standard output and standard error go.

    Raises:
        RecordingError: this system is no Linux.
        OSError: it does not start.
    """
    if not hasattr(_libc, "prctl"):
        raise RecordingError("real QEMUs are driven on Linux only, where they end with what has started them")
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509  (what it calls has been loaded, and takes no lock)
    )


def _end_with(parent: int) -> Callable[[], None]:
    def end_with_it() -> None:
        _libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it had ended before the kernel was asked
            os._exit(1)

    return end_with_it
