"""`postcopy prove`: proofs with z3, for every size or at one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from postcopy.api.proving import ProofSettings, ProveResult, run_proof
from postcopy.api.proving_bitmaps import run_lemmas
from postcopy.cli.cache import provide_cache
from postcopy.cli.confirming import ConfirmingOptions, exit_of
from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.cli.memory import within_memory
from postcopy.cli.options import HOW, SHOW, WHAT, AsJson, Force, KeepReport, PropertyNames
from postcopy.cli.output import command_line, keep_page, print_json
from postcopy.cli.parameters import choice
from postcopy.cli.progress import progress
from postcopy.cli.selection import Selection
from postcopy.cli.taking import takes
from postcopy.errors import UsageError
from postcopy.prover.lemmas import LemmaResult
from postcopy.report.pages.proof import FORMAT as PAGE
from postcopy.report.terminal.proof import print_lemma

TOO_LARGE = "allow more, or take fewer --workers, a smaller size, or one --property at a time"


class Method(StrEnum):
    """How to prove at one size."""

    INVARIANT = "invariant"
    K_INDUCTION = "k-induction"
    SPACER = "spacer"


@dataclass(frozen=True, kw_only=True)
class ProveOptions(Selection, ConfirmingOptions):
    """All options of the command."""

    context: typer.Context
    pages: Annotated[
        int | None,
        typer.Option(
            "--pages",
            metavar="N",
            help="prove at this size only, exactly; without it: for every size",
            rich_help_panel=WHAT,
        ),
    ] = None
    in_flight: Annotated[
        int | None,
        typer.Option(
            "--in-flight", metavar="N", help="with --pages: messages each channel holds", rich_help_panel=WHAT
        ),
    ] = None
    host_page: Annotated[
        int | None,
        typer.Option(
            "--host-page", metavar="N", help="with --pages: target pages of a host page", rich_help_panel=WHAT
        ),
    ] = None
    method: Annotated[
        Method, choice(Method, "method", "--method", help="with --pages, how to prove", rich_help_panel=HOW)
    ] = Method.INVARIANT
    bitmaps: Annotated[
        bool,
        typer.Option(
            "--bitmaps",
            help="prove the lemmas about bitmaps of 64 pages a word instead",
            rich_help_panel=WHAT,
        ),
    ] = False
    properties: PropertyNames = None
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="of z3's random choices", rich_help_panel=HOW)] = 0
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=64,
            help="processes that ask z3 for every size; without it: one for each core",
            rich_help_panel=HOW,
        ),
    ] = None
    max_memory: Annotated[
        str,
        typer.Option(
            "--max-memory",
            metavar="SIZE",
            help="memory of all its processes, e.g. 512M or 4G",
            rich_help_panel=HOW,
        ),
    ] = "4G"
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="ask z3 everything anew, and keep no answer", rich_help_panel=HOW),
    ] = False
    details: Annotated[
        bool,
        typer.Option("--details", help="every obligation, property and run, not the summary", rich_help_panel=SHOW),
    ] = False
    report: KeepReport = None
    force: Force = False
    as_json: AsJson = False

    def settings(self) -> ProofSettings:
        """How the proof is made."""
        return ProofSettings(
            pages=self.pages,
            in_flight=self.in_flight,
            host_page=self.host_page,
            properties=tuple(self.properties or ()),
            method=self.method.value,
            seed=self.seed,
            workers=self.workers,
            cache=not self.no_cache,
            second=self.second(force=self.force),
        )


@takes(ProveOptions)
def command(asked: ProveOptions) -> int:
    """Prove that the properties hold."""
    console = Console(highlight=False)
    if asked.bitmaps:
        given = (asked.target, asked.fault, asked.change, asked.bug, asked.pages, asked.in_flight, asked.host_page)
        if any(one is not None for one in given):
            raise UsageError("--bitmaps proves lemmas of arithmetic: leave the protocol and its size away")
        if asked.report is not None or asked.properties:
            raise UsageError("--bitmaps has its own lemmas and no page: leave --property and --report away")
        return _prove_bitmaps(console, asked)
    if asked.report is not None:
        PAGE.refuse(asked.report, option="--report", force=asked.force)
    settings = asked.settings()
    settings.refuse()
    named = asked.load()
    if not asked.no_cache:
        provide_cache()
    with progress() as line, within_memory(asked.max_memory, TOO_LARGE, line) as show:
        result = run_proof(named, settings, show)
    if asked.as_json:
        print_json(result.record)
    else:
        result.print_to(console, details=asked.details)
    if asked.report is not None:
        keep_page(PAGE, asked.report, result.page(command_line(asked.context)))
    return exit_of(result.second, _exit(result))


def _exit(result: ProveResult) -> Exit:
    """The exit code of the worst answer: a violation is worse than a deadlock."""
    searches = [v.refutation for v in result.refuted if v.refutation is not None]
    return max(OF_VERDICT[search.outcome.value] for search in searches) if searches else OF_VERDICT[result.verdict]


def _prove_bitmaps(console: Console, asked: ProveOptions) -> Exit:
    def show(answer: LemmaResult) -> None:
        if not asked.as_json:
            print_lemma(answer, console)

    with progress("asking second provers") as line:
        result = run_lemmas(asked.seed, asked.workers, asked.second(force=asked.force), line, show)
    if asked.as_json:
        print_json(result.record)
    else:
        result.print_end(console)
    return exit_of(result.second, EXIT_OF_LEMMAS[result.verdict])


EXIT_OF_LEMMAS = {"proved": Exit.OK, "refuted": Exit.VIOLATED, "not proved": Exit.INCONCLUSIVE}
"""The exit code of each verdict on the lemmas."""
