"""The command `postcopy`: arguments in, exit codes out. What it prints is made in `postcopy.report`.

Exit codes are TLC's where it has one: 0 holds, 11 deadlock, 12 safety violated, 13 liveness violated; 2 for wrong
usage or input that cannot be read, with one line on stderr; 75 when a check is inconclusive.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy import __version__
from postcopy.catalogue.loading import expected_of, load
from postcopy.catalogue.properties import choose, everything, with_everything
from postcopy.cli import changes as cli_changes
from postcopy.cli import explore as cli_explore
from postcopy.cli import outputs
from postcopy.cli import prove as cli_prove
from postcopy.cli.exits import EXIT
from postcopy.cli.migrating import register
from postcopy.cli.options import (
    CHECKING,
    GIVING,
    LOOKING,
    AllProperties,
    AsJson,
    BugName,
    ChangeName,
    Count,
    Disk,
    Engine,
    Every,
    FaultName,
    HostPage,
    InFlight,
    Keep,
    KeepReport,
    KeepTrace,
    MaxMemory,
    NoLiveness,
    NoSymmetry,
    OnCluster,
    Pages,
    PropertyNames,
    ResetDead,
    Resume,
    Target,
    VcpuSymmetry,
    Workers,
)
from postcopy.cli.progress import progress
from postcopy.errors import PostcopyError, UsageError
from postcopy.explorer.enumerate import further
from postcopy.explorer.explore import Exploration, Options, Outcome, Progress
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.explorer.simulation.simulate import WALKS, Finding, Plan, Simulation
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.language.trace import rebase
from postcopy.report.charts.markdown import markdown
from postcopy.report.charts.mermaid import mermaid
from postcopy.report.charts.svg import sequence_svg
from postcopy.report.results import check as summary
from postcopy.report.results import simulation
from postcopy.report.results.listings import LISTINGS, OF_A_PROTOCOL, shown
from postcopy.report.story.itf import read_itf, write_itf
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story
from postcopy.suggestions import unknown

EXIT_SIMULATED = {Finding.NOTHING: 0, Finding.DEADLOCK: 11, Finding.VIOLATED: 12, Finding.INTERRUPTED: 75}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Check postcopy live migration, and changes to it, exhaustively; counterexamples read like the protocol.",
)


@app.command(rich_help_panel=CHECKING)
def check(
    context: typer.Context,
    target: Target = None,
    fault: FaultName = None,
    change: ChangeName = None,
    bug: BugName = None,
    pages: Pages = 2,
    in_flight: InFlight = 2,
    host_page: HostPage = None,
    properties: PropertyNames = None,
    no_liveness: NoLiveness = False,
    no_symmetry: NoSymmetry = False,
    vcpu_symmetry: VcpuSymmetry = False,
    reset_dead: ResetDead = False,
    max_memory: MaxMemory = "4G",
    disk: Disk = None,
    engine: Engine = "auto",
    workers: Workers = 1,
    cluster: OnCluster = 0,
    checkpoint: Keep = None,
    checkpoint_every: Every = 60.0,
    resume: Resume = None,
    trace: KeepTrace = None,
    report_file: KeepReport = None,
    count: Count = 1,
    all_properties: AllProperties = False,
    as_json: AsJson = False,
) -> int:
    """Explore every interleaving and say whether the properties hold; if not, show a shortest run that breaks one."""
    name, protocol = load(target, fault, change, bug)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=not no_liveness)
    if count < 1:
        raise UsageError(f"--count {count} is out of range: 1 or more")
    if all_properties and count > 1:
        raise UsageError("give --count or --all-properties, not both")
    if checkpoint and resume:
        raise UsageError("--resume keeps the search where it was kept: --checkpoint beside it says nothing more")
    if (checkpoint or resume) and engine == "interpreted":
        raise UsageError("only a compiled search can be kept: leave --engine interpreted away")
    if disk and (checkpoint or resume or workers > 1 or cluster):
        raise UsageError("--disk goes with neither --checkpoint, --resume, --cluster nor several --workers")
    if cluster and workers > 1:
        raise UsageError("--cluster says how many processes there are: --workers beside it says nothing more")
    if (disk or cluster) and engine == "interpreted":
        raise UsageError("only a compiled search leaves this process's memory: leave --engine interpreted away")
    if disk and not disk.is_dir():
        raise UsageError(f"--disk {disk}: no such directory")
    if workers > 1 and engine == "interpreted":
        raise UsageError("--workers is for a compiled search: leave --engine interpreted away")
    if checkpoint or resume:  # better said now than after the compiler
        from postcopy.explorer.search.checkpoint import make_room, read

        if checkpoint:
            make_room(checkpoint)
        if resume:
            read(resume)
    engine = "compiled" if checkpoint or resume or cluster else _engine(engine)
    options = Options(not no_symmetry, _bytes(max_memory), engine, workers, vcpu_symmetry, disk, reset_dead, cluster)
    writer = _trace_writer(trace, _command(fault, change, bug)) if trace else None
    if report_file:
        if report_file.suffix != ".html":
            raise UsageError(f"--report {report_file}: the name has to end in .html")
        outputs.check(report_file, option="--report")
    console = Console(highlight=False)
    with progress() as report:
        exploration = Exploration(instance, options, report)
        if exploration.told_apart:
            raise UsageError(f"--vcpu-symmetry: {exploration.told_apart} tells vCPUs apart")
        try:
            if checkpoint:
                exploration.keep(checkpoint, checkpoint_every)
            if resume:
                exploration.resume(resume, checkpoint_every)
            exploration.run()
        except KeyboardInterrupt:
            pass  # the verdict says that it was interrupted, and what was seen until then
        verdict = exploration.verdict()
        wanted = None if all_properties else count
        more = further(verdict, options, wanted, report, interruptible=True) if verdict.violated else []
    story = tell(verdict.counterexample) if verdict.counterexample else None
    expected = expected_of(protocol)
    found = summary.to_json(verdict, name, story, expected) | {"further": [summary.short(each) for each in more]}
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for each in (verdict, *more):
            if each.counterexample:
                print_story(tell(each.counterexample), console)
                console.print()
        summary.print_verdict(verdict, name, console, expected)
        for each in more:
            console.print(Text(f"without what is violated: {summary.sentence(each)}"))
    _keep(writer, trace, verdict.counterexample, name)
    if report_file:
        from postcopy.report.pages.check import html

        outputs.save(report_file, html(verdict, more, found, shlex.join(["postcopy", *context.obj]), expected))
    return EXIT[verdict.outcome]


@app.command(rich_help_panel=CHECKING)
def simulate(
    target: Target = None,
    pages: Pages = 8,
    in_flight: InFlight = 4,
    host_page: HostPage = None,
    fault: FaultName = None,
    change: ChangeName = None,
    bug: BugName = None,
    properties: PropertyNames = None,
    seed: Annotated[int, typer.Option("--seed", help="the same seed makes the same walks, on every machine")] = 1,
    walks: Annotated[
        int | None, typer.Option("--walks", help="how many walks to make", show_default=f"{WALKS}")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="how long to walk, instead of --walks")] = None,
    depth: Annotated[int, typer.Option("--depth", help="no walk goes further from the start")] = Plan.depth,
    trace: KeepTrace = None,
    as_json: AsJson = False,
) -> int:
    """Walk at random where there is too much to explore, and shorten what is found. Finding nothing proves nothing."""
    plan = Plan(seed, depth, walks, seconds)
    name, protocol = load(target, fault, change, bug)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=bool(properties))
    writer = _trace_writer(trace, "") if trace else None
    console = Console(highlight=False)
    with progress() as report:
        walking = Simulation(instance, plan, lambda line: report(Progress(line)))
        try:
            walking.run()
        except KeyboardInterrupt:
            pass  # what was found says that it was interrupted, and what was seen until then
        found = walking.found()
    story = tell(found.counterexample) if found.counterexample else None
    of_runs = {p.name for p in everything(protocol) if p.of_runs}
    expected = tuple(broken for broken in expected_of(protocol) if broken not in of_runs)
    if as_json:
        print(json.dumps(simulation.to_json(found, name, story, expected), indent=2, ensure_ascii=False))
    else:
        if story:
            print_story(story, console)
            console.print()
        simulation.print_found(found, name, console, expected)
    _keep(writer, trace, found.counterexample, name)
    return EXIT_SIMULATED[found.finding]


cli_prove.add_to(app)


@app.command("list", rich_help_panel=LOOKING)
def list_things(
    what: Annotated[
        str, typer.Argument(metavar="{faults,changes,history,properties,actions,rules}", help="what to list")
    ],
    target: Target = None,
    change: ChangeName = None,
    as_json: AsJson = False,
) -> int:
    """List the faults, changes, real bugs and rules that there are, or the properties and actions of a protocol."""
    if what not in LISTINGS:
        raise UsageError(f"there is nothing called {what} to list: {', '.join(LISTINGS)}")
    if (target or change) and what not in OF_A_PROTOCOL:
        raise UsageError(f"only {' and '.join(sorted(OF_A_PROTOCOL))} can be listed of a file or change")
    rows = LISTINGS[what](load(target, change=change)[1])
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    rows = [shown(what, row) for row in rows]
    columns = list(rows[0])
    for column in columns:
        short = column == "name" or all(len(str(row[column])) <= 6 for row in rows)
        table.add_column(column, overflow="fold", no_wrap=short, min_width=len(column) if short else None)
    for row in rows:
        table.add_row(*(Text(", ".join(v) if isinstance(v, list) else str(v)) for v in (row[c] for c in columns)))
    Console(highlight=False).print(table)
    return 0


@app.command(rich_help_panel=LOOKING)
def trace(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a stored trace (.itf.json)")],
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print it as Markdown with a sequence chart")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="draw the sequence chart to this file")] = None,
) -> int:
    """Show a stored trace, replayed step by step on the model."""
    if as_json and as_markdown:
        raise UsageError("give --json or --markdown, not both")
    if svg is not None:
        if svg.suffix != ".svg":
            raise UsageError(f"--svg {svg}: the name has to end in .svg")
        outputs.check(svg, option="--svg")
    run = read_itf(file, with_everything, fingerprint)
    story = tell(run)
    if svg is not None:
        outputs.save(svg, sequence_svg(story))
    if as_json:
        print(
            json.dumps(
                {"protocol": story.protocol, "violated": run.violated} | summary.counterexample(story),
                indent=2,
                ensure_ascii=False,
            )
        )
    elif as_markdown:
        print(markdown(story))
    else:
        print_story(story, Console(highlight=False))
    return 0


@app.command(rich_help_panel=LOOKING)
def graph(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="where to write: .html, .svg, .dot or .graphml")],
    target: Target = None,
    pages: Pages = 1,
    in_flight: InFlight = 1,
    host_page: HostPage = None,
    fault: FaultName = None,
    change: ChangeName = None,
    bug: BugName = None,
    properties: PropertyNames = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="a variable, machine or glob to tell states apart by; may be repeated"),
    ] = None,
    all_states: Annotated[bool, typer.Option("--all-states", help="every state, no quotient")] = False,
    loops: Annotated[bool, typer.Option("--loops", help="show steps that stay in one node")] = False,
    no_symmetry: NoSymmetry = False,
    max_memory: MaxMemory = "1G",
) -> int:
    """Draw the state space of a small instance, or what is left of it when only some variables are looked at."""
    from postcopy.report.state_graph.files import build, check_suffix, write  # networkx takes a while to import

    check_suffix(out)
    outputs.check(out)
    if by and all_states:
        raise UsageError("give --by or --all-states, not both")
    _, protocol = load(target, fault, change, bug)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=False)
    with progress() as report:
        exploration = Exploration(instance, Options(not no_symmetry, _bytes(max_memory)), report)
        exploration.run()
    chosen = None if all_states else tuple(by or ("source.phase", "destination.state"))
    drawn = build(exploration, chosen)
    write(drawn, out, loops=loops, command=shlex.join(["postcopy", *context.obj]))
    print(f"{out}: {drawn.nodes:,} nodes for {drawn.states:,} states")
    verdict = exploration.verdict()
    if verdict.violated:
        print(f"the search ended with a violation of {verdict.violated.name}: what lies beyond is not in it")
    if verdict.outcome is Outcome.INCONCLUSIVE:
        print(f"not the whole: {verdict.why}")
        return EXIT[verdict.outcome]
    return 0


cli_explore.add_to(app)
cli_changes.add_to(app)
register(app)


@app.command(rich_help_panel=GIVING)
def export(
    form: Annotated[str, typer.Argument(metavar="{promela,tla,aut}", help="for Spin, for TLC, for mCRL2 and CADP")],
    target: Target = None,
    pages: Pages = 2,
    in_flight: InFlight = 2,
    host_page: HostPage = None,
    fault: FaultName = None,
    change: ChangeName = None,
    bug: BugName = None,
    properties: PropertyNames = None,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="write to this file, not to the terminal")] = None,
) -> int:
    """Write the model in another tool's language; the properties become assertions and invariants."""
    from postcopy.export.files import check_name, files

    check_name(form, out)
    if out is not None:
        outputs.check(out, outputs.EXPORTS, option="-o")
        if form == "tla":
            outputs.check(out.with_suffix(".cfg"))
    name, protocol = load(target, fault, change, bug)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=False)
    for path, text in files(form, instance, name, out).items():
        if path is None:
            print(text, end="")
        else:
            outputs.save(path, text)
    return 0


