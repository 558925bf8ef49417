"""What QEMU does otherwise for machines of before 8.0: the second connection is opened at once, and a record ends it.

QEMU 7.1 and 7.2 read nothing of the stream before the second connection is there, so that no PONG can come before it.
Later ones wait for the first PONG; for a machine that such an old QEMU has, they do as it does (the property
``x-preempt-pre-7-2`` of their compatibility with it).
"""

from __future__ import annotations

import re

LAST = (7, 2)
"""The last version whose machines are old."""

_VERSION = re.compile(r"-(\d+)\.(\d+)\Z")


def opens_urgent_early(machine: str) -> bool:
    """Whether both sides of a migration take a machine for an old one, by its name: ``pc-i440fx-7.2`` is one.

    A machine without a version in its name counts as a new one.
    """
    found = _VERSION.search(machine)
    return found is not None and (int(found[1]), int(found[2])) <= LAST
