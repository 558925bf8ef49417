"""A proof from protocol to result: proved, refuted by a run, or not proved, with the obstacle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postcopy.explorer.results import Verdict
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.language.trace import Trace
from postcopy.prover.counterexample import Reachable, find, refute
from postcopy.prover.induction import SizedProof, k_induction, spacer
from postcopy.prover.obligations import Obligation, Proof, prove
from postcopy.prover.solving import Status

SHOWN = 3
"""How many counterexamples to induction are looked for: one obligation that fails often makes others fail."""

METHODS = ("invariant", "k-induction", "spacer")


@dataclass(frozen=True)
class CounterexampleToInduction:
    """A counterexample to induction.

    Attributes:
        conjunct: what it violates.
        action: the action after which it does, or how it was found.
        trace: from a state in which every conjunct holds.
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
        status: proved; open; or unknown, where z3 gave up.
        proof: all obligations, of a proof for every size.
        answer: what came of a proof at one size.
        refutation: what the explorer found wrong, if the proof failed and there is something.
        counterexamples_to_induction: where nothing was found wrong, why the invariant is not inductive.
    """

    status: Status
    proof: Proof | None = None
    answer: SizedProof | None = None
    refutation: Verdict | None = None
    counterexamples_to_induction: tuple[CounterexampleToInduction, ...] = ()


def every_size(
    protocol: type[Protocol],
    properties: Sequence[Property],
    invariant: Sequence[Property],
    ranking: Ranking | None,
    seed: int,
    done: Callable[[Obligation], None],
    phase: Callable[[str], None],
) -> ProofResult:
    """Prove the properties for every size. If that fails, look for a run that violates one of them.

    If there is none at small sizes, look for counterexamples to induction.
    """
    proof = prove(protocol, properties, invariant, ranking, seed, done)
    if proof.status is Status.PROVED:
        return ProofResult(Status.PROVED, proof)
    phase("looking for a run that violates a property")
    asked = [p for p in properties if not p.is_witness]
    refutation = refute(protocol, asked)
    if refutation is not None:
        return ProofResult(proof.status, proof, refutation=refutation)
    found: list[CounterexampleToInduction] = []
    explored: dict[str, Reachable] = {}
    for missing in proof.missing[:SHOWN]:
        phase(f"looking for a small counterexample to induction: {missing.conjunct} after {missing.action}")
        trace = find(protocol, asked, proof.conjuncts, missing)
        if trace is not None:
            size = trace.instance.size
            explored[size] = explored.get(size) or Reachable(trace.instance)
            found.append(
                CounterexampleToInduction(missing.conjunct, missing.action, trace, explored[size].reaches(trace))
            )
    return ProofResult(proof.status, proof, counterexamples_to_induction=tuple(found))


def at_size(
    instance: Instance, invariant: Sequence[Property], method: str, phase: Callable[[str], None]
) -> ProofResult:
    """Prove the instance's properties of states and steps by one of the `METHODS`; if that fails, say why."""
    if method == "spacer":
        phase("Spacer looks for an invariant")
        answer = spacer(instance)
    else:
        most = 1 if method == "invariant" else 3
        answer = k_induction(instance, invariant if method == "invariant" else (), most, phase)
    if answer.status is Status.PROVED:
        return ProofResult(Status.PROVED, answer=answer)
    phase("exploring")
    reach = Reachable(instance)
    if reach.verdict.counterexample is not None:
        return ProofResult(answer.status, answer=answer, refutation=reach.verdict)
    found = []
    if answer.trace is not None and answer.trace.violated is not None:
        found.append(
            CounterexampleToInduction(answer.trace.violated, answer.method, answer.trace, reach.reaches(answer.trace))
        )
    return ProofResult(answer.status, answer=answer, counterexamples_to_induction=tuple(found))
