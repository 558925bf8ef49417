"""How the number of states grows with pages, for each combination of reductions.

    python benchmarks/growth.py [--pages 8] [--in-flight 1] [--most 20000000]

A combination is left out from the size on at which it needs more than `--most` states. Where the full graph is too
large to store, its size is the sum of the orbits of what symmetry stores, which equals it wherever both can be had
(tests/explorer/test_symmetry.py).
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from postcopy.explorer.explore import Exploration, Options, Outcome
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.language import NO_DEADLOCK

BYTES_PER_STATE = 150


def search(pages: int, in_flight: int, symmetry: bool, most: int) -> Exploration | None:
    """One search to its end, or None where it is too large."""
    instance = Instance(Postcopy, pages, in_flight, (NO_DEADLOCK,))
    options = Options(symmetry, most * BYTES_PER_STATE, "compiled" if pages > 2 else "auto")
    exploration = Exploration(instance, options)
    exploration.run()
    return exploration if exploration.verdict().outcome is Outcome.HOLDS else None


def orbits(exploration: Exploration) -> int:
    """The states of the full graph."""
    states = exploration.search.array()
    return sum(exploration.orbit(tuple(words)) for words in states.astype(np.uint64).tolist())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=8)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--most", type=int, default=20_000_000)
    options = parser.parse_args()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("pages", "full graph", "grows by", "page symmetry", "grows by", "saves", "seconds", "M states/s"):
        table.add_column(column, justify="right", no_wrap=True)
    before = (0, 0)
    console = Console(highlight=False, width=110)
    with console.status("") as status:
        for pages in range(1, options.pages + 1):
            status.update(f"{pages} pages")
            reduced = search(pages, options.in_flight, True, options.most)
            if reduced is None:
                break
            stored, full = reduced.findings.states, orbits(reduced)
            growth = [f"{now / then:.1f}" if then else "" for now, then in zip((full, stored), before, strict=True)]
            before = (full, stored)
            table.add_row(
                str(pages), f"{full:,}", growth[0], f"{stored:,}", growth[1], f"{full / stored:.1f}",
                f"{reduced.seconds:.2f}", f"{stored / reduced.seconds / 1e6:.2f}",
            )  # fmt: skip
    console.print(f"{options.in_flight} messages in flight")
    console.print(table)


if __name__ == "__main__":
    main()
