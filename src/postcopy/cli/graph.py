"""`postcopy graph`: draw the state space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from postcopy.api.graphing import graph
from postcopy.cli.cache import provide_cache
from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.cli.memory import memory_for_states
from postcopy.cli.options import Force, InFlight, NoSymmetry, Pages
from postcopy.cli.output import command_line
from postcopy.cli.progress import progress
from postcopy.cli.selection import Question
from postcopy.cli.taking import takes
from postcopy.report.state_graph.files import FORMATS, format_of

ENDINGS = ", ".join(form.ending for form in FORMATS)


@dataclass(frozen=True, kw_only=True)
class GraphOptions(Question):
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
    no_symmetry: NoSymmetry = False
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="SIZE", help="memory for states and their graph, e.g. 512M or 4G")
    ] = "1G"
    force: Force = False


@takes(GraphOptions)
def command(asked: GraphOptions) -> int:
    """Draw the state space of a small instance."""
    format_of(asked.out).refuse(asked.out, force=asked.force)
    named = asked.load()
    memory = memory_for_states(asked.max_memory)
    provide_cache()
    with progress() as show:
        result = graph(
            named,
            pages=asked.pages,
            in_flight=asked.in_flight,
            host_page=asked.host_page,
            properties=asked.properties or (),
            by=asked.by or (),
            all_states=asked.all_states,
            symmetry=not asked.no_symmetry,
            max_memory=memory,
            progress=show,
        )
    result.save(asked.out, force=asked.force, loops=asked.loops, command=command_line(asked.context))
    print(f"{asked.out}: " + "\n".join(result.lines))
    return OF_VERDICT[result.verdict] if result.verdict == "inconclusive" else Exit.OK
