"""What a proof came to, for the terminal and as one JSON object."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from postcopy.prover.lemmas import Answer as LemmaAnswer
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.session import Obstacle, Result
from postcopy.prover.solving import Status
from postcopy.report.results.check import counterexample
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story

WORDS = {Status.PROVED: "proved", Status.OPEN: "not proved", Status.UNKNOWN: "unknown"}
_STYLES = {Status.PROVED: "green", Status.OPEN: "bold red", Status.UNKNOWN: "yellow"}


def print_obligation(obligation: Obligation, console: Console) -> None:
    """One line: action, conjunct, what came of it, how long it took."""
    status = Text(WORDS[obligation.status], style=_STYLES[obligation.status])
    line = Text.assemble(f"{obligation.action:<44} {obligation.conjunct:<32} ", status, f"  {obligation.seconds:.2f} s")
    console.print(line, soft_wrap=True)


def print_result(result: Result, name: str, console: Console) -> None:
    """What can be said, in a few lines; with the run or the obstacles that say why not."""
    if result.refutation is not None and result.refutation.counterexample is not None:
        print_story(tell(result.refutation.counterexample), console)
        console.print()
    for obstacle in result.obstacles:
        _print_obstacle(obstacle, console)
    if result.proof is not None:
        _print_missing(result.proof, console)
    console.print(Text(sentence(result, name), style=f"bold {_STYLES[result.status].split()[-1]}"))


def _print_obstacle(obstacle: Obstacle, console: Console) -> None:
    print_story(tell(obstacle.trace), console)
    console.print(Text(f"This is a counterexample to induction: {reached(obstacle)}", style="yellow"))
    console.print()


def reached(obstacle: Obstacle) -> str:
    """What the explorer says of the state in which an obstacle begins."""
    if obstacle.reachable is None:
        return "whether its first state can be reached was not found out."
    if obstacle.reachable:
        return "the explorer reaches its first state, so that what it violates is no invariant."
    return "the explorer does not reach its first state, so the invariant says too little of it."


def _print_missing(proof: Proof, console: Console) -> None:
    done = len(proof.obligations) - len(proof.missing)
    console.print(
        f"{done} of {len(proof.obligations)} obligations proved in {proof.seconds:.0f} s; {proof.framed} more are "
        "plain, because the action changes nothing that the conjunct speaks of."
    )
    for obligation in proof.missing:
        print_obligation(obligation, console)


def sentence(result: Result, name: str) -> str:
    """What was proved, or not, in one sentence."""
    if result.refutation is not None and result.refutation.violated is not None:
        return f"Refuted: {name} violates {result.refutation.violated.name}, as the run above shows."
    proof, answer = result.proof, result.answer
    if proof is not None:
        properties = len(proof.instance.properties)
        if result.status is Status.PROVED:
            ends = (
                "and every step after the handover brings its end closer"
                if proof.ends is Status.PROVED
                else "but that it comes to an end after the handover is not proved"
            )
            return (
                f"Proved: for any number of pages, host pages of any size and channels of any length, {name} "
                f"satisfies all {properties} properties, {ends}."
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


def to_json(result: Result, name: str) -> dict[str, Any]:
    """The result as one object."""
    found: dict[str, Any] = {"protocol": name, "verdict": verdict_of(result), "sentence": sentence(result, name)}
    if result.proof is not None:
        found |= {
            "size": "every size",
            "properties": [p.name for p in result.proof.instance.properties],
            "conjuncts": [{"name": p.name, "sentence": p.sentence} for p in result.proof.conjuncts],
            "seconds": round(result.proof.seconds, 3),
            "plain": result.proof.framed,
            "ends": WORDS[result.proof.ends],
            "obligations": [
                {
                    "conjunct": o.conjunct,
                    "action": o.action,
                    "status": WORDS[o.status],
                    "seconds": round(o.seconds, 3),
                    "questions": o.questions,
                    "uses": sorted(o.uses),
                }
                for o in result.proof.obligations
            ],
        }
    if result.answer is not None:
        instance = result.answer.instance
        found |= {
            "pages": instance.pages,
            "in_flight": instance.in_flight,
            "host_page": instance.group,
            "properties": [p.name for p in instance.properties],
            "method": result.answer.method,
            "k": result.answer.k,
            "seconds": round(result.answer.seconds, 3),
        }
    run = result.refutation.counterexample if result.refutation else None
    found["violated"] = run.violated if run else None
    found["counterexample"] = counterexample(tell(run)) if run else None
    found["obstacles"] = [
        {"conjunct": o.conjunct, "action": o.action, "reachable": o.reachable, **counterexample(tell(o.trace))}
        for o in result.obstacles
    ]
    return found


def verdict_of(result: Result) -> str:
    """One word or two: proved, refuted, not proved, unknown."""
    return "refuted" if result.refutation else WORDS[result.status]


def print_lemma(answer: LemmaAnswer, console: Console) -> None:
    """One line: lemma, size of host pages, what came of it; and the words for which it fails, as bits."""
    status = Text(WORDS[answer.status], style=_STYLES[answer.status])
    group = f"host pages of {answer.bits.group}" if answer.lemma.grouped else "any host page"
    console.print(Text.assemble(f"{answer.lemma.name:<30} {group:<18} ", status, f"  {answer.seconds:.2f} s"))
    for line in answer.picture:
        console.print(f"  {line}", highlight=False)


def print_twins(answers: list[LemmaAnswer], twins: list[LemmaAnswer], console: Console) -> None:
    """For each lemma the mistake that it catches, with words that show it; and what was proved in one sentence."""
    console.print()
    console.print("Each lemma catches a mistake:")
    for twin in twins:
        console.print(Text(f"{twin.lemma.name}: {twin.lemma.mistake} " + ("Caught:" if twin.words else "NOT caught.")))
        for line in twin.picture:
            console.print(f"  {line}", highlight=False)
    console.print()
    if all(a.status is Status.PROVED for a in answers):
        lemmas = len({a.lemma.name for a in answers})
        console.print(
            Text(
                f"Proved: {lemmas} lemmas for all words of 64 pages and host pages of 1 to 64 target pages.",
                "bold green",
            )
        )
    else:
        console.print(Text("Not proved: see above.", "bold red"))


def lemmas_to_json(answers: list[LemmaAnswer], twins: list[LemmaAnswer]) -> dict[str, Any]:
    """All lemmas as one object, with the words for which the broken twins fail."""
    return {
        "lemmas": [
            {
                "name": a.lemma.name,
                "sentence": a.lemma.sentence,
                "bits": a.bits.pages,
                "host_page": a.bits.group if a.lemma.grouped else None,
                "status": WORDS[a.status],
                "seconds": round(a.seconds, 3),
                "words": a.words,
            }
            for a in answers
        ],
        "mistakes": [
            {"lemma": a.lemma.name, "mistake": a.lemma.mistake, "status": WORDS[a.status], "words": a.words}
            for a in twins
        ],
    }