@app.command(rich_help_panel=GIVING)
def counterexamples(directory: Annotated[Path, typer.Argument(metavar="DIR", help="where to write them")]) -> int:
    """Write a shortest counterexample for every fault: ITF JSON and Markdown."""
    from postcopy.report.gallery import write_all

    with progress() as report:
        count = write_all(directory, lambda name: report(Progress(name)))
    print(f"{count} counterexamples in {directory}")
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        print(f"postcopy {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """What stands before a command."""


def main(arguments: list[str] | None = None) -> None:
    """The entry point: run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(encoding="utf-8")  # a check mark has no other form, and JSON is UTF-8 anyway
    try:
        given = sys.argv[1:] if arguments is None else arguments
        code = app(given, prog_name="postcopy", standalone_mode=False, obj=given)
        if sys.stdout is not None:
            sys.stdout.flush()
    except typer.Exit as done:
        code = done.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except PostcopyError as error:
        code = _complain(str(error))
    except _CommandLineError as error:
        code = _complain(error.format_message())  # type: ignore[attr-defined]
    except BrokenPipeError:  # the reader has gone, as with | head
        sys.stdout = None
        code = 141
    except OSError as error:  # what was to be written or read is not there, or is full
        sys.stdout = None
        code = _complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    sys.exit(code)


_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]
"""Typer's own errors of usage; the class is not exported under a name of its own."""


