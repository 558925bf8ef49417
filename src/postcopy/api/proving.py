"""`prove`: proofs with z3, for every size or at one, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from postcopy.api.asking import (
    NamedProtocol,
    PropertiesLike,
    ProtocolLike,
    functions,
    listed,
    load,
    path_or_none,
    unless_none,
    whole_numbers,
)
from postcopy.api.confirming import NO_SECOND, NOT_CONFIRMED, Confirmed, Confirming, confirmed, questions_of
from postcopy.api.progress import OfProof, Show, silent
from postcopy.api.result import Result
from postcopy.cache import user_cache
from postcopy.catalogue.properties import proved_of
from postcopy.errors import UsageError
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.trace import Trace
from postcopy.model.postcopy import Postcopy
from postcopy.prover import session
from postcopy.prover.inference.completing import complete
from postcopy.prover.means import Means, cores
from postcopy.prover.obligations import Obligation
from postcopy.prover.session import METHODS, ProofResult
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer, PropertyVerdict, can_be_asked
from postcopy.report.pages.proof import html
from postcopy.report.records.proof import ProofRecord, proof_record
from postcopy.report.results.proof import refuted, sentence, verdict_of
from postcopy.report.terminal.proof import print_obligation, print_proof
from postcopy.suggestions import not_among
from postcopy.surface import setting


@dataclass(frozen=True, kw_only=True)
class ProofSettings:
    """How a proof is made.

    Attributes:
        pages: prove at this size only, exactly; None for every size.
        in_flight: at a size, messages that each channel holds; None for 2.
        host_page: at a size, target pages of a host page; None for what the protocol says.
        properties: only these; none for all that can be proved.
        method: at a size, how to prove: one of `postcopy.prover.session.METHODS`.
        seed: of z3's random choices.
        workers: processes that ask z3 for every size, and second provers; None for one for each core.
        cache: answers are kept, and not asked again.
        second: whether second provers are asked.
    """

    pages: int | None = None
    in_flight: int | None = None
    host_page: int | None = None
    properties: tuple[str | Property, ...] = ()
    method: str = "invariant"
    seed: int = 0
    workers: int | None = None
    cache: bool = True
    second: Confirming = NO_SECOND

    def refuse(self) -> None:
        """Refuse settings that do not go together, and what cannot be done.

        Raises:
            UsageError: they do not, or it cannot.
        """
        if self.method not in METHODS:
            raise UsageError(not_among("method", self.method, METHODS))
        if self.pages is None and (self.in_flight, self.host_page, self.method) != (None, None, "invariant"):
            raise UsageError(
                f"{setting('in_flight')}, {setting('host_page')} and {setting('method')} go with {setting('pages')}; "
                "without it the proof is for every size"
            )
        if self.workers is not None and not 1 <= self.workers <= 64:
            raise UsageError(f"{setting('workers', self.workers)} is out of range: from 1 to 64")
        self.second.refuse(bit_vectors=self.pages is not None)
        if self.second.wanted and self.method == "spacer":
            raise UsageError(
                f"Spacer is asked one question of another kind: leave {setting('confirm')} and {setting('smt2')} away"
            )


@dataclass(frozen=True, repr=False)
class ProveResult(Result):
    """The result of a proof.

    Attributes:
        name: the protocol's name.
        found: all that the proof has found.
        selected: only some properties were asked.
        second: what second provers say, where they were asked.
    """

    name: str
    found: ProofResult
    selected: bool = False
    second: Confirmed = NOT_CONFIRMED

    @property
    def verdict(self) -> str:
        """The worst of the answers to the properties: ``refuted``, ``not proved``, ``proved``."""
        return verdict_of(self.found)

    @property
    def gave_up(self) -> bool:
        """It is not proved because z3 gave up, so that another try, or more time, may prove it."""
        return self.verdict == "not proved" and self.found.gave_up

    def named(self, answer: str) -> tuple[str, ...]:
        """The properties with an answer, by name.

        Args:
            answer: ``proved``, ``refuted``, ``not proved`` or ``not asked``.

        Raises:
            UsageError: there is no such answer.
        """
        words = [each.value for each in Answer]
        if answer not in words:
            raise UsageError(not_among("answer", answer, words))
        return tuple(v.property.name for v in self.found.of(Answer(answer)))

    @property
    def sentence(self) -> str:
        """What was proved, or not, and what was not asked."""
        return sentence(self.found, self.name)

    @property
    def refuted(self) -> tuple[PropertyVerdict, ...]:
        """The refuted properties, the one with the shortest run first."""
        return tuple(refuted(self.found))

    @property
    def counterexample(self) -> Trace | None:
        """The shortest run that refutes a property, or None."""
        runs = (v.refutation.counterexample for v in self.refuted if v.refutation is not None)
        return next((run for run in runs if run is not None), None)

    @property
    def record(self) -> ProofRecord:
        """All that ``--json`` prints."""
        return replace(proof_record(self.found, self.name), confirmation=self.second.record or UNSET)

    def print_to(self, console: Console, *, details: bool = False) -> None:
        """Print the result as the terminal shows it.

        Args:
            console: where to.
            details: every obligation, property and run, not the summary.
        """
        for obligation in self.found.proof.obligations if details and self.found.proof is not None else ():
            print_obligation(obligation, console)
        print_proof(self.found, self.name, console, details=details)
        for line in self.second.lines:
            console.print(Text(line))

    def page(self, command: str = "") -> str:
        """The page of ``--report``.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return html(self.found, self.record, command)

    def __bool__(self) -> bool:
        """True: all that can be asked of the protocol is proved for every size. False: a run refutes a property.

        Raises:
            UndecidedError: neither is so.
        """
        if self.verdict == "refuted":
            return False
        if self.verdict != "proved":
            raise self._undecided(self.sentence)
        if self.selected:
            raise self._undecided("only the properties that were chosen are proved")
        if self.found.answer is not None:
            raise self._undecided("it is proved at one size, and not for every size")
        if self.second.disagrees:
            raise self._undecided("a second prover disagrees")
        return True


