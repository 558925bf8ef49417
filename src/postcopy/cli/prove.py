"""The command for who does not stop at a size: `postcopy prove`. `postcopy.cli.main` takes it in."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import asked_of
from postcopy.cli.exits import EXIT
from postcopy.cli.options import CHECKING, HOW, WHAT, AsJson, BugName, ChangeName, FaultName, Target
from postcopy.cli.progress import progress
from postcopy.errors import UsageError
from postcopy.explorer.explore import Outcome, Progress
from postcopy.language.instance import Instance
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.suggestions import unknown


def prove_things(
    target: Target = None,
    fault: FaultName = None,
    change: ChangeName = None,
    bug: BugName = None,
    pages: Annotated[
        int | None,
        typer.Option(
            "--pages",
            metavar="N",
            help="prove at this size only, exactly; without it: for every size",
            rich_help_panel=WHAT,
        ),
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option(
            "--in-flight", metavar="N", help="with --pages: messages each channel holds", rich_help_panel=WHAT
        ),
    ] = None,
    host_page: Annotated[
        int | None,
        typer.Option(
            "--host-page", metavar="N", help="with --pages: target pages of a host page", rich_help_panel=WHAT
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method", metavar="NAME", help="with --pages: invariant, k-induction or spacer", rich_help_panel=HOW
        ),
    ] = "invariant",
    bitmaps: Annotated[
        bool,
        typer.Option(
            "--bitmaps", help="prove the lemmas about bitmaps of 64 pages a word instead", rich_help_panel=WHAT
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="of z3's random choices", rich_help_panel=HOW)] = 0,
    as_json: AsJson = False,
) -> int:
    """Prove with z3 that the properties hold, for any number of pages and any length of the channels."""
    from postcopy.prover import (
        lemmas,
        session,  # z3 takes a while to import
    )
    from postcopy.report.results import proof as report

    console = Console(highlight=False)
    if bitmaps:
        if any(given is not None for given in (target, fault, change, bug, pages, in_flight, host_page)):
            raise UsageError("--bitmaps proves lemmas of arithmetic: leave the protocol and its size away")
        return _prove_bitmaps(console, seed, as_json, lemmas, report)
    if method not in session.METHODS:
        raise UsageError(unknown("method", method, session.METHODS))
    if pages is None and (in_flight, host_page, method) != (None, None, "invariant"):
        raise UsageError(
            "--in-flight, --host-page and --method go with --pages; without it the proof is for every size"
        )
    name, protocol = load(target, fault, change, bug)
    asked = [p for p in asked_of(protocol) if p in SAFETY]
    with progress() as tell_progress:

        def phase(text: str) -> None:
            tell_progress(Progress(text))

        if pages is None:
            shown = (lambda _: None) if as_json else (lambda o: report.print_obligation(o, console))
            result = session.every_size(protocol, asked, INVARIANT, seed, shown, phase)
        else:
            group = protocol.group if host_page is None else host_page
            in_flight = 2 if in_flight is None else in_flight
            instance = Instance(protocol, pages, in_flight, [p for p in asked if p.of_states or p.of_steps], group)
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


def add_to(app: typer.Typer) -> None:
    """Make it a command of the command line."""
    app.command("prove", rich_help_panel=CHECKING)(prove_things)
