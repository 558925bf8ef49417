"""How the number of states grows with pages, for each combination of reductions.

    python benchmarks/growth.py [--pages 10] [--in-flight 1] [--most 10000000] [--workers 2]

A combination is left out from the size on at which it would store more than `--most` states. Where the full graph is
too large to store, its size is the sum of the orbits of what symmetry stores, which equals it wherever both can be had
(tests/explorer/test_symmetry.py). Seconds are those of the search with all reductions, without compiling.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from postcopy.explorer.explore import Exploration, Options, Outcome
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.language import NO_DEADLOCK

BYTES_PER_STATE = 400
ORBITS_OF = 400_000
"""Stored states up to which their orbits are summed up: that is done in Python."""

COMBINATIONS = {"none": (False, False), "vCPUs": (False, True), "pages": (True, False), "both": (True, True)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("pages", *COMBINATIONS, "both grows by", "both saves", "seconds", "M states/s", "bytes/state"):
        table.add_column(column, justify="right", no_wrap=True)
    left, before = dict(COMBINATIONS), 0
    console = Console(highlight=False, width=max(Console().width, 120))
    with console.status("") as status:
        for pages in range(1, options.pages + 1):
            found: dict[str, Exploration] = {}
            for name, (symmetry, vcpus) in list(left.items()):
                status.update(f"{pages} pages, symmetry: {name}")
                instance = Instance(Postcopy, pages, options.in_flight, (NO_DEADLOCK,))
                memory = options.most * BYTES_PER_STATE
                made = Exploration(instance, Options(symmetry, memory, "compiled", options.workers, vcpus))
                made.run()
                if made.verdict().outcome is Outcome.HOLDS and made.findings.states <= options.most:
                    found[name] = made
                else:
                    del left[name]
            if "both" not in found:
                break
            both = found["both"]
            stored, seconds = both.findings.states, both.seconds
            counts = {name: f"{made.findings.states:,}" for name, made in found.items()}
            full = found["none"].findings.states if "none" in found else 0
            if not full and stored <= ORBITS_OF:
                full = sum(map(both.orbit, both.stored()))
                counts["none"] = f"({full:,})"
            growth = f"{stored / before:.2f}" if before else ""
            table.add_row(
                str(pages), *(counts.get(name, "") for name in COMBINATIONS), growth,
                f"{full / stored:,.1f}" if full else "", f"{seconds:.2f}", f"{stored / seconds / 1e6:.2f}",
                f"{both.findings.bytes / stored:.0f}",
            )  # fmt: skip
            before = stored
    console.print(f"{options.in_flight} messages in flight; states stored, by what symmetry is used")
    console.print(table)


if __name__ == "__main__":
    main()
