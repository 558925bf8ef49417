"""What a proof came to, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from postcopy.prover.lemmas import LemmaResult
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.session import CounterexampleToInduction, ProofResult
from postcopy.prover.solving import Status
from postcopy.report.results.proof import WORDS, reached, sentence
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story

_STYLES = {Status.PROVED: "green", Status.OPEN: "bold red", Status.UNKNOWN: "yellow"}


def print_obligation(obligation: Obligation, console: Console) -> None:
    """One line: action, conjunct, what came of it, how long it took."""
    status = Text(WORDS[obligation.status], style=_STYLES[obligation.status])
    console.print(in_columns(console.width, obligation.action, obligation.conjunct, status, obligation.seconds))


def in_columns(width: int, action: str, conjunct: str, status: Text, seconds: float) -> Text:
    """One line for an obligation: in columns where there is room for them, else folded between the names, which stay
    whole.

    Args:
        width: columns of the terminal.
        action: the action's name.
        conjunct: the conjunct's name.
        status: what came of it.
        seconds: time that it took.
    """
    end = Text.assemble("  ", status, f"  {seconds:.2f} s")
    columns = f"{action:<44} {conjunct:<32}"
    if len(columns) + len(end) <= width:
        return Text.assemble(columns, end, no_wrap=True)
    if len(action) + 1 + len(conjunct) + len(end) <= width:
        return Text.assemble(f"{action} {conjunct}", end, no_wrap=True)
    return Text.assemble(f"{action}\n  {conjunct}", end, no_wrap=True)


def print_proof(result: ProofResult, name: str, console: Console) -> None:
    """The result in a few lines, with the run that refutes it or the counterexamples to induction."""
    if result.refutation is not None and result.refutation.counterexample is not None:
        print_story(tell(result.refutation.counterexample), console)
        console.print()
    for found in result.counterexamples_to_induction:
        _print_counterexample_to_induction(found, console)
    if result.proof is not None:
        _print_missing(result.proof, console)
    console.print(Text(sentence(result, name), style=f"bold {_STYLES[result.status].split()[-1]}"))


def _print_counterexample_to_induction(found: CounterexampleToInduction, console: Console) -> None:
    print_story(tell(found.trace), console)
    console.print(Text(f"This is a counterexample to induction: {reached(found)}", style="yellow"))
    console.print()


def _print_missing(proof: Proof, console: Console) -> None:
    done = len(proof.obligations) - len(proof.missing)
    console.print(
        f"{done} of {len(proof.obligations)} obligations proved in {proof.seconds:.0f} s; {proof.framed} more are "
        "plain, because the action changes nothing that the conjunct speaks of."
    )
    for obligation in proof.missing:
        print_obligation(obligation, console)


def print_lemma(answer: LemmaResult, console: Console) -> None:
    """One line: lemma, size of host pages, what came of it; and the words for which it fails, as bits."""
    status = Text(WORDS[answer.status], style=_STYLES[answer.status])
    group = f"host pages of {answer.bits.group}" if answer.lemma.grouped else "any host page"
    console.print(Text.assemble(f"{answer.lemma.name:<30} {group:<18} ", status, f"  {answer.seconds:.2f} s"))
    for line in answer.picture:
        console.print(f"  {line}", highlight=False)


def print_mistakes(answers: list[LemmaResult], mistakes: list[LemmaResult], console: Console) -> None:
    """For each lemma the mistake that it catches, with words that show it; and what was proved in one sentence."""
    console.print()
    console.print("Each lemma catches a mistake:")
    for mistaken in mistakes:
        console.print(
            Text(f"{mistaken.lemma.name}: {mistaken.lemma.mistake} " + ("Caught:" if mistaken.words else "NOT caught."))
        )
        for line in mistaken.picture:
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
