"""The search with the small table beside the ordinary one: seconds, and bytes a state by peak memory.

    python benchmarks/small_table.py [--pages 5] [--in-flight 2] [--workers 1] [--repeat 1] [--max-memory 16]

The whole graph: no reductions, no property but the absence of deadlock. Each search runs in a process of its own, in
turns, so that a noisy machine disturbs both alike; memory is what the search adds to what the process had before it.
Seconds of the processor are those to compare where other programs run, too.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.small import Small
from postcopy.explorer.search.status import Status
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy

SEARCHES: dict[str, type[Compiled] | type[Small]] = {"ordinary": Compiled, "small": Small}

Measured = dict[str, float]


def measure(which: str, options: argparse.Namespace) -> Measured:
    """One search, in this process."""
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    asked = Options(reductions=(), engine=Engine.INTERPRETED, max_memory=options.max_memory << 30)
    exploration = Exploration(instance, asked)
    machine = machine_of(exploration.kernel.plan)
    search = SEARCHES[which](machine, exploration.question, options.workers)
    before, start, busy = peak(), time.perf_counter(), time.process_time()
    found = search.run(1 << 60)
    seconds, processor = time.perf_counter() - start, time.process_time() - busy
    if found.status != Status.DONE:
        raise SystemExit(f"{which}: --max-memory {options.max_memory} does not suffice")
    return {
        "states": found.states,
        "transitions": found.transitions,
        "depth": found.depth,
        "seconds": seconds,
        "processor": processor,
        "bytes": (peak() - before) / found.states,
        "counted": found.bytes / found.states,
        "peak": peak(),
    }


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def apart(which: str) -> Measured:
    """One search, in a process of its own."""
    command = [sys.executable, *sys.argv, "--only", which]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: Measured = json.loads(made.stdout)
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--max-memory", type=int, default=16, metavar="GIB")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=list(SEARCHES), help="this one, here")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options)))
        return
    runs = [{which: apart(which) for which in SEARCHES} for _ in range(options.repeat)]
    counts = {tuple(each[k] for k in ("states", "transitions", "depth")) for run in runs for each in run.values()}
    assert len(counts) == 1, f"they do not agree: {counts}"
    print("{:,.0f} states, {:,.0f} transitions, {:.0f} levels; {} workers".format(*counts.pop(), options.workers))
    print(f"{'':8}  {'seconds':>8}  {'processor':>9}  {'ns/state':>8}  {'bytes/state':>11}  {'counted':>7}")
    middle = {
        which: {what: statistics.median(run[which][what] for run in runs) for what in runs[0][which]}
        for which in SEARCHES
    }
    for which, each in middle.items():
        nanoseconds = each["processor"] / each["states"] * 1e9
        print(
            f"{which:8}  {each['seconds']:8.1f}  {each['processor']:9.1f}  {nanoseconds:8.0f}"
            f"  {each['bytes']:11.2f}  {each['counted']:7.2f}"
        )
    for what in ("seconds", "processor"):
        print(f"speed, by {what}: {middle['ordinary'][what] / middle['small'][what]:.2f}")


if __name__ == "__main__":
    main()
