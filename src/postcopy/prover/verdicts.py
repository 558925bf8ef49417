"""A verdict for each property: proved, if everything is proved that its proof used, directly or in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from postcopy.explorer.results import Verdict
from postcopy.language.properties import NO_DEADLOCK, Property
from postcopy.language.trace import Trace
from postcopy.prover.induction import SizedProof
from postcopy.prover.obligations import ANY, CLOSER, INITIAL, Obligation, Proof
from postcopy.prover.premises import IN_RANGE, PREMISES
from postcopy.prover.solving import Status, worst


class Answer(Enum):
    """What becomes of a property. The value is the word for it."""

    PROVED = "proved"
    REFUTED = "refuted"
    NOT_PROVED = "not proved"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class PropertyVerdict:
    """The verdict on one property.

    Attributes:
        property: which.
        answer: what became of it.
        missing: for one that is not proved for every size, the obligations that it needs and that are not proved.
        needs: the conjuncts that its proof used, directly or in turn.
        refutation: for a refuted one, the search that found a run that violates it.
        step: for one that is not proved at a size, a run that shows why it is not inductive, if there is one.
    """

    property: Property
    answer: Answer
    missing: tuple[Obligation, ...] = ()
    needs: frozenset[str] = frozenset()
    refutation: Verdict | None = None
    step: Trace | None = None


def needed(names: Iterable[str], obligations: Sequence[Obligation]) -> frozenset[str]:
    """The names, and all conjuncts that the proofs of their obligations used, directly or in turn."""
    uses: dict[str, set[str]] = {}
    for obligation in obligations:
        uses.setdefault(obligation.conjunct, set()).update(obligation.uses)
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += uses.get(name, ())
    return frozenset(found)


def can_be_asked(prop: Property) -> bool:
    """Whether a proof says anything of a property: not of whole runs, and not of what can be reached."""
    return not prop.of_runs and not prop.is_witness


def of_every_size(asked: Sequence[Property], proof: Proof) -> tuple[PropertyVerdict, ...]:
    """The verdict of a proof for every size on each property and on the premises that the proof met."""
    met = {o.conjunct for o in proof.obligations}
    premises = [p for p in PREMISES if p.name in met]
    found = []
    for prop in (*asked, *premises):
        if not can_be_asked(prop):
            found.append(PropertyVerdict(prop, Answer.NOT_ASKED))
            continue
        closure = needed((prop.name, *(p.name for p in premises)), proof.obligations)
        missing = (*(o for o in proof.missing if o.conjunct in closure), *_not_begun(closure, proof))
        missing = tuple(sorted(missing, key=lambda o: o.conjunct != prop.name))
        answer = Answer.NOT_PROVED if missing else Answer.PROVED
        found.append(PropertyVerdict(prop, answer, missing, closure - {prop.name}))
    return tuple(found)


def _not_begun(closure: frozenset[str], proof: Proof) -> list[Obligation]:
    """What has to be there for a proof to be one, and is not: nothing is proved by an obligation that was not asked."""
    there = {(o.conjunct, o.action) for o in proof.obligations}
    wanted = [(p.name, INITIAL) for p in proof.conjuncts if p.name in closure]
    if NO_DEADLOCK.name in closure:
        wanted.append((NO_DEADLOCK.name, ANY))
    return [Obligation(name, action, Status.UNKNOWN, 0.0, 0) for name, action in wanted if (name, action) not in there]


def end_of(proof: Proof) -> Status:
    """Whether every step that the ranking speaks of comes closer to the end, and something can always be done."""
    if all(o.conjunct != CLOSER for o in proof.obligations):
        return Status.UNKNOWN
    closure = needed((CLOSER, NO_DEADLOCK.name, *(p.name for p in PREMISES)), proof.obligations)
    return worst(o.status for o in proof.obligations if o.conjunct in closure)


def at_a_size(asked: Sequence[Property], answer: SizedProof) -> tuple[PropertyVerdict, ...]:
    """The verdict of a proof at a size on each property and on the ranges of numbers, where there are some."""
    ranges = [IN_RANGE] if IN_RANGE.name in answer.claims else []
    found = []
    for prop in (*asked, *ranges):
        if not can_be_asked(prop):
            found.append(PropertyVerdict(prop, Answer.NOT_ASKED))
        elif prop.name in answer.proved:
            found.append(PropertyVerdict(prop, Answer.PROVED))
        else:
            found.append(PropertyVerdict(prop, Answer.NOT_PROVED, step=answer.failed.get(prop.name)))
    return tuple(found)


def refuted_by(verdicts: Sequence[PropertyVerdict], refutations: Iterable[Verdict]) -> tuple[PropertyVerdict, ...]:
    """The verdicts, with what searches have found of the properties that are not proved."""
    runs = {search.violated.name: search for search in refutations if search.violated is not None}
    return tuple(
        replace(v, answer=Answer.REFUTED, refutation=runs[v.property.name])
        if v.answer is Answer.NOT_PROVED and v.property.name in runs
        else v
        for v in verdicts
    )