def prove(
    protocol: ProtocolLike = Postcopy,
    *,
    pages: int | None = None,
    in_flight: int | None = None,
    host_page: int | None = None,
    properties: PropertiesLike = (),
    method: str = "invariant",
    seed: int = 0,
    workers: int | None = None,
    cache: bool = True,
    confirm: bool = False,
    smt2: str | Path | None = None,
    progress: Show = silent,
) -> ProveResult:
    """Prove with z3 that the properties hold, for any number of pages and any length of the channels.

    Args:
        protocol: its class, or what the command line takes: a name, FILE.py:Class, or several with + between them.
        pages: prove at this size only, exactly; None for every size.
        in_flight: with pages: messages that each channel holds.
        host_page: with pages: target pages of a host page.
        properties: only these, by name; none for all that can be proved.
        method: with pages, how to prove: ``invariant``, ``k-induction`` or ``spacer``.
        seed: of z3's random choices.
        workers: processes that ask z3 for every size; None for one for each core.
        cache: keep answers, and do not ask again what is kept.
        confirm: ask cvc5 too (and bitwuzla, about bit-vectors) what z3 has proved.
        smt2: directory to write what z3 has proved to, a question a file, in SMT-LIB 2.
        progress: is called with a line that says how far the proof has come.

    Raises:
        UsageError: there is no such protocol or property, the size does not fit, or settings contradict each other.
        SpecError: the protocol or a property cheats or errs.
    """
    whole_numbers(seed=seed)
    unless_none(whole_numbers, pages=pages, in_flight=in_flight, host_page=host_page, workers=workers)
    functions(progress=progress)
    named = load(protocol)
    settings = ProofSettings(
        pages=pages,
        in_flight=in_flight,
        host_page=host_page,
        properties=tuple(listed(properties)),
        method=method,
        seed=seed,
        workers=workers,
        cache=cache,
        second=Confirming(confirm, path_or_none("smt2", smt2)),
    )
    settings.refuse()
    return run_proof(named, settings, progress)


def run_proof(named: NamedProtocol, settings: ProofSettings, progress: Show) -> ProveResult:
    """Prove as the settings say, which contradict nothing, and ask second provers where that is wanted.

    Args:
        named: the protocol and its name.
        settings: how.
        progress: is called with a line that says how far the proof has come.

    Raises:
        UsageError: there is no such property, or the size does not fit.
        SpecError: the protocol or a property cheats or errs.
    """
    found = _proved(named, settings, progress)
    second = NOT_CONFIRMED
    if settings.second.wanted:
        _, invariant, ranking = proved_of(named.protocol, settings.properties)
        questions = questions_of(found, None if settings.properties else ranking, invariant)
        second = confirmed(settings.second, questions, settings.workers or cores(), progress)
    return ProveResult(named.name, found, bool(settings.properties), second)


def _proved(named: NamedProtocol, settings: ProofSettings, progress: Show) -> ProofResult:
    """The result of the proof that is asked for."""
    protocol = named.protocol
    properties, invariant, ranking = proved_of(protocol, settings.properties)
    if settings.pages is None:
        line = OfProof(progress)

        def done(obligation: Obligation) -> None:
            line.done(obligation.conjunct, proved=obligation.status is Status.PROVED)

        return session.every_size(
            protocol,
            properties,
            invariant,
            None if settings.properties else ranking,
            Means(settings.seed, settings.workers or cores(), user_cache() if settings.cache else None, line.expect),
            done,
            progress,
            selected=bool(settings.properties),
            complete=complete,
        )
    group = protocol.group if settings.host_page is None else settings.host_page
    in_flight = 2 if settings.in_flight is None else settings.in_flight
    claims = [p for p in properties if can_be_asked(p)]
    instance = Instance(protocol, settings.pages, in_flight, claims, group)
    return session.at_size(instance, properties, invariant, settings.method, progress)
