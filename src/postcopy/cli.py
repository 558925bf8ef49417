"""The command `postcopy`: arguments in, exit codes out. What it prints is made in `postcopy.report`.

Exit codes are TLC's where it has one: 0 holds, 11 deadlock, 12 safety violated, 13 liveness violated; 2 for wrong
usage or input that cannot be read, with one line on stderr; 75 when a check is inconclusive.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy import __version__
from postcopy.conformance.cli import register
from postcopy.errors import PostcopyError, UsageError
from postcopy.explorer.explore import Exploration, Options, Outcome, Progress
from postcopy.explorer.fingerprint import fingerprint
from postcopy.explorer.simulate import WALKS, Finding, Plan, Simulation
from postcopy.explorer.trace import rebase
from postcopy.model.fault import Fault
from postcopy.model.faults import FAULTS
from postcopy.model.instance import Instance
from postcopy.model.language import Protocol
from postcopy.model.loading import by_name, group_of, load
from postcopy.model.rules import RULES
from postcopy.names import unknown
from postcopy.properties.catalogue import BY_NAME, choose
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.report import simulation, summary
from postcopy.report.itf import read_itf, write_itf
from postcopy.report.markdown import markdown
from postcopy.report.mermaid import mermaid
from postcopy.report.story import tell
from postcopy.report.svg import sequence_svg
from postcopy.report.text import print_story

EXIT = {
    Outcome.HOLDS: 0,
    Outcome.DEADLOCK: 11,
    Outcome.VIOLATED: 12,
    Outcome.LIVENESS: 13,
    Outcome.INCONCLUSIVE: 75,
}
EXIT_SIMULATED = {Finding.NOTHING: 0, Finding.DEADLOCK: 11, Finding.VIOLATED: 12, Finding.INTERRUPTED: 75}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Check postcopy live migration, and changes to it, exhaustively; counterexamples read like the protocol.",
)

register(app)

Target = Annotated[
    str | None, typer.Argument(metavar="[FILE.py:Class]", help="a protocol of your own; without it, the document's")
]
Pages = Annotated[int, typer.Option("--pages", help="how many target pages the guest has")]
InFlight = Annotated[int, typer.Option("--in-flight", help="how many messages each channel holds")]
HostPage = Annotated[int | None, typer.Option("--host-page", help="target pages of one host page")]
FaultName = Annotated[str | None, typer.Option("--fault", help="take one rule away (postcopy list faults)")]
PropertyNames = Annotated[
    list[str] | None, typer.Option("--property", help="check only this one; may be repeated (postcopy list properties)")
]
NoSymmetry = Annotated[
    bool, typer.Option("--no-symmetry", help="store every state, not one of those equal up to a renaming of pages")
]
NoLiveness = Annotated[
    bool, typer.Option("--no-liveness", help="leave out what must happen in the end: for large instances")
]
KeepTrace = Annotated[
    Path | None, typer.Option("--trace", help="write the counterexample to this file (.itf.json, .md, .mmd or .svg)")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]
MaxMemory = Annotated[str, typer.Option("--max-memory", help="memory for states, e.g. 512M or 4G")]
Engine = Annotated[str, typer.Option("--engine", help="auto, compiled or interpreted")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="cores that a large search may use")]
Keep = Annotated[Path | None, typer.Option("--checkpoint", help="keep the search in this directory as it goes")]
Resume = Annotated[Path | None, typer.Option("--resume", help="go on with the search that is kept in this directory")]
Every = Annotated[float, typer.Option("--checkpoint-every", min=0, help="seconds between two checkpoints")]


@app.command()
def check(
    target: Target = None,
    pages: Pages = 2,
    in_flight: InFlight = 2,
    host_page: HostPage = None,
    fault: FaultName = None,
    properties: PropertyNames = None,
    no_symmetry: NoSymmetry = False,
    no_liveness: NoLiveness = False,
    max_memory: MaxMemory = "4G",
    engine: Engine = "auto",
    workers: Workers = 1,
    checkpoint: Keep = None,
    resume: Resume = None,
    checkpoint_every: Every = 60.0,
    trace: KeepTrace = None,
    as_json: AsJson = False,
) -> int:
    """Explore every interleaving and say whether the properties hold; if not, show a shortest run that breaks one."""
    name, protocol = load(target, fault)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=not no_liveness)
    if checkpoint and resume:
        raise UsageError("--resume keeps the search where it was kept: --checkpoint beside it says nothing more")
    if (checkpoint or resume) and engine == "interpreted":
        raise UsageError("only a compiled search can be kept: leave --engine interpreted away")
    options = Options(
        not no_symmetry, _bytes(max_memory), "compiled" if checkpoint or resume else _engine(engine), workers
    )
    writer = _trace_writer(trace, f"postcopy check --fault {fault}" if fault else "") if trace else None
    console = Console(highlight=False)
    with _progress() as report:
        exploration = Exploration(instance, options, report)
        try:
            if checkpoint:
                exploration.keep(checkpoint, checkpoint_every)
            if resume:
                exploration.resume(resume, checkpoint_every)
            exploration.run()
        except KeyboardInterrupt:
            pass  # the verdict says that it was interrupted, and what was seen until then
        verdict = exploration.verdict()
    story = tell(verdict.counterexample) if verdict.counterexample else None
    expected = protocol.breaks if issubclass(protocol, Fault) else ()
    if as_json:
        print(json.dumps(summary.to_json(verdict, name, story, expected), indent=2, ensure_ascii=False))
    else:
        if story:
            print_story(story, console)
            console.print()
        summary.print_verdict(verdict, name, console, expected)
    if writer and verdict.counterexample:
        writer(verdict.counterexample, name)
    return EXIT[verdict.outcome]


@app.command()
def simulate(
    target: Target = None,
    pages: Pages = 8,
    in_flight: InFlight = 4,
    host_page: HostPage = None,
    fault: FaultName = None,
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
    name, protocol = load(target, fault)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=bool(properties))
    writer = _trace_writer(trace, "") if trace else None
    console = Console(highlight=False)
    with _progress() as report:
        walking = Simulation(instance, plan, lambda line: report(Progress(line)))
        try:
            walking.run()
        except KeyboardInterrupt:
            pass  # what was found says that it was interrupted, and what was seen until then
        found = walking.found()
    story = tell(found.counterexample) if found.counterexample else None
    breaks = protocol.breaks if issubclass(protocol, Fault) else ()
    expected = tuple(broken for broken in breaks if not BY_NAME[broken].of_runs)
    if as_json:
        print(json.dumps(simulation.to_json(found, name, story, expected), indent=2, ensure_ascii=False))
    else:
        if story:
            print_story(story, console)
            console.print()
        simulation.print_found(found, name, console, expected)
    if writer and found.counterexample:
        writer(found.counterexample, name)
    return EXIT_SIMULATED[found.finding]


@app.command("prove")
def prove_things(
    target: Target = None,
    pages: Annotated[
        int | None, typer.Option("--pages", help="prove at this size only, exactly; without it: for every size")
    ] = None,
    in_flight: Annotated[
        int | None, typer.Option("--in-flight", help="with --pages: messages each channel holds")
    ] = None,
    host_page: Annotated[
        int | None, typer.Option("--host-page", help="with --pages: target pages of a host page")
    ] = None,
    fault: FaultName = None,
    method: Annotated[
        str, typer.Option("--method", help="with --pages: invariant, k-induction or spacer")
    ] = "invariant",
    bitmaps: Annotated[bool, typer.Option("--bitmaps", help="prove the bitmap lemmas instead")] = False,
    seed: Annotated[int, typer.Option("--seed", help="of z3's random choices")] = 0,
    as_json: AsJson = False,
) -> int:
    """Prove with z3 that the properties hold, for any number of pages and any length of the channels."""
    from postcopy.prover import lemmas, session  # z3 takes a while to import
    from postcopy.report import proof as report

    console = Console(highlight=False)
    if bitmaps:
        return _prove_bitmaps(console, seed, as_json, lemmas, report)
    if method not in session.METHODS:
        raise UsageError(unknown("method", method, session.METHODS))
    if pages is None and (in_flight, host_page, method) != (None, None, "invariant"):
        raise UsageError(
            "--in-flight, --host-page and --method go with --pages; without it the proof is for every size"
        )
    name, protocol = load(target, fault)
    with _progress() as tell_progress:

        def phase(text: str) -> None:
            tell_progress(Progress(text))

        if pages is None:
            shown = (lambda _: None) if as_json else (lambda o: report.print_obligation(o, console))
            result = session.every_size(protocol, SAFETY, INVARIANT, seed, shown, phase)
        else:
            asked = [p for p in SAFETY if p.of_states or p.of_steps]
            group = group_of(protocol) if host_page is None else host_page
            instance = Instance(protocol, pages, in_flight or 2, asked, group)
            result = session.at_size(instance, INVARIANT, method, phase)
    if as_json:
        print(json.dumps(report.to_json(result, name), indent=2, ensure_ascii=False))
    else:
        report.print_result(result, name, console)
    if result.refutation is not None:
        return EXIT[result.refutation.outcome]
    return 0 if result.status.name == "PROVED" else EXIT[Outcome.INCONCLUSIVE]


def _prove_bitmaps(console: Console, seed: int, as_json: bool, lemmas: Any, report: Any) -> int:
    answers = []
    for answer in lemmas.prove_lemmas(seed=seed):
        answers.append(answer)
        if not as_json:
            report.print_lemma(answer, console)
    twins = [lemmas.refute_twin(lemma) for lemma in lemmas.LEMMAS]
    proved = all(a.status.name == "PROVED" for a in answers)
    if as_json:
        print(json.dumps(report.lemmas_to_json(answers, twins), indent=2, ensure_ascii=False))
    else:
        report.print_twins(answers, twins, console)
    return 0 if proved else EXIT[Outcome.VIOLATED if any(a.words for a in answers) else Outcome.INCONCLUSIVE]


@app.command("list")
def list_things(
    what: Annotated[str, typer.Argument(metavar="{faults,properties,actions,rules}", help="what to list")],
    target: Target = None,
    as_json: AsJson = False,
) -> int:
    """List the faults, properties, actions or rules that there are."""
    listings: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "faults": _faults,
        "properties": _properties,
        "actions": lambda: _actions(load(target)[1]),
        "rules": _rules,
    }
    if what not in listings:
        raise UsageError(f"there is nothing called {what} to list: {', '.join(listings)}")
    if target and what != "actions":
        raise UsageError("only actions can be listed of a file")
    rows = listings[what]()
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in rows[0]:
        short = column == "name" or all(len(str(row[column])) <= 4 for row in rows)
        table.add_column(column, overflow="fold", no_wrap=short, min_width=len(column) if short else None)
    for row in rows:
        table.add_row(*(Text(", ".join(v) if isinstance(v, list) else str(v)) for v in row.values()))
    Console(highlight=False).print(table)
    return 0


@app.command()
def trace(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a stored trace (.itf.json)")],
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print it as Markdown with a sequence chart")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="draw the sequence chart to this file")] = None,
) -> int:
    """Show a stored trace, replayed step by step on the model."""
    run = read_itf(file, _make, fingerprint)
    story = tell(run)
    if svg is not None:
        _save(svg, sequence_svg(story))
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


@app.command()
def graph(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="where to write: .dot, .svg or .graphml")],
    target: Target = None,
    pages: Pages = 1,
    in_flight: InFlight = 1,
    host_page: HostPage = None,
    fault: FaultName = None,
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
    from postcopy.report.graph import build, check_suffix, write  # networkx takes a while to import

    check_suffix(out)
    _, protocol = load(target, fault)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=False)
    with _progress() as report:
        exploration = Exploration(instance, Options(not no_symmetry, _bytes(max_memory)), report)
        exploration.run()
    chosen = None if all_states else tuple(by or ("source.phase", "destination.state"))
    write(build(exploration, chosen), out, loops=loops)
    return 0


@app.command()
def export(
    form: Annotated[str, typer.Argument(metavar="{promela,tla,aut}", help="for Spin, for TLC, for mCRL2 and CADP")],
    target: Target = None,
    pages: Pages = 2,
    in_flight: InFlight = 2,
    host_page: HostPage = None,
    fault: FaultName = None,
    properties: PropertyNames = None,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="write to this file, not to the terminal")] = None,
) -> int:
    """Write the model in another tool's language; the properties become assertions and invariants."""
    from postcopy.export.files import check_name, files

    check_name(form, out)
    name, protocol = load(target, fault)
    instance = _instance(protocol, pages, in_flight, host_page, properties or [], liveness=False)
    for path, text in files(form, instance, name, out).items():
        if path is None:
            print(text, end="")
        else:
            _save(path, text)
    return 0


