"""How long commands take with an empty cache and with a full one, in seconds of the processor and by the clock.

    python benchmarks/cold_and_warm.py [--before REV] [--only WORD] [--repeat 3] [--prepared]

Cold: the cache is empty, or it has what another command has left there. Warm: the same command again. Each cold run is
made once, since it is long; of the warm ones the fastest counts. With ``--before`` everything is done with a revision
of this repository as well, in turns, so that a noisy machine disturbs both alike. With ``--prepared`` each cold run is
made a second time, with a cache that has what ``postcopy prepare`` has left there and nothing else.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent.parent

COMPILED = ("--engine", "compiled")
SIXTEEN = (
    "check", "--pages", "16", "--in-flight", "1", "--vcpu-symmetry", "--reset-dead", "--no-liveness",
    "--property", "no-deadlock", "--max-memory", "64M", *COMPILED,
)  # fmt: skip
QEMU = ("check", "qemu-11-mended+disk_lock=on", "--pages", "1", "--in-flight", "1")


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        what: it in words.
        command: the arguments of ``postcopy``.
        known: a command that has been there before the cold run.
    """

    what: str
    command: tuple[str, ...]
    known: tuple[str, ...] = ()


PREPARE = "the loops alone"

ROWS = (
    Row(PREPARE, ("prepare",)),
    Row("the default, interpreted", ("check",)),
    Row("the default, compiled", ("check", *COMPILED)),
    Row("a change to it, compiled", ("check", "--change", "recovery", *COMPILED), ("check", *COMPILED)),
    Row("a change to it, as asked by default", ("check", "--change", "recovery"), ("check",)),
    Row("a fault in it, compiled", ("check", "--fault", "lost-wake-up", *COMPILED), ("check", *COMPILED)),
    Row("a fault in it, as asked by default", ("check", "--fault", "lost-wake-up"), ("check",)),
    Row("recovery at 3 pages", ("check", "--change", "recovery", "--pages", "3")),
    Row("16 pages, to 64 MiB of states", SIXTEEN),
    Row("QEMU 11.1, compiled", (*QEMU, *COMPILED)),
    Row("QEMU 11.1, as asked by default", QEMU),
)


class Taken(NamedTuple):
    """What a run has taken: seconds of the processor, and by the clock."""

    processor: float
    clock: float

    def __str__(self) -> str:
        return f"{self.processor:.2f} ({self.clock:.2f})"


def run(source: Path, cache: Path, command: tuple[str, ...]) -> Taken:
    """Run a command of the package in a directory of sources, with a cache."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "POSTCOPY_CACHE": str(cache)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "postcopy", *command], env=environment, stdout=subprocess.DEVNULL, check=False
    )
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    if done.returncode not in (0, 11, 12, 13, 75):
        raise SystemExit(f"postcopy {' '.join(command)} ended with {done.returncode}")
    return Taken(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="REV", help="a revision to compare with")
    parser.add_argument("--only", metavar="WORD", default="", help="rows that have this in their words")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--prepared", action="store_true", help="cold runs with prepared loops too")
    options = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sources = {"now": HERE}
        if options.before:
            sources = {options.before: place / "before", **sources}
            git = ("git", "-C", str(HERE), "worktree")
            subprocess.run([*git, "add", "-q", "--detach", str(place / "before"), options.before], check=True)
            stack.callback(subprocess.run, [*git, "remove", "--force", str(place / "before")], check=True)
        for source in sources.values():  # until it has been imported once, Python compiles the package itself
            run(source, place / "imported", ("check", "--pages", "1", "--in-flight", "1", *COMPILED))
        if options.prepared:
            run(HERE, place / "prepared", ("prepare",))
        print("seconds of the processor (and by the clock)")
        columns = [f"cold, {name} | warm, {name}" for name in sources] + ["cold, prepared"] * options.prepared
        print(f"| what | {' | '.join(columns)} | load |")
        print(f"|---|{'---|' * (2 * len(sources) + options.prepared + 1)}")
        for number, row in enumerate(row for row in ROWS if options.only in row.what):
            if row.what == PREPARE and options.before:
                continue  # the other revision may not have it
            cells: dict[str, list[Taken]] = {name: [] for name in sources}
            for name, source in sources.items():
                cache = place / f"{number}-{name.replace('/', '-')}"
                if row.known:
                    run(source, cache, row.known)
                cells[name].append(run(source, cache, row.command))
            for _ in range(options.repeat):
                for name, source in sources.items():
                    cache = place / f"{number}-{name.replace('/', '-')}"
                    cells[name].append(run(source, cache, row.command))
            shown = [f"{cold} | {min(warm)}" for cold, *warm in cells.values()]
            if options.prepared:
                cache = Path(shutil.copytree(place / "prepared", place / f"{number}-prepared"))
                if row.known:
                    run(HERE, cache, row.known)
                shown.append(str(run(HERE, cache, row.command)))
            print(f"| {row.what} | {' | '.join(shown)} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
