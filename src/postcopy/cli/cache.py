"""Where compiled kernels are kept; a directory for this run only where the usual one cannot be written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from postcopy.cache import user_cache
from postcopy.cli.output import warn


def provide_cache() -> None:
    """Make sure that kernels can be kept, so that a search does not fail for want of a directory.

    Where the usual one cannot be made or written, POSTCOPY_CACHE is set, for this process and those that it starts,
    to a directory that goes when the process ends.
    """
    usual = user_cache().directory
    try:
        usual.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=usual):
            return
    except OSError as error:
        why = error.strerror
    instead = tempfile.mkdtemp(prefix="postcopy-")
    atexit.register(shutil.rmtree, instead, ignore_errors=True)
    os.environ["POSTCOPY_CACHE"] = instead
    warn(f"cannot keep compiled kernels in {usual}: {why}; they are compiled for this run only (set POSTCOPY_CACHE)")
