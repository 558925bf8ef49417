"""Ctrl-C for a command that is long in code which does not hear it: a process of its own, and one that guards it.

Python hears an interrupt when a call to z3 or to a compiler returns, and forgets it where it comes while an object is
deleted. So the command runs in a process that this one started, and this one only waits, and ends it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_WITH_ITS_PARENT = 1
"""Linux: PR_SET_PDEATHSIG of prctl(2)."""

_AS_IT_WAS = "\r\x1b[2K\x1b[?25h"
"""An empty line, and the cursor that a progress line hides."""


def guard() -> None:
    """Go on in a new process. This one waits for it, and exits with its code, or with 130 after an interrupt."""
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(_WITH_ITS_PARENT, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
    if process != 0:
        sys.exit(_code_of(process))


def _code_of(process: int) -> int:
    try:
        _, status = os.waitpid(process, 0)
    except KeyboardInterrupt:
        os.kill(process, signal.SIGKILL)  # whatever it has begun it writes whole or not at all
        os.waitpid(process, 0)
        if sys.stderr.isatty():
            sys.stderr.write(_AS_IT_WAS)
        return 130
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