@app.command()
def counterexamples(directory: Annotated[Path, typer.Argument(metavar="DIR", help="where to write them")]) -> int:
    """Write a shortest counterexample for every fault: ITF JSON and Markdown."""
    from postcopy.report.gallery import write_all

    with _progress() as report:
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
    try:
        code = app(arguments, prog_name="postcopy", standalone_mode=False)
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
        code = 0
    sys.exit(code)


_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]
"""Typer's own errors of usage; the class is not exported under a name of its own."""


def _complain(message: str) -> int:
    print(f"postcopy: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _instance(
    protocol: type[Protocol], pages: int, in_flight: int, host_page: int | None, names: list[str], liveness: bool
) -> Instance:
    group = group_of(protocol) if host_page is None else host_page
    chosen = [p for p in choose(names) if liveness or not p.of_runs]
    return Instance(protocol, pages, in_flight, chosen, group)


def _make(name: str, pages: int, in_flight: int, group: int) -> Instance:
    return Instance(by_name(name), pages, in_flight, tuple(BY_NAME.values()), group)


def _trace_writer(path: Path, command: str) -> Any:
    """How to write a counterexample to a file, by the file's ending; checked before anything is explored.

    Args:
        path: the file.
        command: the command line that finds the counterexample again, or nothing.
    """
    endings = {
        ".md": lambda run, _: _save(path, markdown(tell(run), command)),
        ".mmd": lambda run, _: _save(path, mermaid(tell(run))),
        ".svg": lambda run, _: _save(path, sequence_svg(tell(run))),
        ".json": lambda run, name: _store(path, run, name),
    }
    if path.suffix not in endings:
        raise UsageError(f"--trace {path}: the name has to end in {', '.join(endings)}")
    return endings[path.suffix]


