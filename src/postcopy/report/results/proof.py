"""What a proof came to, in words."""

from __future__ import annotations

from typing import Literal, TypeAlias

from postcopy.prover.obligations import CLOSER
from postcopy.prover.session import CounterexampleToInduction, ProofResult
from postcopy.prover.solving import Status

Word: TypeAlias = Literal["proved", "not proved", "unknown"]

WORDS: dict[Status, Word] = {Status.PROVED: "proved", Status.OPEN: "not proved", Status.UNKNOWN: "unknown"}


def reached(found: CounterexampleToInduction) -> str:
    """What the explorer says of the state in which a counterexample to induction begins."""
    if found.reachable is None:
        return "whether its first state can be reached was not found out."
    if found.reachable:
        return "the explorer reaches its first state, so that what it violates is no invariant."
    return "the explorer does not reach its first state, so the invariant says too little of it."


def sentence(result: ProofResult, name: str) -> str:
    """What was proved, or not, in one sentence."""
    if result.refutation is not None and result.refutation.violated is not None:
        return f"Refuted: {name} violates {result.refutation.violated.name}, as the run above shows."
    proof, answer = result.proof, result.answer
    if proof is not None:
        properties = len(proof.instance.properties)
        if result.status is Status.PROVED:
            ends = ""
            if proof.ends is Status.PROVED:
                ends = ", and every step after the handover brings its end closer"
            elif any(obligation.conjunct == CLOSER for obligation in proof.obligations):
                ends = ", but that it comes to an end after the handover is not proved"
            return (
                f"Proved: for any number of pages, host pages of any size and channels of any length, {name} "
                f"satisfies all {properties} properties{ends}."
            )
        why = "z3 gave up on some obligations" if result.status is Status.UNKNOWN else "some obligations are open"
        return f"Not proved: {why}, and no run at small sizes violates a property of {name}."
    assert answer is not None
    at = f"at {answer.instance.size}"
    if result.status is Status.PROVED:
        count = len(answer.instance.properties)
        return f"Proved by {answer.method}: {name} satisfies its {count} properties of states and steps {at}."
    why = "z3 gave up" if result.status is Status.UNKNOWN else f"they are not inductive for k up to {answer.k}"
    return f"Not proved by {answer.method}: {why}; no run of {name} {at} violates a property."


def verdict_of(result: ProofResult) -> Word | Literal["refuted"]:
    """One word or two: proved, refuted, not proved, unknown."""
    return "refuted" if result.refutation else WORDS[result.status]
