"""How long `postcopy prove` takes: with no answer kept, with all answers kept, and after one action has changed.

    python benchmarks/prove_times.py [--workers N]

Each is a process of its own, with a cache in a temporary directory. Beside the seconds that passed stand those of the
processors, of all workers together, and the load of the machine: only times at a load below the number of cores count.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHANGED = '''
from postcopy.language import Flag
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source


class RemembersPing(Postcopy):
    """Remembers that it has pinged: one field more, and one action that sets it."""

    class source(Source):
        """Remembers it."""

        pinged = Flag("the destination has been pinged")

        def pings(self) -> None:
            """pings the destination and remembers it"""
            super().pings()
            self.pinged = True
'''


def timed(name: str, arguments: list[str], cache: Path) -> None:
    """Prove once, and print how long it took."""
    load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "postcopy", "prove", *arguments],
        env={**os.environ, "POSTCOPY_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:<32} {seconds:6.1f} s  processor {processor:6.1f} s  load before {load:4.1f}", flush=True)
    assert "\nProved: " in done.stdout, done.stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    workers = ["--workers", str(parser.parse_args().workers)]
    with tempfile.TemporaryDirectory() as directory:
        cache, change = Path(directory) / "cache", Path(directory) / "remembers_ping.py"
        change.write_text(CHANGED, encoding="utf-8")
        timed("no answer kept", workers, cache)
        timed("nothing has changed", workers, cache)
        timed("one field more, one action", [str(change), *workers], cache)


if __name__ == "__main__":
    main()
