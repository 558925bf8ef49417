"""What a proof came to, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from postcopy.catalogue.properties import reasons
from postcopy.language.protocol import Protocol
from postcopy.prover.obligations import ANY, CLOSER, INITIAL, Obligation
from postcopy.prover.session import CounterexampleToInduction, ProofResult
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer, PropertyVerdict

Word: TypeAlias = Literal["proved", "not proved", "unknown"]
PropertyWord: TypeAlias = Literal["proved", "refuted", "not proved", "not asked"]
VerdictWord: TypeAlias = Literal["proved", "refuted", "not proved"]

WORDS: dict[Status, Word] = {Status.PROVED: "proved", Status.OPEN: "not proved", Status.UNKNOWN: "unknown"}

PROPERTY_WORDS: dict[Answer, PropertyWord] = {
    Answer.PROVED: "proved",
    Answer.REFUTED: "refuted",
    Answer.NOT_PROVED: "not proved",
    Answer.NOT_ASKED: "not asked",
}

SIGNS: dict[Answer, tuple[str, str]] = {
    Answer.PROVED: ("✓", "green"),
    Answer.REFUTED: ("✗", "bold red"),
    Answer.NOT_PROVED: ("?", "bold yellow"),
    Answer.NOT_ASKED: ("-", "dim"),
}
"""How an answer is shown: a sign, and its style on the terminal."""


OF_RUNS = "it speaks of whole runs"
A_WITNESS = "it says what can be reached"
"""Why a proof is not asked a property."""


def verdict_of(result: ProofResult) -> VerdictWord:
    """The worst of the answers to the properties: refuted, not proved, proved."""
    match result.answer_for_all:
        case Answer.REFUTED:
            return "refuted"
        case Answer.NOT_PROVED:
            return "not proved"
        case _:
            return "proved"


def protocol_of(result: ProofResult) -> type[Protocol]:
    """The protocol that a proof is about."""
    of = result.proof or result.answer
    assert of is not None
    return of.instance.protocol


def not_asked(result: ProofResult) -> dict[str, str]:
    """The properties that were not asked, with the reasons: a proof cannot be asked them, or they do not apply."""
    skipped = [v.property for v in result.of(Answer.NOT_ASKED)]
    found = {prop.name: OF_RUNS if prop.of_runs else A_WITNESS for prop in skipped}
    named = {v.property.name for v in result.verdicts}
    return found | {name: why for name, why in reasons(protocol_of(result)).items() if name not in named}


def reason(verdict: PropertyVerdict) -> str:
    """Why a property is not proved: the first obligation that it needs and that is not proved."""
    if verdict.missing:
        first, others = verdict.missing[0], len(verdict.missing) - 1
        more = f", and {others} more obligations" if others > 1 else ", and one more obligation" if others else ""
        return f"{obstacle(first, verdict.property.name)}{more}"
    if verdict.step is not None:
        step = verdict.step.steps[-1].action.name if verdict.step.steps else ""
        return f"not inductive{f': {step} leads to a state or step that violates it' if step else ''}"
    return "no proof was found"


def obstacle(obligation: Obligation, of: str = "") -> str:
    """An obligation that is not proved, in words.

    Args:
        obligation: which.
        of: the property that needs it.
    """
    what = obligation.conjunct
    if of:
        what = "it" if what == of else f"{what}, which it needs,"
    where = {INITIAL: "at the start", ANY: "of every state"}.get(obligation.action, f"after {obligation.action}")
    why = "z3 gave up" if obligation.status is Status.UNKNOWN else "z3 finds no proof"
    return f"{what} is not proved {where} ({why})"


def reached(found: CounterexampleToInduction) -> str:
    """What the explorer says of the state in which a counterexample to induction begins."""
    if found.reachable is None:
        return "whether its first state can be reached was not found out."
    if found.reachable:
        return "the explorer reaches its first state, so that what it violates is no invariant."
    return "the explorer does not reach its first state, so the invariant says too little of it."


def sentence(result: ProofResult, name: str) -> str:
    """What was proved, or not, and what was not asked."""
    word = verdict_of(result)
    proved, asked = len(result.of(Answer.PROVED)), len(result.verdicts) - len(result.of(Answer.NOT_ASKED))
    by = f" by {result.answer.method}" if result.answer is not None else ""
    count = f"{proved} of {asked} safety propert{'y' if asked == 1 else 'ies'} of {name} {where(result)}"
    parts = [f"Proved{by}: {count}{_end(result)}."]
    if wrong := refuted(result):
        runs = "the run" if len(wrong) == 1 else "the shortest run"
        parts.insert(0, f"Refuted: {name} violates {_names(wrong)}; {runs} is shown.")
    if missing := _names(result.of(Answer.NOT_PROVED)):
        why = "z3 gave up" if result.gave_up else "no proof was found"
        small = "at small sizes" if result.answer is None else "at this size"
        not_proved = f"Not proved: {missing} ({why}, and no run {small} violates it)."
        parts.insert(0 if word == "not proved" else 1, not_proved)
    if skipped := _counted(result):
        parts.append(f"Not asked: {skipped}.")
    return " ".join(parts)


def where(result: ProofResult) -> str:
    """The size or sizes that a proof is about."""
    if result.answer is not None:
        return f"at {result.answer.instance.size}"
    return "for any number of pages, host pages of any size and channels of any length"


def _end(result: ProofResult) -> str:
    """Whether the protocol is proved to come to an end, where that was asked."""
    if result.ends is Status.PROVED:
        return ", and every step after the handover brings its end closer"
    if result.proof is not None and any(o.conjunct == CLOSER for o in result.proof.obligations):
        return ", but that it comes to an end after the handover is not proved"
    return ""


NAMED = 4
"""How many properties a sentence names before it counts the others."""


def _names(verdicts: Sequence[PropertyVerdict]) -> str:
    names = [v.property.name for v in verdicts]
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def refuted(result: ProofResult) -> list[PropertyVerdict]:
    """The refuted properties, the one with the shortest run first."""
    return sorted(result.of(Answer.REFUTED), key=_steps)


def _steps(verdict: PropertyVerdict) -> int:
    run = verdict.refutation.counterexample if verdict.refutation is not None else None
    return len(run.steps) if run is not None else 0


def _counted(result: ProofResult) -> str:
    """How many properties were not asked, by their kind."""
    skipped = result.of(Answer.NOT_ASKED)
    runs = sum(v.property.of_runs for v in skipped)
    witnesses = len(skipped) - runs
    excused = len(not_asked(result)) - len(skipped)
    kinds = [
        f"{runs} of liveness" if runs else "",
        f"{witnesses} witness{'es' if witnesses > 1 else ''}" if witnesses else "",
        f"{excused} that {'does' if excused == 1 else 'do'} not apply" if excused else "",
    ]
    return ", ".join(kind for kind in kinds if kind)
