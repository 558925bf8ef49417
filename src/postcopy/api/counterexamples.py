"""`counterexamples`: the stored collection."""

from __future__ import annotations

from pathlib import Path

from postcopy.api.asking import functions, path_of
from postcopy.api.progress import Show, silent
from postcopy.report.gallery import write_all


def counterexamples(directory: str | Path, *, progress: Show = silent) -> int:
    """Write a shortest counterexample for every fault, every change that does not hold and every real bug.

    Args:
        directory: where: one that is empty, or has the collection already.
        progress: is called with the name of each as its search begins.

    Returns:
        How many there are.

    Raises:
        UsageError: the directory cannot be written, or holds other things.
    """
    functions(progress=progress)
    return write_all(path_of("directory", directory), progress)
