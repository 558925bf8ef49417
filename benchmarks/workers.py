"""What more workers bring: the same search with one worker and with several, in turns, in one process.

    python benchmarks/workers.py [--pages 5] [--in-flight 1] [--workers 2] [--repeat 5]

The whole graph, no reductions, with the deadlock asked for. Beside the time that passed stands the processor time: how
much of it is the system's, giving out memory, varies from run to run on a virtual machine. The median ratio counts.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import dataclass

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.findings import Question
from postcopy.explorer.search.loops import Machine, machine_of
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy


@dataclass(frozen=True)
class Run:
    """One search: states, seconds that passed, seconds of processors in the program and in the system."""

    states: int
    seconds: float
    own: float
    system: float


def run(machine: Machine, question: Question, workers: int) -> Run:
    """Search once."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    states = Compiled(machine, question, workers).run(1 << 60).states
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    return Run(states, seconds, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    exploration = Exploration(instance, Options(reductions=(), engine=Engine.COMPILED, max_memory=16 << 30))
    machine, ratios = machine_of(exploration.kernel.plan), []
    for _ in range(options.repeat):
        turn = [run(machine, exploration.question, workers) for workers in (1, options.workers)]
        for workers, each in zip((1, options.workers), turn, strict=True):
            print(
                f"{workers} workers  {each.states:,} states  {each.states / each.seconds / 1e6:5.2f} M states/s"
                f"  {each.own:5.2f} s of processors, {each.system:.2f} s of the system"
            )
        ratios.append(turn[0].seconds / turn[1].seconds)
    print(f"ratio  {statistics.median(ratios):.2f}  ({', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))})")


if __name__ == "__main__":
    main()
