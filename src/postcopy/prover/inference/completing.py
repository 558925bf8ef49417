"""A proof for every size made complete with what the machine finds: Houdini, over all sizes at once.

What was found at small sizes is proved like any other conjunct (`weeding`). One that fails is left out.
"""

from __future__ import annotations

from dataclasses import replace

from postcopy.prover.completion import Completed, FoundConjunct, OpenProof
from postcopy.prover.inference.clauses import source_of
from postcopy.prover.inference.find import find_conjuncts
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.solving import Status
from postcopy.prover.weeding import prove_what_holds


def complete(given: OpenProof) -> Completed:
    """Look for conjuncts where a proof is not complete, and prove what is missing with them.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    protocol, properties = given.protocol, given.properties
    inferred = find_conjuncts(
        protocol,
        properties,
        given.invariant,
        report=lambda said: given.phase(f"looking for conjuncts: {said}"),
        only_used=given.of is not None,
    )
    out = {p.name for p in (*inferred.untrue, *inferred.lost)}
    kept = [p for p in given.invariant if p.name not in out]
    conjuncts = [*kept, *(each.prop for each in inferred.found)]
    given.phase(f"proving with {len(inferred.found)} conjuncts that were found")
    proof = prove_what_holds(given.ask, properties, conjuncts, _still_proved(given.proof, out), given.of)
    failed = {o.conjunct for o in proof.missing} & {p.name for p in conjuncts}
    unused = {each.prop.name for each in inferred.found} - {o.conjunct for o in proof.obligations}
    proof = replace(
        proof,
        conjuncts=tuple(p for p in proof.conjuncts if p.name not in failed | unused),
        obligations=tuple(o for o in proof.obligations if o.conjunct not in failed),
        seconds=given.proof.seconds + proof.seconds,
    )
    found = [each for each in inferred.found if each.prop.name not in failed | unused]
    lost = [*inferred.lost, *(p for p in kept if p.name in failed)]
    shown = tuple(FoundConjunct(each.prop, source_of(each.clause, each.prop.name.replace("-", "_"))) for each in found)
    monitors = {each.prop.monitor for each in shown if each.prop.monitor is not None}
    imports = inferred.names.imports([each.source for each in shown], monitors, protocol.__module__)
    return Completed(proof, shown, imports, inferred.untrue, tuple(lost), inferred.finished)


def _still_proved(proof: Proof, out: set[str]) -> list[Obligation]:
    """The proved obligations of what is not left out that used nothing that is."""
    proved = (o for o in proof.obligations if o.status is Status.PROVED)
    return [o for o in proved if o.conjunct not in out and o.uses.isdisjoint(out)]
