"""States per second on one core and bytes per state, of the whole graph: no reductions, no properties.

    python benchmarks/states_per_second.py [--pages 4] [--in-flight 2] [--repeat 5]

Side by side in one run, so that a noisy machine disturbs all alike: the generated kernel alone (`expand`: how fast
successors are made), and the whole search. The median of the repetitions counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.loops import machine_of
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy


def median(run: Callable[[], object], repeat: int) -> float:
    """The median time of a few runs, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    exploration = Exploration(instance, Options(reductions=(), engine=Engine.COMPILED, max_memory=16 << 30))
    machine = machine_of(exploration.kernel.plan)
    search = exploration.search
    assert isinstance(search, Compiled)
    found = search.run(1 << 60)

    def whole() -> None:
        Compiled(machine, exploration.question).run(1 << 60)

    alone = median(search.expand_all, options.repeat)
    seconds = median(whole, options.repeat)
    print(
        f"{instance.size}, {exploration.kernel.layout.bits} bits: "
        f"{found.states:,} states, {found.transitions:,} transitions"
    )
    for what, time_taken in (("kernel alone", alone), ("whole search", seconds)):
        states, transitions = (n / time_taken / 1e6 for n in (found.states, found.transitions))
        print(f"{what}  {states:6.2f} M states/s  {transitions:6.1f} M transitions/s")
    print(f"memory        {found.bytes / found.states:6.1f} bytes/state")


if __name__ == "__main__":
    main()