def _store(path: Path, run: Any, name: str) -> None:
    instance = run.instance
    whole = rebase(run, _make(name, instance.pages, instance.in_flight, instance.group))
    try:
        write_itf(whole, path, name, fingerprint(instance))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


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


def _faults() -> list[dict[str, Any]]:
    return [
        {"name": name, "rule": f.rule, "what": " ".join((f.__doc__ or "").split()), "breaks": list(f.breaks)}
        for name, f in FAULTS.items()
    ]


def _properties() -> list[dict[str, Any]]:
    return [
        {"name": p.name, "kind": p.kind.value, "sentence": p.sentence, "rules": list(p.rules)} for p in BY_NAME.values()
    ]


def _actions(protocol: type[Protocol]) -> list[dict[str, Any]]:
    return [
        {
            "name": a.name,
            "thread": a.thread,
            "does": a.doc,
            "rule": a.info.rule,
            "qemu": a.info.qemu,
            "environment": a.info.environment,
        }
        for a in Instance(protocol, 2, 2).actions
    ]


def _rules() -> list[dict[str, Any]]:
    return [{"number": number, "rule": rule.sentence, "without it": rule.without} for number, rule in RULES.items()]


@contextmanager
def _progress() -> Iterator[Any]:
    """A progress line on stderr; silent where that is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading the protocol") as status:

        def show(progress: Progress) -> None:
            if progress.phase == "compiling":
                status.update("compiling the kernel (the first time for this protocol and size only)")
            elif progress.phase == "searching":
                rate = progress.states / progress.seconds if progress.seconds else 0.0
                status.update(
                    f"{progress.states:,} states, {rate:,.0f}/s, frontier {progress.frontier:,}, depth {progress.depth}"
                )
            else:
                status.update(progress.phase)

        yield show
