"""The proof of all that holds: nothing in it rests on a conjunct that fails, and only what rests on one is lost.

z3 names one set of conjuncts from which an obligation follows, and there may be others. So an obligation that used a
conjunct that fails is proved once more without it, until nothing more fails. Where some properties are asked alone,
conjuncts are proved only as far as a proof has used them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from postcopy.language.properties import Property
from postcopy.language.view import View
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.proving import Only
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import needed

Ask = Callable[[Sequence[Property], Sequence[Property], Only], Proof]
"""Proves some obligations of some properties with some conjuncts."""

Pair = tuple[str, str]
"""A conjunct or property, and an action: names an obligation."""


def prove_what_holds(
    ask: Ask,
    claims: Sequence[Property],
    invariant: Sequence[Property],
    known: Iterable[Obligation] = (),
    of: frozenset[str] | None = None,
) -> Proof:
    """The proof, in which no obligation that is proved rests on a conjunct that fails.

    Args:
        ask: proves.
        claims: the properties.
        invariant: the conjuncts beside them.
        known: obligations that are proved already, of these properties with these conjuncts.
        of: names of what is of interest: of all else, only what its proofs use is asked. None: everything is asked.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    found: dict[Pair, Obligation] = {(o.conjunct, o.action): o for o in known}
    new = of
    proof = _asked(ask, claims, invariant, frozenset(), _missing_of(new, found), found)
    asked = of or frozenset()
    while True:
        failed = frozenset(o.conjunct for o in found.values() if o.status is not Status.PROVED)
        shaken = _shaken(found.values(), failed)
        new = needed(asked, list(found.values())) - asked
        if not shaken and not new:
            return replace(proof, obligations=tuple(found.values()))
        unasked = _missing_of(new, found)
        wanted = _either(unasked, _among(shaken))
        more = _asked(ask, claims, invariant, failed, wanted, found)
        for pair in shaken - {(o.conjunct, o.action) for o in more.obligations}:
            found[pair] = replace(found[pair], status=Status.UNKNOWN, uses=frozenset())
        proof = replace(proof, framed=proof.framed + more.framed, seconds=proof.seconds + more.seconds)
        asked |= new


def _asked(
    ask: Ask,
    claims: Sequence[Property],
    invariant: Sequence[Property],
    failed: frozenset[str],
    only: Only,
    found: dict[Pair, Obligation],
) -> Proof:
    """Ask for some obligations without what has failed, and note the answers."""
    standing = [p for p in claims if p.name not in failed]
    helping = [p for p in invariant if p.name not in failed]
    histories = [_history(p) for p in (*claims, *invariant) if p.name in failed and p.monitor is not None]
    proof = ask(standing, [*helping, *histories], only)
    found.update({(o.conjunct, o.action): o for o in proof.obligations})
    return proof


def _shaken(obligations: Iterable[Obligation], failed: frozenset[str]) -> set[Pair]:
    """The proved obligations that used what fails."""
    return {(o.conjunct, o.action) for o in obligations if o.uses & failed and o.conjunct not in failed}


def _missing_of(names: frozenset[str] | None, found: dict[Pair, Obligation]) -> Only:
    """What is not known yet of these conjuncts and properties; of all, if there are no names."""
    there = set(found)
    return lambda conjunct, action: (names is None or conjunct in names) and (conjunct, action) not in there


def _among(pairs: set[Pair]) -> Only:
    return lambda conjunct, action: (conjunct, action) in pairs


def _either(one: Only, other: Only) -> Only:
    return lambda conjunct, action: one(conjunct, action) or other(conjunct, action)


def _history(failed: Property) -> Property:
    """A conjunct that says nothing and keeps the monitor of one that fails: others may read it."""
    return replace(failed, name=f"the history of {failed.name}", holds=_nothing)


def _nothing(_state: View) -> bool:
    return True
