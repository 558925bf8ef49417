"""How the number of states of QEMU's model grows with its capabilities, and with pages and messages.

    python benchmarks/qemu_growth.py [TERM ...] [--pages 1] [--in-flight 1] [--seconds 600] [--memory 6] [--all|--runs]

Each term stands behind `qemu-11-mended`, whose whole graph is searched: `qemu-11` ends at its first defect. With
`--all` all properties of states and steps are asked, without it the absence of deadlock alone; what monitors remember
is part of a state, so that the numbers differ. Seconds are those of the processor in the search, without compiling, so
that what else the machine does counts little. A search that takes longer than `--seconds`, or more than `--memory` GB
for states, is left, and the row says so.

With `--runs` all properties of runs are asked together. A row has the states and edges of their graph, the properties
that are violated, the seconds of the processor, compiling included, and the memory of the whole process at its
highest, so that one term at a time gives the exact figure.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.results import Engine, Options, Progress
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK

TERMS = (
    "+preempt=off+disk_lock=on+exit_on_error=on",
    "+preempt=off+disk_lock=on",
    "+preempt=on+disk_lock=on+exit_on_error=on",
    "+preempt=on+disk_lock=on",
    "+preempt=off+disk_lock=on+exit_on_error=on+second=on",
    "+preempt=off+disk_lock=on+exit_on_error=on+vhost_user=on",
    "+preempt=off+disk_lock=on+exit_on_error=on+pause_before_switchover=on",
    "+preempt=off+disk_lock=on+exit_on_error=on+switchover_ack=on",
    "+preempt=off+disk_lock=on+exit_on_error=on+multifd=on",
)

FOUND = ("states", "depth", "CPU seconds", "GB", "bits")
"""What a row says of a search."""


class _TooLong(Exception):
    """The search is left."""


def measure(term: str, options: argparse.Namespace) -> tuple[str, ...]:
    """A row: the term, states, depth, seconds, GB, bits of a state."""
    protocol = resolve("qemu-11-mended" + term)[1]
    asked = tuple(p for p in asked_of(protocol) if not p.of_runs) if options.all else (NO_DEADLOCK,)
    instance = Instance(protocol, options.pages, options.in_flight, asked, protocol.group)
    begun: list[float] = []

    def report(progress: Progress) -> None:
        if progress.phase == "searching":
            begun[:] = begun or [time.process_time()]
            if time.process_time() - begun[0] > options.seconds:
                raise _TooLong

    how = Options(max_memory=int(options.memory * (1 << 30)), engine=Engine.COMPILED)
    made = Exploration(instance, how, report)
    start = time.process_time()
    left = ""
    try:
        made.run()
    except _TooLong:
        left = " (left after that time)"
    seconds = time.process_time() - start
    found = made.findings
    outcome = made.verdict().outcome.value
    if not left and outcome != "holds":
        left = f" ({outcome})"
    size = f"{options.pages} / {options.in_flight}"
    return (
        term, size, f"{found.states:,}{left}", str(found.depth), f"{seconds:.1f}", f"{found.bytes / (1 << 30):.2f}",
        str(made.kernel.layout.bits),
    )  # fmt: skip


def measure_runs(term: str, options: argparse.Namespace) -> tuple[str, ...]:
    """A row: the term, states, edges, what is violated, seconds, GB."""
    protocol = resolve("qemu-11-mended" + term)[1]
    asked = tuple(p for p in asked_of(protocol) if p.of_runs)
    instance = Instance(protocol, options.pages, options.in_flight, asked, protocol.group)
    how = Options(max_memory=int(options.memory * (1 << 30)), engine=Engine.COMPILED)
    start = time.process_time()
    found = explore(instance, how).liveness
    assert found is not None
    seconds = time.process_time() - start
    violated = [name for name, finding in found.findings.items() if finding.counterexample]
    verdict = found.why or ", ".join(violated) or f"all {len(asked)} hold"
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    size = f"{options.pages} / {options.in_flight}"
    return term, size, f"{found.states:,}", f"{found.edges:,}", verdict, f"{seconds:.1f}", f"{highest:.2f}"


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("terms", nargs="*", default=TERMS, metavar="TERM")
    parser.add_argument("--pages", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--memory", type=float, default=6)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--runs", action="store_true")
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    named = ("states", "edges", "verdict", "CPU seconds", "GB") if options.runs else FOUND
    print("| `qemu-11-mended` with | pages / in flight | " + " | ".join(named) + " |")
    print("| --- | --- |" + " ---: |" * len(named), flush=True)
    for term in options.terms:
        row = measure_runs(term, options) if options.runs else measure(term, options)
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
