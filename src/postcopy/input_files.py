"""Files that a user names and commands read: whole, no larger than is sensible, and never a device or a pipe.

A pipe that nothing writes to, or a device that never ends, would keep a command waiting for ever.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from postcopy.errors import UsageError


def read_input(path: Path, most: int) -> bytes:
    """The content of a file.

    Args:
        path: the file.
        most: the largest size in bytes.

    Raises:
        UsageError: it cannot be read, is no file, or is larger; the message names it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise UsageError(f"cannot read {path}: it is {_kind(mode)}, not a file")
        with open(descriptor, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error}") from None
    except MemoryError:
        raise UsageError(f"cannot read {path}: it does not fit in memory") from None
    if len(content) > most:
        raise UsageError(f"cannot read {path}: it is larger than {most >> 20} MiB")
    return content


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "something else")
