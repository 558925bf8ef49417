"""`postcopy simulate`: walk at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from postcopy.catalogue.loading import expected_of
from postcopy.catalogue.properties import everything
from postcopy.cli.exits import OF_VERDICT
from postcopy.cli.options import AsJson, Force, InFlight, Pages, Question
from postcopy.cli.output import KeepTrace, keep_trace, print_json, refuse_trace
from postcopy.cli.parameters import takes
from postcopy.cli.progress import progress
from postcopy.explorer.simulation.simulate import WALKS, Simulation, WalkPlan
from postcopy.report.records.simulation import simulation_record
from postcopy.report.terminal.simulation import print_simulation


@dataclass(frozen=True, kw_only=True)
class SimulateOptions(Question):
    """All options of the command."""

    pages: Pages = 8
    in_flight: InFlight = 4
    seed: Annotated[int, typer.Option("--seed", help="the same seed makes the same walks, on every machine")] = 1
    walks: Annotated[int | None, typer.Option("--walks", help="how many walks to make", show_default=f"{WALKS}")] = None
    seconds: Annotated[float | None, typer.Option("--seconds", help="how long to walk, instead of --walks")] = None
    depth: Annotated[int, typer.Option("--depth", help="no walk goes further from the start")] = WalkPlan.depth
    trace: KeepTrace = None
    force: Force = False
    as_json: AsJson = False


@takes(SimulateOptions)
def command(asked: SimulateOptions) -> int:
    """Walk at random."""
    plan = WalkPlan(seed=asked.seed, depth=asked.depth, walks=asked.walks, seconds=asked.seconds)
    name, protocol = asked.load()
    instance = asked.instance(protocol, liveness=bool(asked.properties))
    refuse_trace(asked.trace, force=asked.force)
    with progress() as show:
        walking = Simulation(instance, plan, show)
        try:
            walking.run()
        except KeyboardInterrupt:
            pass  # the result says that it was interrupted, and what was seen until then
        found = walking.found()
    of_runs = {p.name for p in everything(protocol) if p.of_runs}
    expected = tuple(broken for broken in expected_of(protocol) if broken not in of_runs)
    if asked.as_json:
        print_json(simulation_record(found, name, expected))
    else:
        print_simulation(found, name, Console(highlight=False), expected)
    keep_trace(asked.trace, found.counterexample, name)
    return OF_VERDICT[found.finding.value]