def _complain(message: str) -> int:
    print(f"postcopy: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _instance(
    protocol: type[Protocol], pages: int, in_flight: int, host_page: int | None, names: list[str], liveness: bool
) -> Instance:
    group = protocol.group if host_page is None else host_page
    asked = choose(names, protocol)
    chosen = [p for p in asked if liveness or not p.of_runs]
    if names and len(chosen) < len(asked):
        lost = next(p.name for p in asked if p.of_runs)
        raise UsageError(f"{lost} speaks of whole runs: only `postcopy check` without --no-liveness can be asked that")
    return Instance(protocol, pages, in_flight, chosen, group)


def _command(fault: str | None, change: str | None, bug: str | None) -> str:
    """The command line that checks a protocol of the catalogues again; empty for one of the user's own."""
    given = [f"--{option} {name}" for option, name in (("fault", fault), ("change", change), ("bug", bug)) if name]
    return f"postcopy check {given[0]}" if given else ""


def _trace_writer(path: Path, command: str) -> Any:
    """How to write a counterexample to a file, by the file's ending; checked before anything is explored.

    Args:
        path: the file.
        command: the command line that finds the counterexample again, or nothing.
    """
    endings = {
        ".md": lambda run, _: outputs.save(path, markdown(tell(run), command)),
        ".mmd": lambda run, _: outputs.save(path, mermaid(tell(run))),
        ".svg": lambda run, _: outputs.save(path, sequence_svg(tell(run))),
        ".json": lambda run, name: _store(path, run, name),
    }
    if path.suffix not in endings:
        raise UsageError(f"--trace {path}: the name has to end in {', '.join(endings)}")
    outputs.check(path, option="--trace")
    return endings[path.suffix]


def _keep(writer: Any, path: Path | None, counterexample: Any, name: str) -> None:
    """Write what was found with a writer of `_trace_writer`, or say that what is in its file is of an earlier run."""
    if writer and counterexample:
        writer(counterexample, name)
    elif path and path.exists():
        print(f"{path} is of an earlier run: now there is no counterexample", file=sys.stderr)


def _store(path: Path, run: Any, name: str) -> None:
    instance = run.instance
    whole = rebase(run, with_everything(name, instance.pages, instance.in_flight, instance.group))
    write_itf(whole, path, name, fingerprint(instance))


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[match[2].upper()] if match else 0
    if not 1 << 20 <= size <= 1 << 44:
        raise UsageError(f"--max-memory {text}: a size from 1M to 16T, e.g. 512M or 4G")
    return size


def _engine(name: str) -> str:
    if name not in ("auto", "compiled", "interpreted"):
        raise UsageError(unknown("engine", name, ["auto", "compiled", "interpreted"]))
    return name
