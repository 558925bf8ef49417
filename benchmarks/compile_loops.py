"""Seconds of the processor that Numba takes for each function of the loops, with an empty cache, in one process.

    python benchmarks/compile_loops.py [--words 2] [--small-table]

The functions are compiled in the order in which a check needs them: what they have in common is counted for the first.
The figures of another revision: PYTHONPATH=/elsewhere/src python benchmarks/compile_loops.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

from postcopy.explorer.liveness import recomputed
from postcopy.explorer.search import loops

SEARCH = ("run", "canonical", "receive", "close_gaps", "clear", "fill")
LIVENESS = ("steps", "record", "spread", "count_steps", "remove", "components")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=2)
    parser.add_argument("--small-table", action="store_true", help="the loop of the small table too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["POSTCOPY_CACHE"] = directory
        search: Any = loops.load(options.words)
        parts = [(search, SEARCH), (recomputed.load(options.words), LIVENESS)]
        if options.small_table:
            small: Any = loops.load_small()
            parts.append((small, tuple(name for name, each in vars(small).items() if hasattr(each, "address"))))
        total = 0.0
        for module, names in parts:
            for name in names:
                began = time.process_time()
                getattr(module, name).compile()
                took = time.process_time() - began
                total += took
                print(f"{name:12} {took:5.2f}", flush=True)
        print(f"{'in all':12} {total:5.2f}   at a load of {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
