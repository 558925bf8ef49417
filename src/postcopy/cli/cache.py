"""Where compiled kernels and answers of provers are kept; for this run only where the usual directory is of no use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from postcopy.cache import user_cache
from postcopy.cli.output import say


def provide_cache() -> None:
    """Make sure that what takes long to make can be kept, if only for this run.

    Where the usual one cannot be made or written, POSTCOPY_CACHE is set, for this process and those that it starts,
    to a directory that goes when the process ends.
    """
    usual = user_cache().directory
    try:
        user_cache().try_out()
        return
    except OSError as error:
        why = error.strerror
    say(f"cannot keep compiled kernels in {usual}: {why}; they are compiled for this run only (set POSTCOPY_CACHE)")
    try:
        instead = tempfile.mkdtemp(prefix="postcopy-")
    except OSError:
        return  # nothing is kept, which costs time alone
    atexit.register(shutil.rmtree, instead, ignore_errors=True)
    os.environ["POSTCOPY_CACHE"] = instead
