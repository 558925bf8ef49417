"""`postcopy graph`: draw the state space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.cache import provide_cache
from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.cli.memory import memory_for_states
from postcopy.cli.options import Force, InFlight, Pages, PageSymmetry, Question
from postcopy.cli.output import command_line
from postcopy.cli.parameters import takes
from postcopy.cli.progress import of_search, progress
from postcopy.errors import UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Options, Outcome
from postcopy.report.state_graph.files import FORMATS, build, format_of, write
from postcopy.report.state_graph.quotient import usual_variables

ENDINGS = ", ".join(form.ending for form in FORMATS)


@dataclass(frozen=True, kw_only=True)
class GraphOptions(PageSymmetry, Question):
    """All options of the command."""

    context: typer.Context
    out: Annotated[Path, typer.Argument(metavar="FILE", help=f"where to write: {ENDINGS}")]
    pages: Pages = 1
    in_flight: InFlight = 1
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="NAME", help="a variable, machine or glob that distinguishes states; may be repeated"
        ),
    ] = None
    all_states: Annotated[bool, typer.Option("--all-states", help="every state, no quotient")] = False
    loops: Annotated[bool, typer.Option("--loops", help="show steps that stay in one node")] = False
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="SIZE", help="memory for states and their graph, e.g. 512M or 4G")
    ] = "1G"
    force: Force = False


@takes(GraphOptions)
def command(asked: GraphOptions) -> int:
    """Draw the state space of a small instance."""
    format_of(asked.out).refuse(asked.out, force=asked.force)
    if asked.by and asked.all_states:
        raise UsageError("give --by or --all-states, not both")
    _, protocol = asked.load()
    instance = asked.instance(protocol, liveness=False)
    memory = memory_for_states(asked.max_memory)
    provide_cache()
    with progress() as show:
        exploration = Exploration(instance, Options(asked.reductions(), memory), of_search(show))
        exploration.run()
    chosen = None if asked.all_states else tuple(asked.by or usual_variables(instance))
    drawn = build(exploration, chosen)
    write(drawn, asked.out, loops=asked.loops, command=command_line(asked.context))
    print(f"{asked.out}: {drawn.nodes:,} nodes for {drawn.states:,} states")
    verdict = exploration.verdict()
    if verdict.violated:
        print(f"the search ended with a violation of {verdict.violated.name}: what lies beyond is not in it")
    if verdict.outcome is Outcome.INCONCLUSIVE:
        print(f"not the whole: {verdict.why}")
        return OF_VERDICT[verdict.outcome.value]
    return Exit.OK
