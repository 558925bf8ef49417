"""What a conjunct that fails takes with it: only what does not follow without it.

z3 names one set of conjuncts from which an obligation follows, and there may be others. So an obligation that used a
conjunct that fails is proved once more without it, until nothing more fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from postcopy.language.properties import Property
from postcopy.language.view import View
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.proving import Only
from postcopy.prover.solving import Status

Prove = Callable[[Sequence[Property], Sequence[Property], Only], Proof]
"""Proves some obligations of some properties with some conjuncts."""


def without_what_fails(proof: Proof, claims: Sequence[Property], invariant: Sequence[Property], again: Prove) -> Proof:
    """The proof, in which no obligation that is proved rests on a conjunct that fails.

    Args:
        proof: with all properties and conjuncts.
        claims: the properties.
        invariant: the conjuncts beside them.
        again: proves once more.
    """
    failed: frozenset[str] = frozenset()
    while True:
        failed |= {o.conjunct for o in proof.missing}
        shaken = {(o.conjunct, o.action) for o in proof.obligations if o.uses & failed and o.conjunct not in failed}
        if not shaken:
            return proof
        standing = [p for p in claims if p.name not in failed]
        helping = [p for p in invariant if p.name not in failed]
        histories = [_history(p) for p in (*claims, *invariant) if p.name in failed and p.monitor is not None]
        anew = again(standing, [*helping, *histories], _among(shaken))
        proof = replace(proof, obligations=_with(proof, anew, shaken), seconds=proof.seconds + anew.seconds)


def _with(proof: Proof, anew: Proof, shaken: set[tuple[str, str]]) -> tuple[Obligation, ...]:
    """The obligations, some of them as they were proved anew; one that was not is not proved."""
    found = {(o.conjunct, o.action): o for o in anew.obligations}
    return tuple(
        found.get((o.conjunct, o.action), replace(o, status=Status.UNKNOWN, uses=frozenset()))
        if (o.conjunct, o.action) in shaken
        else o
        for o in proof.obligations
    )


def _among(pairs: set[tuple[str, str]]) -> Only:
    return lambda conjunct, action: (conjunct, action) in pairs


def _history(failed: Property) -> Property:
    """A conjunct that says nothing and keeps the monitor of one that fails: others may read it."""
    return replace(failed, name=f"the history of {failed.name}", holds=_nothing)


def _nothing(_state: View) -> bool:
    return True
