"""`postcopy trace`: show a stored run, or two beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from postcopy.api.result import PAGE
from postcopy.api.stored_runs import TraceResult, trace
from postcopy.api.two_runs import TraceDiffResult, diff_traces
from postcopy.cli.options import AsJson, Force, complete_protocol
from postcopy.cli.output import command_line, print_json
from postcopy.cli.stored import OwnProtocol, StoredRun
from postcopy.cli.taking import takes
from postcopy.errors import UsageError
from postcopy.report.charts import svg as chart
from postcopy.report.charts.markdown import markdown
from postcopy.report.charts.svg import sequence_svg
from postcopy.report.story.tell import tell

EXPORTED = "of an export that another tool has run:"


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """All options of the command."""

    context: typer.Context
    file: StoredRun
    target: OwnProtocol = None
    diff: Annotated[
        Path | None,
        typer.Option("--diff", metavar="FILE", help="compare it with this run, of the same protocol or of another"),
    ] = None
    diff_protocol: Annotated[
        str | None,
        typer.Option(
            "--diff-protocol",
            metavar="PROTOCOL",
            help="the protocol of the other run, where a file of your own belongs to it: FILE.py:Class",
            autocompletion=complete_protocol,
        ),
    ] = None
    pages: Annotated[
        int | None,
        typer.Option("--pages", metavar="N", help=f"{EXPORTED} target pages", show_default="2"),
    ] = None
    in_flight: Annotated[
        int | None,
        typer.Option("--in-flight", metavar="N", help=f"{EXPORTED} messages in each channel", show_default="2"),
    ] = None
    host_page: Annotated[
        int | None, typer.Option("--host-page", metavar="N", help=f"{EXPORTED} target pages of one host page")
    ] = None
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", metavar="NAME", help=f"{EXPORTED} a property that it had; may be repeated"),
    ] = None
    as_json: AsJson = False
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print it as Markdown with a sequence chart")] = False
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="draw the sequence chart to this file")] = (
        None
    )
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="write it as a page (.html); with --diff both runs side by side"),
    ] = None
    force: Force = False

    def refuse(self) -> None:
        """Refuse options that do not go together, and files that cannot be written.

        Raises:
            UsageError: there is one.
        """
        if self.as_json and self.as_markdown:
            raise UsageError("give --json or --markdown, not both")
        if self.diff is not None and (self.as_markdown or self.svg is not None):
            raise UsageError("--markdown and --svg show one run: leave --diff away, or give --html")
        if self.diff is None and self.diff_protocol is not None:
            raise UsageError("--diff-protocol goes with --diff")
        if self.svg is not None:
            chart.FORMAT.refuse(self.svg, option="--svg", force=self.force)
        if self.html is not None:
            PAGE.refuse(self.html, option="--html", force=self.force)


@takes(TraceOptions)
def command(asked: TraceOptions) -> int:
    """Print a stored run, replayed step by step; or where two runs part, and what differs then."""
    asked.refuse()
    size = {"pages": asked.pages, "in_flight": asked.in_flight, "host_page": asked.host_page}
    properties = asked.properties or ()
    result: TraceResult | TraceDiffResult
    if asked.diff is None:
        result = trace(asked.file, asked.target, **size, properties=properties)
    else:
        result = diff_traces(asked.file, asked.diff, asked.target, asked.diff_protocol, **size, properties=properties)
    if asked.svg is not None and isinstance(result, TraceResult):
        chart.FORMAT.save(asked.svg, sequence_svg(tell(result.run)))
    if asked.html is not None:
        PAGE.save(asked.html, result.page(command_line(asked.context)))
    if asked.as_json:
        print_json(result.record)
    elif asked.as_markdown and isinstance(result, TraceResult):
        print(markdown(tell(result.run)))
    else:
        result.print_to(Console(highlight=False))
    return 0
