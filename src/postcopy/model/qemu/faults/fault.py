"""What a fault of QEMU's protocol is: the mended one with one rule taken away.

The mended protocol is the base, so that no defect of QEMU's hides what the rule is for.
"""

from __future__ import annotations

from typing import ClassVar

from postcopy.model.qemu.mends import Qemu11Mended

LOCKED = "+preempt=off+disk_lock=on+exit_on_error=on"
"""The least that most rules need: one connection, and a disk that one host can lock."""
PREEMPT = "+preempt=on+disk_lock=on+exit_on_error=on"


class QemuFault(Qemu11Mended):
    """QEMU 11.1 with all its mends, and without one of its rules.

    Attributes:
        step: the row of the table of QEMU's steps that has the rule.
        expects: the name of the property that was expected to find the fault, written down before it was searched for.
        terms: the options that are fixed for the search.
        pages: the pages at which it is searched.
        in_flight: the messages of each channel, for the search.
        host_page: target pages of one host page, for the search.
    """

    step: ClassVar[str]
    expects: ClassVar[str]
    terms: ClassVar[str] = LOCKED
    pages: ClassVar[int] = 1
    in_flight: ClassVar[int] = 1
    host_page: ClassVar[int] = 1
