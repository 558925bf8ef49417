"""`postcopy check`: explore every interleaving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from postcopy.api.check_settings import CheckSettings
from postcopy.api.checking import run_check
from postcopy.cli.cache import provide_cache
from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.cli.memory import memory_for_states
from postcopy.cli.output import again, command_line, keep_page, keep_trace, print_json, refuse_trace
from postcopy.cli.progress import progress
from postcopy.cli.search_engine import SearchEngine
from postcopy.cli.selection import AllReductions, Question
from postcopy.explorer.results import Engine as Driver
from postcopy.explorer.results import Outcome
from postcopy.report.files.file_format import FileFormat

if TYPE_CHECKING:
    import typer

    from postcopy.cli.options import (
        AllProperties,
        AsJson,
        Count,
        Disk,
        Engine,
        Every,
        Force,
        Keep,
        KeepReport,
        KeepTrace,
        MaxMemory,
        NoLiveness,
        OnCluster,
        Resume,
        SmallTable,
        Strict,
        Verbose,
        Workers,
    )


@dataclass(frozen=True, kw_only=True)
class CheckOptions(AllReductions, Question):
    """All options of the command."""

    context: typer.Context
    no_liveness: NoLiveness = False
    strict: Strict = False
    max_memory: MaxMemory = "4G"
    disk: Disk = None
    small_table: SmallTable = False
    engine: Engine = SearchEngine.AUTO
    workers: Workers = 1
    cluster: OnCluster = 0
    checkpoint: Keep = None
    checkpoint_every: Every = 60.0
    resume: Resume = None
    trace: KeepTrace = None
    report: KeepReport = None
    force: Force = False
    count: Count = 1
    all_properties: AllProperties = False
    verbose: Verbose = False
    as_json: AsJson = False

    def settings(self) -> CheckSettings:
        """How the check is done."""
        return CheckSettings(
            reductions=self.reductions(),
            max_memory=memory_for_states(self.max_memory),
            engine=Driver(self.engine.value),
            workers=self.workers,
            cluster=self.cluster,
            small_table=self.small_table,
            disk=self.disk,
            checkpoint=self.checkpoint,
            checkpoint_every=self.checkpoint_every,
            resume=self.resume,
            count=self.count,
            all_properties=self.all_properties,
            interruptible=True,
        )


OPTIONS = CheckOptions
"""What `command` takes: Typer is told of it only where it reads the command line."""


def command(asked: CheckOptions) -> int:
    """Explore every interleaving."""
    named = asked.load()
    instance = asked.instance(named.protocol, liveness=not asked.no_liveness)
    settings = asked.settings()
    settings.refuse()
    refuse_trace(asked.trace, force=asked.force)
    if asked.report is not None:
        _page().refuse(asked.report, option="--report", force=asked.force)
    provide_cache()
    with progress() as show:
        result = run_check(named, instance, settings, show)
    if asked.as_json:
        print_json(result.record)
    else:
        result.print_to(Console(highlight=False), every_property=asked.verbose)
    keep_trace(asked.trace, result.counterexample, named.name, again(asked, named.name))
    if asked.report is not None:
        keep_page(_page(), asked.report, result.page(command_line(asked.context)))
    if asked.strict and result.found.outcome is Outcome.HOLDS and result.found.gaps:
        return Exit.VACUOUS
    return OF_VERDICT[result.verdict]


def _page() -> FileFormat:
    """The format of the page; all that draws charts comes with it."""
    from postcopy.report.pages.check import FORMAT

    return FORMAT
