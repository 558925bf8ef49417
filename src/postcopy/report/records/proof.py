"""What a proof came to as a record."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from postcopy.prover.completion import Completed
from postcopy.prover.induction import SizedProof
from postcopy.prover.lemmas import LemmaResult
from postcopy.prover.obligations import Proof
from postcopy.prover.session import CounterexampleToInduction, ProofResult
from postcopy.prover.verdicts import Answer, PropertyVerdict
from postcopy.report.records.confirmation import ConfirmationRecord
from postcopy.report.records.story import RunRecord, StepRecord, run_record
from postcopy.report.results.proof import (
    A_WITNESS,
    OF_RUNS,
    PROPERTY_WORDS,
    WORDS,
    PropertyWord,
    VerdictWord,
    Word,
    not_asked,
    reason,
    refuted,
    sentence,
    verdict_of,
)
from postcopy.report.story.tell import tell


class ConjunctRecord(msgspec.Struct, frozen=True):
    """A part of the invariant.

    Attributes:
        name: its name.
        sentence: what it says.
    """

    name: str
    sentence: str


class ProvedPropertyRecord(msgspec.Struct, frozen=True):
    """A property, and what became of it.

    Attributes:
        name: its name on the command line.
        sentence: what it says.
        kind: always, never, eventually, sometimes and so on.
        rules: the rules of the document that it stands for.
        verdict: what became of it.
        reason: why it is not proved, or not asked.
        needs: the conjuncts that its proof used, directly or in turn, in a proof for every size.
        counterexample: for a refuted property, a run that violates it.
    """

    name: str
    sentence: str
    kind: str
    rules: list[str]
    verdict: PropertyWord
    reason: str | None
    needs: list[str]
    counterexample: RunRecord | None


class LeftOutRecord(msgspec.Struct, frozen=True):
    """A conjunct, or a component of the ranking, that speaks of what the protocol does not have.

    Attributes:
        name: its name.
        why: what is not there.
    """

    name: str
    why: str


class FoundConjunctRecord(msgspec.Struct, frozen=True):
    """A part of the invariant that the machine has found.

    Attributes:
        name: its name.
        sentence: what it says.
        source: Python source text of it, for the protocol's `invariant = (...)`.
    """

    name: str
    sentence: str
    source: str


class ObligationRecord(msgspec.Struct, frozen=True):
    """That one action keeps one conjunct.

    Attributes:
        conjunct, action: their names.
        status: the result of the proof.
        seconds: time that it took.
        questions: how many questions to z3 it was.
        uses: the conjuncts that the proof needed.
    """

    conjunct: str
    action: str
    status: Word
    seconds: float
    questions: int
    uses: list[str]


class ObstacleRecord(msgspec.Struct, frozen=True):
    """A counterexample to induction: a run that begins where the invariant holds and ends where it does not.

    Attributes:
        conjunct, action: what is not kept, and by which action.
        reachable: whether the explorer reaches the first state; null where that is not known.
        given, loop, steps, contradiction: as in every run.
    """

    conjunct: str
    action: str
    reachable: bool | None
    given: list[str]
    loop: int | None
    steps: list[StepRecord]
    contradiction: str | None


class ProofRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy prove`.

    Attributes:
        protocol: name of the protocol.
        verdict: the result of the proof.
        sentence: the same in one sentence.
        size: "every size", in a proof for every size.
        pages, in_flight, host_page: the size, in a proof at one.
        properties: all that is asked of the protocol, with a verdict on each.
        inapplicable: properties that are not asked of this protocol, with the reasons.
        left_out: conjuncts and components of the ranking that speak of what the protocol does not have, and conjuncts
            that do not hold of it.
        found: conjuncts that the machine has found, where the proof needed some.
        imports: Python source text of the imports that these need.
        conjuncts: the invariant, in a proof for every size.
        method, k: how a proof at one size was made.
        seconds: time that it took.
        plain: obligations that are plain, because the action changes nothing that the conjunct speaks of.
        ends: whether it is proved that a migration ends after the handover.
        obligations: that each action keeps each conjunct.
        violated: for a refutation, the property that the shortest run violates, by name.
        counterexample: for a refutation, the run that shows it.
        obstacles: counterexamples to induction.
        confirmation: what second provers say, where they were asked.
    """

    protocol: str
    verdict: VerdictWord
    sentence: str
    properties: list[ProvedPropertyRecord]
    inapplicable: dict[str, str]
    left_out: list[LeftOutRecord]
    size: str | UnsetType = UNSET
    pages: int | UnsetType = UNSET
    in_flight: int | UnsetType = UNSET
    host_page: int | UnsetType = UNSET
    found: list[FoundConjunctRecord] | UnsetType = UNSET
    imports: str | UnsetType = UNSET
    conjuncts: list[ConjunctRecord] | UnsetType = UNSET
    method: str | UnsetType = UNSET
    k: int | UnsetType = UNSET
    seconds: float | UnsetType = UNSET
    plain: int | UnsetType = UNSET
    ends: Word | UnsetType = UNSET
    obligations: list[ObligationRecord] | UnsetType = UNSET
    violated: str | None = None
    counterexample: RunRecord | None = None
    obstacles: list[ObstacleRecord] = []
    confirmation: ConfirmationRecord | UnsetType = UNSET


