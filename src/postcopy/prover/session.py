"""A proof from protocol to result: of each property whether it is proved, refuted by a run, or not proved and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from postcopy.errors import NoRoomError
from postcopy.explorer.results import Verdict
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.language.step_errors import ROOM_FOR_MESSAGES
from postcopy.language.trace import Trace
from postcopy.prover.applicable import LeftOut, applicable
from postcopy.prover.completion import Complete, Completed, OpenProof, as_it_is
from postcopy.prover.counterexample import Reachable, find, refute
from postcopy.prover.induction import SizedProof, k_induction, spacer
from postcopy.prover.means import Means
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.premises import PREMISES
from postcopy.prover.proving import Only, prove
from postcopy.prover.solving import Status
from postcopy.prover.unbounded import instance_of_any_size
from postcopy.prover.verdicts import (
    Answer,
    PropertyVerdict,
    at_a_size,
    can_be_asked,
    end_of,
    of_every_size,
    refuted_by,
)
from postcopy.prover.weeding import prove_what_holds

SHOWN = 3
"""How many counterexamples to induction are looked for: one obligation that fails often makes others fail."""

_NOT_KEPT = "some step does not keep it"

METHODS = ("invariant", "k-induction", "spacer")


@dataclass(frozen=True)
class CounterexampleToInduction:
    """A counterexample to induction.

    Attributes:
        conjunct: what it violates.
        action: the action after which it does, or how it was found.
        trace: from a state in which every conjunct holds that has not failed before; of the first, every conjunct.
        reachable: whether the explorer reaches that state; None where it did not see all states.
    """

    conjunct: str
    action: str
    trace: Trace
    reachable: bool | None


@dataclass(frozen=True)
class ProofResult:
    """The result of a proof.

    Attributes:
        verdicts: on each property, and on what every proof rests on where the protocol has such a thing.
        left_out: the conjuncts and components of the ranking that speak of what the protocol does not have, and the
            conjuncts that do not hold of it.
        ends: whether every step that the ranking speaks of comes closer to the end; unknown where that was not asked.
        proof: all obligations, of a proof for every size.
        answer: what came of a proof at one size.
        counterexamples_to_induction: for what is neither proved nor refuted, why the invariant is not inductive.
        completed: what the machine has found, where something had to be found.
    """

    verdicts: tuple[PropertyVerdict, ...]
    left_out: tuple[LeftOut, ...] = ()
    ends: Status = Status.UNKNOWN
    proof: Proof | None = None
    answer: SizedProof | None = None
    counterexamples_to_induction: tuple[CounterexampleToInduction, ...] = ()
    completed: Completed | None = None

    @property
    def answer_for_all(self) -> Answer:
        """The worst answer: refuted, not proved, or proved."""
        found = {verdict.answer for verdict in self.verdicts}
        return next((answer for answer in (Answer.REFUTED, Answer.NOT_PROVED) if answer in found), Answer.PROVED)

    def of(self, answer: Answer) -> list[PropertyVerdict]:
        """The verdicts with this answer."""
        return [verdict for verdict in self.verdicts if verdict.answer is answer]

    @property
    def gave_up(self) -> bool:
        """Whether z3 gave up on something that a property needs."""
        if self.answer is not None:
            return self.answer.gave_up
        return any(o.status is Status.UNKNOWN for v in self.verdicts for o in v.missing)


def every_size(
    protocol: type[Protocol],
    asked: Sequence[Property],
    invariant: Sequence[Property],
    ranking: Ranking | None,
    means: Means,
    done: Callable[[Obligation], None],
    phase: Callable[[str], None],
    selected: bool = False,
    complete: Complete = as_it_is,
) -> ProofResult:
    """Prove the properties for every size. Where that fails, look for runs that violate them.

    Where there is none of any property at small sizes, complete the proof with conjuncts that the machine finds.
    Where that fails, look for counterexamples to induction.

    Args:
        protocol: the class.
        asked: the properties; those of whole runs and the witnesses are not asked.
        invariant: conjuncts that may help.
        ranking: why the protocol comes to an end, if that is asked too.
        means: with what the proof is made.
        done: is called with each obligation.
        phase: is called with what is done now, in words.
        selected: only these properties are of interest: conjuncts that they do not need are left alone.
        complete: finds conjuncts.

    Raises:
        SpecError: the protocol cheats or errs, as the explorer would say too.
        NoRoomError: a message may lack room, as far as the text says, and no run shows it.
    """
    try:
        return _every_size(protocol, asked, invariant, ranking, means, done, phase, selected, complete)
    except NoRoomError:
        claims = [p for p in asked if can_be_asked(p)]
        verdicts = _without_room(asked, refute(protocol, claims))
        return ProofResult(verdicts, proof=Proof(instance_of_any_size(protocol, claims, ()), (), (), 0, 0.0))


def _without_room(asked: Sequence[Property], searches: Sequence[Verdict]) -> tuple[PropertyVerdict, ...]:
    """The verdicts on a protocol that no prover reads, since it sends a message where there may be no room."""
    answers = {False: Answer.NOT_ASKED, True: Answer.NOT_PROVED}
    verdicts = [PropertyVerdict(p, answers[can_be_asked(p)]) for p in (*asked, ROOM_FOR_MESSAGES)]
    return refuted_by(verdicts, searches)


def _every_size(
    protocol: type[Protocol],
    asked: Sequence[Property],
    invariant: Sequence[Property],
    ranking: Ranking | None,
    means: Means,
    done: Callable[[Obligation], None],
    phase: Callable[[str], None],
    selected: bool,
    complete: Complete,
) -> ProofResult:
    claims = [p for p in asked if can_be_asked(p)]
    there = applicable(protocol, claims, invariant, ranking)

    def ask(properties: Sequence[Property], conjuncts: Sequence[Property], only: Only) -> Proof:
        return prove(protocol, properties, conjuncts, None if selected else there.ranking, means, done, only)

    of = frozenset(p.name for p in (*claims, *PREMISES)) if selected else None
    proof = prove_what_holds(ask, claims, there.invariant, of=of)
    verdicts = of_every_size(asked, proof)
    open_ones = [v.property for v in verdicts if v.answer is Answer.NOT_PROVED]
    if open_ones:
        phase("looking for runs that violate what is not proved")
        verdicts = refuted_by(verdicts, refute(protocol, [p for p in open_ones if p not in PREMISES]))
    completed, left_out = None, there.left_out
    if not open_ones:
        left_out += tuple(_not_kept(proof, there.invariant))
    if {v.answer for v in verdicts} & {Answer.NOT_PROVED, Answer.REFUTED} == {Answer.NOT_PROVED}:
        completed = complete(OpenProof(protocol, claims, there.invariant, proof, ask, phase, of))
        proof, left_out = completed.proof, (*left_out, *_left_out(completed))
        verdicts = _with_the_refuted(verdicts, of_every_size(asked, proof))
    obstacles = _obstacles(protocol, claims, proof, verdicts, phase)
    return ProofResult(
        verdicts, left_out, end_of(proof), proof, counterexamples_to_induction=obstacles, completed=completed
    )


def _left_out(completed: Completed) -> list[LeftOut]:
    """The given conjuncts that the completed proof does without."""
    untrue = [LeftOut(p.name, "it is false in a state that can be reached") for p in completed.untrue]
    return [*untrue, *(LeftOut(p.name, _NOT_KEPT) for p in completed.lost)]


def _not_kept(proof: Proof, invariant: Sequence[Property]) -> list[LeftOut]:
    """The given conjuncts that are not proved, where no property needs them."""
    failed = {o.conjunct for o in proof.missing}
    return [LeftOut(p.name, _NOT_KEPT) for p in invariant if p.name in failed]


def _with_the_refuted(
    before: Sequence[PropertyVerdict], after: Sequence[PropertyVerdict]
) -> tuple[PropertyVerdict, ...]:
    """The verdicts after a proof was completed: what was refuted before stays so."""
    refuted = {v.property.name: v for v in before if v.answer is Answer.REFUTED}
    return tuple(refuted.get(v.property.name, v) for v in after)


def _obstacles(
    protocol: type[Protocol],
    claims: Sequence[Property],
    proof: Proof,
    verdicts: Sequence[PropertyVerdict],
    phase: Callable[[str], None],
) -> tuple[CounterexampleToInduction, ...]:
    """Counterexamples to induction for the first obligations that what is not proved needs."""
    found: list[CounterexampleToInduction] = []
    explored: dict[str, Reachable] = {}
    for missing in _first_missing(verdicts):
        phase(f"looking for a small counterexample to induction: {missing.conjunct} after {missing.action}")
        trace = find(protocol, claims, proof.conjuncts, missing)
        if trace is not None:
            size = trace.instance.size
            explored[size] = explored.get(size) or Reachable(trace.instance)
            found.append(
                CounterexampleToInduction(missing.conjunct, missing.action, trace, explored[size].reaches(trace))
            )
    return tuple(found)


def _first_missing(verdicts: Iterable[PropertyVerdict]) -> list[Obligation]:
    missing = (o for v in verdicts if v.answer is Answer.NOT_PROVED for o in v.missing)
    return list(dict.fromkeys(missing))[:SHOWN]


def at_size(
    instance: Instance,
    asked: Sequence[Property],
    invariant: Sequence[Property],
    method: str,
    phase: Callable[[str], None],
) -> ProofResult:
    """Prove properties at one size by one of the `METHODS`; where that fails, say why.

    Args:
        instance: the protocol at its size, with the properties that can be asked.
        asked: these, and those that are named as not asked.
        invariant: conjuncts that may help.
        method: how to prove.
        phase: is called with what is done now, in words.

    Raises:
        SpecError: the protocol cheats or errs, as the explorer would say too.
        NoRoomError: a message may lack room, as far as the text says, and no run shows it.
    """
    try:
        return _at_size(instance, asked, invariant if method == "invariant" else (), method, phase)
    except NoRoomError:
        verdicts = _without_room(asked, refute(instance.protocol, instance.properties, [instance]))
        return ProofResult(verdicts, answer=SizedProof(instance, method, 1, (), frozenset(), {}, False, 0.0))


def _at_size(
    instance: Instance,
    asked: Sequence[Property],
    invariant: Sequence[Property],
    method: str,
    phase: Callable[[str], None],
) -> ProofResult:
    there = applicable(instance.protocol, instance.properties, invariant, None)
    instance = Instance(
        instance.protocol,
        instance.pages,
        instance.in_flight,
        instance.properties,
        instance.group,
        [c.monitor for c in there.invariant if c.monitor is not None],
    )
    if method == "spacer":
        phase("Spacer looks for an invariant")
        answer = spacer(instance)
    else:
        answer = k_induction(instance, there.invariant, 1 if method == "invariant" else 3, phase)
    verdicts = at_a_size(asked, answer)
    left = [v.property for v in verdicts if v.answer is Answer.NOT_PROVED]
    if not left:
        return ProofResult(verdicts, there.left_out, answer=answer)
    phase("exploring")
    searches = refute(instance.protocol, [p for p in left if p not in PREMISES], [instance])
    verdicts = refuted_by(verdicts, searches)
    unexplained = any(v.answer is Answer.NOT_PROVED and v.step is not None for v in verdicts)
    steps = answer.failed.values() if unexplained else ()  # as they were found: what fails first makes others fail
    reach = Reachable(instance) if steps else None
    found = [
        CounterexampleToInduction(step.violated, answer.method, step, reach.reaches(step))
        for step in list(dict.fromkeys(steps))[:SHOWN]
        if reach is not None and step.violated is not None
    ]
    return ProofResult(verdicts, there.left_out, answer=answer, counterexamples_to_induction=tuple(found))
