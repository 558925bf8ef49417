"""`postcopy simulate`: walk at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from postcopy.api.simulating import run_simulation
from postcopy.cli.exits import OF_VERDICT
from postcopy.cli.memory import within_memory
from postcopy.cli.options import AsJson, Force, InFlight, KeepReport, KeepTrace, MaxMemory, Pages
from postcopy.cli.output import command_line, keep_page, keep_trace, print_json, refuse_trace
from postcopy.cli.progress import progress
from postcopy.cli.selection import Question
from postcopy.cli.taking import takes
from postcopy.explorer.simulation.simulate import WALKS, WalkPlan
from postcopy.report.pages.simulation import FORMAT as PAGE

TOO_LARGE = "allow more, or walk for a shorter time or to a smaller --depth"


@dataclass(frozen=True, kw_only=True)
class SimulateOptions(Question):
    """All options of the command."""

    context: typer.Context
    pages: Pages = 8
    in_flight: InFlight = 4
    seed: Annotated[int, typer.Option("--seed", help="the same seed makes the same walks, on every machine")] = 1
    walks: Annotated[int | None, typer.Option("--walks", help="how many walks to make", show_default=f"{WALKS}")] = None
    seconds: Annotated[float | None, typer.Option("--seconds", help="how long to walk, instead of --walks")] = None
    depth: Annotated[int, typer.Option("--depth", help="no walk goes further from the start")] = WalkPlan.depth
    max_memory: MaxMemory = "4G"
    trace: KeepTrace = None
    report: KeepReport = None
    force: Force = False
    as_json: AsJson = False


@takes(SimulateOptions)
def command(asked: SimulateOptions) -> int:
    """Walk at random."""
    plan = WalkPlan(seed=asked.seed, depth=asked.depth, walks=asked.walks, seconds=asked.seconds)
    named = asked.load()
    instance = asked.instance(named.protocol, liveness=bool(asked.properties))
    refuse_trace(asked.trace, force=asked.force)
    if asked.report is not None:
        PAGE.refuse(asked.report, option="--report", force=asked.force)
    with progress() as line, within_memory(asked.max_memory, TOO_LARGE, line) as show:
        result = run_simulation(named, instance, plan, show, interruptible=True)
    if asked.as_json:
        print_json(result.record)
    else:
        result.print_to(Console(highlight=False))
    keep_trace(asked.trace, result.counterexample, named.name)
    if asked.report is not None:
        keep_page(PAGE, asked.report, result.page(command_line(asked.context)))
    return OF_VERDICT[result.verdict]
