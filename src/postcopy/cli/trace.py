"""`postcopy trace`: show a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from postcopy.cli.options import AsJson, Force
from postcopy.cli.output import print_json
from postcopy.cli.stored import OwnProtocol, StoredRun, read_run
from postcopy.errors import UsageError
from postcopy.report.charts import svg as chart
from postcopy.report.charts.markdown import markdown
from postcopy.report.charts.svg import sequence_svg
from postcopy.report.records.story import trace_record
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story


def command(
    file: StoredRun,
    target: OwnProtocol = None,
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print it as Markdown with a sequence chart")] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="draw the sequence chart to this file")
    ] = None,
    force: Force = False,
) -> int:
    """Print a stored run, replayed step by step."""
    if as_json and as_markdown:
        raise UsageError("give --json or --markdown, not both")
    if svg is not None:
        chart.FORMAT.refuse(svg, option="--svg", force=force)
    _, run = read_run(file, target)
    story = tell(run)
    if svg is not None:
        chart.FORMAT.save(svg, sequence_svg(story))
    if as_json:
        print_json(trace_record(story, run.violated))
    elif as_markdown:
        print(markdown(story))
    else:
        print_story(story, Console(highlight=False))
    return 0
