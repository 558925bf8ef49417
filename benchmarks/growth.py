"""How the number of states grows with pages, for each combination of reductions.

    python benchmarks/growth.py [--pages 10] [--in-flight 1] [--most 10000000] [--workers 2]

A combination is left out from the size on at which it would store more than `--most` states. Where the full graph is
too large to store, its size is the sum of the orbits of what symmetry stores, which equals it wherever both can be had
(tests/explorer/test_symmetry.py). Seconds are those of the search with all reductions, without compiling.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.orbits import orbit
from postcopy.explorer.kernel.reductions import DEAD, PAGES, VCPUS
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy

BYTES_PER_STATE = 400
ORBITS_OF = 500_000
"""Stored states up to which their orbits are summed up: that is done in Python."""

COMBINATIONS = {
    "none": Options(()),
    "dead": Options((DEAD,)),
    "vCPUs": Options((VCPUS,)),
    "pages": Options(),
    "both": Options((PAGES, VCPUS)),
    "all": Options((PAGES, VCPUS, DEAD)),
}
"""No reduction; dead variables reset; vCPUs renamed; pages renamed; both renamed; all three."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("pages", *COMBINATIONS, "all grows by", "all saves", "seconds", "M states/s", "bytes/state"):
        table.add_column(column, justify="right", no_wrap=True)
    left, before = dict(COMBINATIONS), 0
    console = Console(highlight=False, width=max(Console().width, 120))
    with console.status("") as status:
        for pages in range(1, options.pages + 1):
            found: dict[str, Exploration] = {}
            for name, reductions in list(left.items()):
                status.update(f"{pages} pages, reductions: {name}")
                instance = Instance(Postcopy, pages, options.in_flight, (NO_DEADLOCK,))
                memory = options.most * BYTES_PER_STATE
                how = replace(reductions, max_memory=memory, engine=Engine.COMPILED, workers=options.workers)
                made = Exploration(instance, how)
                made.run()
                if made.verdict().outcome is Outcome.HOLDS and made.findings.states <= options.most:
                    found[name] = made
                else:
                    del left[name]
            if "all" not in found:
                break
            most = found["all"]
            stored, seconds = most.findings.states, most.seconds
            counts = {name: f"{made.findings.states:,}" for name, made in found.items()}
            full = found["none"].findings.states if "none" in found else 0
            if not full and "both" in found and found["both"].findings.states <= ORBITS_OF:
                both = found["both"]
                full = sum(orbit(both.kernel, words) for words in both.stored())
                counts["none"] = f"({full:,})"
            growth = f"{stored / before:.2f}" if before else ""
            table.add_row(
                str(pages), *(counts.get(name, "") for name in COMBINATIONS), growth,
                f"{full / stored:,.1f}" if full else "", f"{seconds:.2f}", f"{stored / seconds / 1e6:.2f}",
                f"{most.findings.bytes / stored:.0f}",
            )  # fmt: skip
            before = stored
    console.print(f"{options.in_flight} messages in flight; states stored, by what reductions are used")
    console.print(table)


if __name__ == "__main__":
    main()
