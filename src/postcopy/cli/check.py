"""`postcopy check`: explore every interleaving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import typer
from rich.console import Console

from postcopy.catalogue.loading import expected_of
from postcopy.cli.cache import provide_cache
from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.cli.memory import memory_for_states
from postcopy.cli.options import (
    AllProperties,
    AllReductions,
    AsJson,
    Count,
    Disk,
    Engine,
    Every,
    Force,
    Keep,
    KeepReport,
    MaxMemory,
    NoLiveness,
    OnCluster,
    Question,
    Resume,
    SearchEngine,
    Strict,
    Verbose,
    Workers,
)
from postcopy.cli.output import KeepTrace, again, command_line, keep_page, keep_trace, print_json, refuse_trace
from postcopy.cli.parameters import takes
from postcopy.cli.progress import of_search, progress
from postcopy.errors import UsageError
from postcopy.explorer.enumerate import further
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine as Driver
from postcopy.explorer.results import Options, Outcome, Progress, Verdict
from postcopy.language.instance import Instance
from postcopy.report.pages.check import FORMAT as PAGE
from postcopy.report.pages.check import html
from postcopy.report.records.check import check_record
from postcopy.report.terminal.check import print_check


@dataclass(frozen=True, kw_only=True)
class CheckOptions(AllReductions, Question):
    """All options of the command."""

    context: typer.Context
    no_liveness: NoLiveness = False
    strict: Strict = False
    max_memory: MaxMemory = "4G"
    disk: Disk = None
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

    @property
    def kept(self) -> bool:
        """The search is kept on disk."""
        return self.checkpoint is not None or self.resume is not None

    @property
    def interpreted(self) -> bool:
        """The search has to be interpreted."""
        return self.engine is SearchEngine.INTERPRETED

    def search(self) -> Options:
        """How to search."""
        return Options(
            reductions=self.reductions(),
            max_memory=memory_for_states(self.max_memory),
            engine=Driver.COMPILED if self.kept or self.cluster else Driver(self.engine.value),
            workers=self.workers,
            disk=self.disk,
            cluster=self.cluster,
        )


CONTRADICTIONS: tuple[tuple[Callable[[CheckOptions], bool], str], ...] = (
    (lambda o: o.count < 1, "--count {0.count} is out of range: 1 or more"),
    (lambda o: o.all_properties and o.count > 1, "give --count or --all-properties, not both"),
    (
        lambda o: o.checkpoint is not None and o.resume is not None,
        "--resume keeps the search where it was kept: leave --checkpoint away",
    ),
    (lambda o: o.kept and o.interpreted, "only a compiled search can be kept: leave --engine interpreted away"),
    (
        lambda o: o.disk is not None and (o.kept or o.workers > 1 or o.cluster > 0),
        "--disk goes with neither --checkpoint, --resume, --cluster nor several --workers",
    ),
    (
        lambda o: o.cluster > 0 and o.workers > 1,
        "--cluster is the number of processes: leave --workers away",
    ),
    (
        lambda o: (o.disk is not None or o.cluster > 0) and o.interpreted,
        "only a compiled search leaves this process's memory: leave --engine interpreted away",
    ),
    (lambda o: o.disk is not None and not o.disk.is_dir(), "--disk: there is no such directory"),
    (
        lambda o: o.workers > 1 and o.interpreted,
        "--workers is for a compiled search: leave --engine interpreted away",
    ),
)
"""Options that do not go together: when, and what to say."""


@takes(CheckOptions)
def command(asked: CheckOptions) -> int:
    """Explore every interleaving."""
    name, protocol = asked.load()
    instance = asked.instance(protocol, liveness=not asked.no_liveness)
    options = _validated(asked)
    expected = expected_of(protocol)
    with progress() as show:
        verdict, more = _searched(asked, instance, options, of_search(show))
    record = check_record(verdict, name, expected, more)
    if asked.as_json:
        print_json(record)
    else:
        print_check(verdict, more, name, expected, Console(highlight=False), every_property=asked.verbose)
    keep_trace(asked.trace, verdict.counterexample, name, again(asked, name))
    if asked.report is not None:
        page = html(verdict, more, record, command_line(asked.context), expected)
        keep_page(PAGE, asked.report, page)
    if asked.strict and verdict.outcome is Outcome.HOLDS and verdict.gaps:
        return Exit.VACUOUS
    return OF_VERDICT[verdict.outcome.value]


def _validated(asked: CheckOptions) -> Options:
    """How to search, when all options go together and all files can be written.

    Raises:
        UsageError: they do not, or cannot.
    """
    for contradicts, why in CONTRADICTIONS:
        if contradicts(asked):
            raise UsageError(why.format(asked))
    if asked.cluster and find_spec("ray") is None:
        raise UsageError("--cluster needs Ray: pip install 'postcopy-mc[cluster]'")
    if asked.kept:
        from postcopy.explorer.search.checkpoint import make_room, read

        if asked.checkpoint is not None:
            make_room(asked.checkpoint)
        if asked.resume is not None:
            read(asked.resume)
    options = asked.search()
    refuse_trace(asked.trace, force=asked.force)
    if asked.report is not None:
        PAGE.refuse(asked.report, option="--report", force=asked.force)
    provide_cache()
    return options


def _searched(
    asked: CheckOptions, instance: Instance, options: Options, report: Callable[[Progress], None]
) -> tuple[Verdict, list[Verdict]]:
    """The verdict, and those of the searches for more counterexamples. Ctrl-C ends a search with what it has found."""
    exploration = Exploration(instance, options, report)
    for reduction, why in exploration.kernel.inapplicable.items():
        if reduction is PAGES:  # on unless it is switched off: the verdict says why it is not used
            continue
        raise UsageError(f"{reduction.name} cannot be used: {why}; leave its option away")
    try:
        if asked.checkpoint is not None:
            exploration.keep(asked.checkpoint, asked.checkpoint_every)
        if asked.resume is not None:
            exploration.resume(asked.resume, asked.checkpoint_every)
        exploration.run()
    except KeyboardInterrupt:
        pass
    verdict = exploration.verdict()
    if not verdict.violated:
        return verdict, []
    wanted = None if asked.all_properties else asked.count
    return verdict, further(verdict, options, wanted, report, interruptible=True)