class LemmaRecord(msgspec.Struct, frozen=True):
    """A lemma about bitmaps.

    Attributes:
        name: its name.
        sentence: what it says.
        bits: pages of a word.
        host_page: target pages of a host page; null where it does not matter.
        status: the result of the proof.
        seconds: time that it took.
        words: words for which it fails, by name.
    """

    name: str
    sentence: str
    bits: int
    host_page: int | None
    status: Word
    seconds: float
    words: dict[str, int]


class MistakeRecord(msgspec.Struct, frozen=True):
    """A mistake that a lemma catches.

    Attributes:
        lemma: the lemma.
        mistake: what is wrong.
        status: the result for the lemma with the mistake: not proved.
        words: words that show it, by name.
    """

    lemma: str
    mistake: str
    status: Word
    words: dict[str, int]


class LemmasRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy prove --bitmaps`.

    Attributes:
        lemmas: all lemmas, each for host pages of all sizes that it speaks of.
        mistakes: for each lemma the mistake that it catches.
        confirmation: what second provers say, where they were asked.
    """

    lemmas: list[LemmaRecord]
    mistakes: list[MistakeRecord]
    confirmation: ConfirmationRecord | UnsetType = UNSET


def proof_record(result: ProofResult, name: str) -> ProofRecord:
    """The result of a proof as a record.

    Args:
        result: the result of the proof.
        name: the protocol's name.
    """
    wrong = refuted(result)
    first = wrong[0].refutation if wrong else None
    run = first.counterexample if first else None
    named = {v.property.name for v in result.verdicts}
    made = ProofRecord(
        protocol=name,
        verdict=verdict_of(result),
        sentence=sentence(result, name),
        properties=[_property(verdict) for verdict in result.verdicts],
        inapplicable={prop: why for prop, why in not_asked(result).items() if prop not in named},
        left_out=[LeftOutRecord(name=left.name, why=left.why) for left in result.left_out],
        violated=run.violated if run else None,
        counterexample=run_record(tell(run)) if run else None,
        obstacles=[_obstacle(each) for each in result.counterexamples_to_induction],
    )
    if result.proof is not None:
        made = _with_proof(made, result.proof, WORDS[result.ends])
    if result.completed is not None:
        made = _with_found(made, result.completed)
    return made if result.answer is None else _with_answer(made, result.answer)


def _property(verdict: PropertyVerdict) -> ProvedPropertyRecord:
    prop = verdict.property
    run = verdict.refutation.counterexample if verdict.refutation is not None else None
    why = {
        Answer.NOT_PROVED: lambda: reason(verdict),
        Answer.NOT_ASKED: lambda: OF_RUNS if prop.of_runs else A_WITNESS,
    }
    return ProvedPropertyRecord(
        name=prop.name,
        sentence=prop.sentence,
        kind=prop.kind.value,
        rules=list(prop.rules),
        verdict=PROPERTY_WORDS[verdict.answer],
        reason=why[verdict.answer]() if verdict.answer in why else None,
        needs=sorted(verdict.needs),
        counterexample=run_record(tell(run)) if run is not None else None,
    )


def _with_proof(made: ProofRecord, proof: Proof, ends: Word) -> ProofRecord:
    return replace(
        made,
        size="every size",
        conjuncts=[ConjunctRecord(name=p.name, sentence=p.sentence) for p in proof.conjuncts],
        seconds=round(proof.seconds, 3),
        plain=proof.framed,
        ends=ends,
        obligations=[
            ObligationRecord(
                conjunct=o.conjunct,
                action=o.action,
                status=WORDS[o.status],
                seconds=round(o.seconds, 3),
                questions=o.questions,
                uses=sorted(o.uses),
            )
            for o in proof.obligations
        ],
    )


def _with_found(made: ProofRecord, completed: Completed) -> ProofRecord:
    found = [
        FoundConjunctRecord(name=each.prop.name, sentence=each.prop.sentence, source=each.source)
        for each in completed.found
    ]
    return replace(made, found=found, imports=completed.imports)


def _with_answer(made: ProofRecord, answer: SizedProof) -> ProofRecord:
    instance = answer.instance
    return replace(
        made,
        pages=instance.pages,
        in_flight=instance.in_flight,
        host_page=instance.group,
        method=answer.method,
        k=answer.k,
        seconds=round(answer.seconds, 3),
    )


def _obstacle(found: CounterexampleToInduction) -> ObstacleRecord:
    run = run_record(tell(found.trace))
    return ObstacleRecord(
        conjunct=found.conjunct,
        action=found.action,
        reachable=found.reachable,
        given=run.given,
        loop=run.loop,
        steps=run.steps,
        contradiction=run.contradiction,
    )


def lemmas_record(answers: list[LemmaResult], mistakes: list[LemmaResult]) -> LemmasRecord:
    """All lemmas as a record.

    Args:
        answers: the results of the lemmas.
        mistakes: the results of the lemmas with a mistake in each.
    """
    return LemmasRecord(
        lemmas=[
            LemmaRecord(
                name=a.lemma.name,
                sentence=a.lemma.sentence,
                bits=a.bits.pages,
                host_page=a.bits.group if a.lemma.grouped else None,
                status=WORDS[a.status],
                seconds=round(a.seconds, 3),
                words=a.words,
            )
            for a in answers
        ],
        mistakes=[
            MistakeRecord(lemma=a.lemma.name, mistake=a.lemma.mistake, status=WORDS[a.status], words=a.words)
            for a in mistakes
        ],
    )
