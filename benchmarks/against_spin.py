"""This explorer, Spin on the exported model, and a search in C, side by side on one graph in one run.

    python benchmarks/against_spin.py [--pages 5] [--in-flight 2] [--repeat 1]

The whole graph on one core each, with the deadlock asked for, no reductions. All three are built from the same trees:
the explorer compiles its kernel (in a first run, which does not count); Spin gets the model of `postcopy export
promela` and is built its best way, with a table that holds all states without chains; the C search is
benchmarks/c_search.py. The best of the repetitions counts. They have to agree on states and transitions: Spin's are
brought to the model's by taking away the start and the steps in which it says that nothing can move (docs/exports.md).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import c_search
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.export import spin
from postcopy.export.promela import promela
from postcopy.language.instance import Instance
from postcopy.language.program import Program, read
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy


@dataclass(frozen=True)
class Row:
    """What one of the tools did: size of the graph, seconds, bytes."""

    states: int
    transitions: int
    seconds: float
    bytes: int

    @property
    def rate(self) -> float:
        """States per second."""
        return self.states / self.seconds


def ours(instance: Instance) -> Row:
    """The explorer, compiled."""
    verdict = explore(instance, Options(reductions=(), engine=Engine.COMPILED, max_memory=_memory()))
    return Row(verdict.states, verdict.transitions, verdict.seconds, verdict.bytes)


def in_c(executable: Path) -> tuple[Row, int]:
    """The C search, and in how many states no thread can change anything."""
    found = c_search.run(executable)
    return Row(found.states, found.transitions, found.seconds, found.bytes), found.stuck


def by_spin(pan: Path, program: Program, states: int, stuck: int) -> Row:
    """Spin, with its counts brought to the model's."""
    found = spin.search(pan, [f"-w{max(states.bit_length(), 20)}"])
    transitions = found.transitions - spin.extra_transitions(program) - stuck
    return Row(found.states - spin.EXTRA_STATES, transitions, found.seconds, found.bytes)


def best(run: Callable[[], Row], repeat: int) -> Row:
    """The fastest of a few runs."""
    return min((run() for _ in range(repeat)), key=lambda row: row.seconds)


def _memory() -> int:
    """Three quarters of this machine's, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3


def table(rows: dict[str, Row]) -> Table:
    """As it is printed."""
    columns = ("states", "transitions", "seconds", "M states/s", "bytes/state", "of Spin's speed", "of C's speed")
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("")
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    for name, row in rows.items():
        made.add_row(
            name,
            f"{row.states:,}",
            f"{row.transitions:,}",
            f"{row.seconds:.2f}",
            f"{row.rate / 1e6:.2f}",
            f"{row.bytes / row.states:.0f}",
            f"{row.rate / rows['Spin'].rate:.1f}",
            f"{row.rate / rows['C'].rate:.2f}",
        )
    return made


def main() -> None:
    """Build, measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    if spin.missing():
        sys.exit(f"{' and '.join(spin.missing())} not found: install it (Debian: apt install spin gcc)")
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    program = read(instance)
    flags = ("-O3", "-march=native", f"-DMEMLIM={_memory() >> 20}")
    with tempfile.TemporaryDirectory() as scratch:
        executable = c_search.build(program, Path(scratch))
        pan = spin.build(promela(program, "Postcopy"), Path(scratch), flags)
        graph, stuck = in_c(executable)
        ours(instance)
        rows = {
            "postcopy": best(lambda: ours(instance), options.repeat),
            "Spin": best(lambda: by_spin(pan, program, graph.states, stuck), options.repeat),
            "C": best(lambda: in_c(executable)[0], options.repeat),
        }
    console = Console(highlight=False, width=max(Console().width, 110))
    console.print(f"{instance.size}; spin -a -o1 -o2, gcc {' '.join((*spin.FLAGS, *flags))}")
    console.print(table(rows))
    if len({(row.states, f"{row.transitions:.7g}") for row in rows.values()}) > 1:  # Spin prints 8 digits
        sys.exit("they disagree")


if __name__ == "__main__":
    main()
