"""Which threads run first where there are too few cores."""

from __future__ import annotations

import os

PRIORITY = 1
"""The lowest of those of real time."""


def prefer_this_thread() -> bool:
    """Have the calling thread run before all that is not of real time, where the system permits that; whether it does.

    It is for threads that an urgent page passes through. They have to be short of work: others get a core only while
    they wait. What they start is as urgent as what others start.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except (AttributeError, OSError):
        return False  # another system; or neither root nor a limit for it (RLIMIT_RTPRIO)
    return True
