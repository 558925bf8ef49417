"""`postcopy prove`: proofs with z3, for every size or at one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from msgspec import UNSET
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from postcopy.cache import user_cache
from postcopy.catalogue.properties import proved_of
from postcopy.cli.cache import provide_cache
from postcopy.cli.confirming import Confirmed, Confirming, confirmed, questions_of
from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.cli.options import HOW, SHOW, WHAT, AsJson, Force, KeepReport, PropertyNames, Selection
from postcopy.cli.output import command_line, keep_page, print_json
from postcopy.cli.parameters import choice, takes
from postcopy.cli.progress import OfProof, Show, progress
from postcopy.errors import UsageError
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.properties.bitmaps import LEMMAS
from postcopy.prover import lemmas, session
from postcopy.prover.confirmation.lemma_questions import question
from postcopy.prover.inference.completing import complete
from postcopy.prover.means import Means, cores
from postcopy.prover.obligations import Obligation
from postcopy.prover.session import ProofResult
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer, can_be_asked
from postcopy.report.pages.proof import FORMAT as PAGE
from postcopy.report.pages.proof import html
from postcopy.report.records.proof import lemmas_record, proof_record
from postcopy.report.results.proof import verdict_of
from postcopy.report.terminal.proof import print_lemma, print_mistakes, print_obligation, print_proof


class Method(StrEnum):
    """How to prove at one size."""

    INVARIANT = "invariant"
    K_INDUCTION = "k-induction"
    SPACER = "spacer"


@dataclass(frozen=True, kw_only=True)
class ProveOptions(Selection, Confirming):
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
    if asked.pages is None and (asked.in_flight, asked.host_page, asked.method) != (None, None, Method.INVARIANT):
        raise UsageError(
            "--in-flight, --host-page and --method go with --pages; without it the proof is for every size"
        )
    if asked.report is not None:
        PAGE.refuse(asked.report, option="--report", force=asked.force)
    asked.refuse(bit_vectors=asked.pages is not None, force=asked.force)
    if (asked.confirm or asked.smt2 is not None) and asked.method is Method.SPACER:
        raise UsageError("Spacer is asked one question of another kind: leave --confirm and --smt2 away")
    name, protocol = asked.load()
    if not asked.no_cache:
        provide_cache()
    with progress() as show:
        result = _proved(asked, protocol, show)
        second = _confirmed(asked, protocol, result, show)
    record = replace(proof_record(result, name), confirmation=second.record or UNSET)
    if asked.as_json:
        print_json(record)
    else:
        for obligation in result.proof.obligations if asked.details and result.proof is not None else ():
            print_obligation(obligation, console)
        print_proof(result, name, console, details=asked.details)
        _print_confirmed(second, asked, console)
    if asked.report is not None:
        keep_page(PAGE, asked.report, html(result, record, command_line(asked.context)))
    return second.exit(_exit(result))


def _confirmed(asked: ProveOptions, protocol: type[Protocol], result: ProofResult, show: Show) -> Confirmed:
    """What the options of second provers ask for."""
    if not asked.confirm and asked.smt2 is None:
        return Confirmed()
    _, invariant, ranking = proved_of(protocol, asked.properties or [])
    questions = questions_of(result, None if asked.properties else ranking, invariant)
    return confirmed(asked, questions, asked.workers or cores(), show, force=asked.force)


def _print_confirmed(second: Confirmed, asked: ProveOptions, console: Console) -> None:
    for line in second.lines(asked.smt2):
        console.print(Text(line))


def _proved(asked: ProveOptions, protocol: type[Protocol], show: Show) -> ProofResult:
    """The result of the proof that is asked for."""
    names = asked.properties or []
    properties, invariant, ranking = proved_of(protocol, names)
    if asked.pages is None:
        line = OfProof(show)

        def done(obligation: Obligation) -> None:
            line.done(obligation.conjunct, proved=obligation.status is Status.PROVED)

        of_the_end = None if names else ranking
        return session.every_size(
            protocol,
            properties,
            invariant,
            of_the_end,
            Means(asked.seed, asked.workers or cores(), None if asked.no_cache else user_cache(), line.expect),
            done,
            show,
            selected=bool(names),
            complete=complete,
        )
    group = protocol.group if asked.host_page is None else asked.host_page
    in_flight = 2 if asked.in_flight is None else asked.in_flight
    claims = [p for p in properties if can_be_asked(p)]
    instance = Instance(protocol, asked.pages, in_flight, claims, group)
    return session.at_size(instance, properties, invariant, asked.method.value, show)


def _exit(result: ProofResult) -> Exit:
    """The exit code of the worst answer: a violation is worse than a deadlock."""
    searches = [v.refutation for v in result.of(Answer.REFUTED) if v.refutation is not None]
    return max(OF_VERDICT[search.outcome.value] for search in searches) if searches else OF_VERDICT[verdict_of(result)]


def _prove_bitmaps(console: Console, asked: ProveOptions) -> Exit:
    asked.refuse(bit_vectors=True, force=asked.force)
    answers = []
    for answer in lemmas.prove_lemmas(LEMMAS, seed=asked.seed):
        answers.append(answer)
        if not asked.as_json:
            print_lemma(answer, console)
    mistakes = [lemmas.refute_mistake(lemma) for lemma in LEMMAS]
    proved = [a for a in answers if a.status is Status.PROVED]
    with progress("asking second provers") as show:
        questions = (question(a.lemma, a.bits) for a in proved)
        second = confirmed(asked, questions, asked.workers or cores(), show, force=asked.force)
    if asked.as_json:
        print_json(replace(lemmas_record(answers, mistakes), confirmation=second.record or UNSET))
    else:
        print_mistakes(answers, mistakes, console)
        _print_confirmed(second, asked, console)
    if len(proved) == len(answers):
        return second.exit(Exit.OK)
    return second.exit(Exit.VIOLATED if any(a.words for a in answers) else Exit.INCONCLUSIVE)
