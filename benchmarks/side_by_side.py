"""The small table, the ordinary one, an earlier state of this program, Spin and C, side by side on one graph.

    git worktree add DIR 90f586b
    python benchmarks/side_by_side.py [--pages 5] [--in-flight 2] [--workers 2] [--earlier DIR] [--max-memory 16]

The whole graph, no reductions, no property but the absence of deadlock. Each tool runs in a process of its own, one
after the other, and memory is the most that its process had (peak RSS), what it had before the search included. Spin
gets the model of `postcopy export promela`, built with -O3, without and with -DCOLLAPSE, and a table that holds all
states without chains. All have to agree on the number of states; Spin's count has the start in addition.

LTSmin is not run here. Its published figures stand below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import c_search
from postcopy.export import spin
from postcopy.export.promela import promela
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy

HERE = Path(__file__).parent

EARLIER = """
import json, sys
from postcopy.explorer.explore import Options, explore
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.language import NO_DEADLOCK

pages, in_flight, workers, max_memory = map(int, sys.argv[1:])
options = Options(symmetry=False, engine="compiled", workers=workers, max_memory=max_memory << 30)
found = explore(Instance(Postcopy, pages, in_flight, (NO_DEADLOCK,)), options)
print(json.dumps({"states": found.states, "transitions": found.transitions, "seconds": found.seconds}))
"""
"""How 90f586b is asked; its rooms were other ones."""

PUBLISHED = """\
LTSmin, as published, on other graphs and machines:
  tree compression: 8 bytes a state at best; in 279 experiments the median is within 17 % of the best, and five
    times better than with Spin's COLLAPSE (Laarman, van de Pol, Weber: Parallel Recursive State Compression for
    Free, 2011)
  Compact Tree: 32 bits a state for more than 2^32 states, reached in a majority of 350 models (Laarman: Optimal
    compression of combinatorial state spaces, Innovations in Systems and Software Engineering 15, 2019)
  one log: 7,039,582 states of mCRL2's Connect Four in 66.6 s with 4 workers, 8.1 bytes a state in the tree
    (github.com/gijskant/ltsmin-scp-graphite2014, connectfour/README.md)"""


@dataclass(frozen=True)
class Row:
    """What one tool did: size of the graph, seconds of the search, peak RSS in bytes.

    `added` is what the search added to what the process had before, by peak RSS; None where both begin together.
    """

    states: int
    transitions: int
    seconds: float
    peak: int
    added: float | None = None


def run(command: list[str], **environment: str) -> tuple[str, float, int]:
    """Run a program: what it said, its seconds, and its peak RSS in bytes."""
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]} ended with {process.returncode}")
        said.seek(0)
        return said.read(), seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def asked(options: argparse.Namespace) -> list[str]:
    """The size, as numbers on a command line: pages, messages in flight, workers, GiB."""
    return [str(number) for number in (options.pages, options.in_flight, options.workers, options.max_memory)]


def ours(which: str, options: argparse.Namespace) -> Row:
    """A search of this program."""
    names = ("--pages", "--in-flight", "--workers", "--max-memory")
    numbers = [part for pair in zip(names, asked(options), strict=True) for part in pair]
    said, _, peak = run([sys.executable, str(HERE / "small_table.py"), "--only", which, *numbers])
    found = json.loads(said)
    return Row(found["states"], found["transitions"], found["seconds"], peak, found["bytes"] * found["states"])


def earlier(options: argparse.Namespace) -> Row:
    """The search of an earlier state of this program."""
    where = Path(options.earlier)
    environment = {"PYTHONPATH": str(where / "src"), "POSTCOPY_CACHE": str(where / "cache")}
    said, _, peak = run([sys.executable, "-c", EARLIER, *asked(options)], **environment)
    found = json.loads(said)
    return Row(found["states"], found["transitions"], found["seconds"], peak)


def by_spin(pan: Path, bits: int) -> Row:
    """Spin's search."""
    said, seconds, peak = run(spin.command(pan, [f"-w{bits}"]))
    found = spin.read_found(said, seconds)
    return Row(found.states - spin.EXTRA_STATES, found.transitions, seconds, peak)


def in_c(executable: Path) -> Row:
    """The search in C."""
    said, _, peak = run([str(executable)])
    found = json.loads(said)
    return Row(found["states"], found["transitions"], found["seconds"], peak)


def rows(options: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Row]]:
    """What each tool did, by name."""
    workers = f"{options.workers} workers"
    small = ours("small", options)
    yield f"small table, {workers}", small
    yield f"ordinary table, {workers}", ours("ordinary", options)
    if options.earlier:
        yield f"earlier, {workers}", earlier(options)
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    program = read(instance)
    text, bits = promela(program, "Postcopy"), max(small.states.bit_length(), 20)
    for number, flags in enumerate((("-O3",), ("-O3", "-DCOLLAPSE"))):
        best = (*flags, "-march=native", f"-DMEMLIM={options.max_memory << 10}")
        yield f"Spin {' '.join(flags)}", by_spin(spin.build(text, made(scratch / str(number)), best), bits)
    yield "C", in_c(c_search.build(program, made(scratch / "c")))


def made(directory: Path) -> Path:
    """A directory that is there."""
    directory.mkdir()
    return directory


def main() -> None:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="of this program; Spin and C have one")
    parser.add_argument("--earlier", metavar="DIR", help="a work tree of 90f586b")
    parser.add_argument("--max-memory", type=int, default=16, metavar="GIB")
    options = parser.parse_args()
    if spin.missing():
        sys.exit(f"{' and '.join(spin.missing())} not found: install it (Debian: apt install spin gcc)")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for column in ("states", "transitions", "seconds", "M states/s", "GB at the peak", "bytes/state", "added"):
        table.add_column(column, justify="right", no_wrap=True)
    console, counts = Console(highlight=False, width=max(Console().width, 110)), set()
    with tempfile.TemporaryDirectory() as scratch:
        for name, row in rows(options, Path(scratch)):
            counts.add(row.states)
            table.add_row(
                name,
                f"{row.states:,}",
                f"{row.transitions:,}",
                f"{row.seconds:.1f}",
                f"{row.states / row.seconds / 1e6:.2f}",
                f"{row.peak / 1e9:.2f}",
                f"{row.peak / row.states:.1f}",
                f"{row.added / row.states:.1f}" if row.added is not None else "",
            )
            print(f"{name}: done", file=sys.stderr)
    console.print(table)
    print(PUBLISHED)
    if len(counts) > 1:
        sys.exit("they disagree")


if __name__ == "__main__":
    main()
