"""A proof for every size made complete with what the machine finds: Houdini, over all sizes at once.

What was found at small sizes is proved like any other conjunct. A found one that fails is left out, and what had needed
it is proved again, until nothing changes.
"""

from __future__ import annotations

from dataclasses import replace

from postcopy.prover.completion import Completed, FoundConjunct, OpenProof
from postcopy.prover.inference.clauses import source_of
from postcopy.prover.inference.find import find_conjuncts
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.proving import Only, prove
from postcopy.prover.solving import Status

ROUNDS = 6
"""How often conjuncts are left out and what needs them is proved again."""


def complete(given: OpenProof) -> Completed:
    """Look for conjuncts where a proof is not complete, and prove what is missing with them.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    protocol, properties, proof = given.protocol, given.properties, given.proof
    inferred = find_conjuncts(
        protocol, properties, given.invariant, report=lambda said: given.phase(f"looking for conjuncts: {said}")
    )
    out = {p.name for p in (*inferred.untrue, *inferred.lost)}
    kept = [p for p in given.invariant if p.name not in out]
    found = list(inferred.found)
    lost = list(inferred.lost)
    for _ in range(ROUNDS):
        conjuncts = [*kept, *(each.prop for each in found)]
        proved = _still_proved(proof, {p.name for p in conjuncts}, {p.name for p in properties if p.of_states}, out)
        given.phase(f"proving with {len(found)} conjuncts that were found")
        more = prove(protocol, properties, conjuncts, given.ranking, given.means, given.done, only=_not_in(proved))
        obligations = (*proved.values(), *more.obligations)
        proof = replace(more, obligations=obligations, seconds=proof.seconds + more.seconds)
        failed = {o.conjunct for o in more.missing} & {p.name for p in conjuncts}
        if not failed:
            break
        out |= failed
        lost += [p for p in kept if p.name in failed]
        kept = [p for p in kept if p.name not in failed]
        found = [each for each in found if each.prop.name not in failed]
    shown = tuple(FoundConjunct(each.prop, source_of(each.clause, each.prop.name.replace("-", "_"))) for each in found)
    monitors = {each.prop.monitor for each in shown if each.prop.monitor is not None}
    imports = inferred.names.imports([each.source for each in shown], monitors, protocol.__module__)
    return Completed(proof, shown, imports, inferred.untrue, tuple(lost), inferred.finished)


def _still_proved(
    proof: Proof, conjuncts: set[str], of_states: set[str], out: set[str]
) -> dict[tuple[str, str], Obligation]:
    """The proved obligations that are still asked and used nothing but these conjuncts."""
    return {
        (o.conjunct, o.action): o
        for o in proof.obligations
        if o.status is Status.PROVED and o.conjunct not in out and o.uses <= conjuncts | of_states
    }


def _not_in(proved: dict[tuple[str, str], Obligation]) -> Only:
    return lambda conjunct, action: (conjunct, action) not in proved
