"""A proof for every size made complete with what the machine finds: Houdini, over all sizes at once.

What was found at small sizes is proved like any other conjunct. A found one that fails is left out, and what had needed
it is proved again, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.prover.inference.find import Inferred, find_conjuncts
from postcopy.prover.obligations import ANY, CLOSER, ONE_PAGE, RANGES, Obligation, Proof, prove
from postcopy.prover.solving import Status

ROUNDS = 6
"""How often found conjuncts are left out and what needs them is proved again."""


def complete(
    protocol: type[Protocol],
    properties: Sequence[Property],
    invariant: Sequence[Property],
    ranking: Ranking | None,
    proof: Proof,
    seed: int,
    done: Callable[[Obligation], None],
    phase: Callable[[str], None],
) -> tuple[Proof, Inferred]:
    """Look for conjuncts where a proof is not complete, and prove what is missing with them.

    Args:
        protocol, properties, invariant, ranking, seed: see `postcopy.prover.obligations.prove`.
        proof: what is proved without them.
        done: is called with each obligation that is asked.
        phase: is called with what is done now, in words.

    Returns:
        The whole proof, and what was found: less what failed at every size.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    inferred = find_conjuncts(
        protocol, properties, invariant, report=lambda said: phase(f"looking for conjuncts: {said}")
    )
    untrue = {p.name for p in (*inferred.untrue, *inferred.lost)}
    kept = [p for p in invariant if p.name not in untrue]
    found = list(inferred.found)
    lost = list(inferred.lost)
    for _ in range(ROUNDS):
        conjuncts = [*kept, *(each.prop for each in found)]
        proved = _still_proved(proof, {p.name for p in (*conjuncts, *properties)})
        phase(f"proving with {len(found)} conjuncts that were found")
        more = prove(protocol, properties, conjuncts, ranking, seed, done, only=_not_in(proved))
        obligations = (*proved.values(), *more.obligations)
        proof = replace(more, obligations=obligations, seconds=proof.seconds + more.seconds)
        failed = {o.conjunct for o in more.missing}
        lost += [p for p in kept if p.name in failed]
        if not failed & {p.name for p in conjuncts}:
            break
        kept = [p for p in kept if p.name not in failed]
        found = [each for each in found if each.prop.name not in failed]
    return proof, replace(inferred, found=tuple(found), lost=tuple(lost))


def _still_proved(proof: Proof, names: set[str]) -> dict[tuple[str, str], Obligation]:
    """The proved obligations that used nothing but these conjuncts."""
    same = {p.name for p in proof.conjuncts} <= names
    return {
        (o.conjunct, o.action): o
        for o in proof.obligations
        if o.status is Status.PROVED and (same if o.action == ANY else o.uses <= names) and _is_there(o, names)
    }


def _is_there(obligation: Obligation, names: set[str]) -> bool:
    return obligation.conjunct in names or obligation.conjunct in (RANGES, ONE_PAGE, CLOSER)


def _not_in(proved: dict[tuple[str, str], Obligation]) -> Callable[[str, str], bool]:
    return lambda conjunct, action: (conjunct, action) not in proved
