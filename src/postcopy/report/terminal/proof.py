"""What a proof came to, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy.prover.completion import Completed
from postcopy.prover.lemmas import LemmaResult
from postcopy.prover.obligations import Obligation, Proof
from postcopy.prover.session import CounterexampleToInduction, ProofResult
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer
from postcopy.report.results.proof import (
    A_WITNESS,
    OF_RUNS,
    SIGNS,
    WORDS,
    not_asked,
    reached,
    reason,
    refuted,
    sentence,
)
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


def print_proof(result: ProofResult, name: str, console: Console, *, details: bool = False) -> None:
    """The result: properties, what was left out, the runs and steps that are against it, and last a sentence.

    Args:
        result: the result.
        name: the protocol's name.
        console: where to print.
        details: every property, every run, and every obligation that is not proved.
    """
    wrong = refuted(result)
    if details or not wrong:
        _print_properties(result, console)
    for prop, why in not_asked(result).items():
        if details or why not in (OF_RUNS, A_WITNESS):
            console.print(Text(f"not asked: {prop}: {why}", style="dim"))
    for left in result.left_out:
        console.print(Text(f"left out: {left.name}: {left.why}", style="dim"))
    for verdict in wrong if details else wrong[:1]:
        if verdict.refutation is not None and verdict.refutation.counterexample is not None:
            print_story(tell(verdict.refutation.counterexample), console)
            console.print()
    if result.completed is not None:
        _print_completed(result.completed, console, details=details)
    obstacles = result.counterexamples_to_induction
    for found in obstacles if details else obstacles[: 0 if wrong else 1]:
        _print_counterexample_to_induction(found, console)
    if result.proof is not None:
        _print_obligations(result.proof, console, details=details)
    for verdict in result.of(Answer.NOT_PROVED):
        console.print(Text(f"not proved: {verdict.property.name}: {reason(verdict)}", style="yellow"))
    console.print(Text(sentence(result, name), style=_SENTENCE[result.answer_for_all]))


_SENTENCE = {Answer.PROVED: "bold green", Answer.REFUTED: "bold red", Answer.NOT_PROVED: "bold yellow"}


def _print_properties(result: ProofResult, console: Console) -> None:
    shown = [v for v in result.verdicts if v.answer is not Answer.NOT_ASKED]
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(style="dim", min_width=max((len(rule) for v in shown for rule in v.property.rules), default=0))
    for verdict in shown:
        sign, style = SIGNS[verdict.answer]
        prop = verdict.property
        table.add_row(Text(f"  {sign}", style=style), Text(prop.sentence), Text(" ".join(prop.rules)))
    console.print(table)
    console.print()


def _print_counterexample_to_induction(found: CounterexampleToInduction, console: Console) -> None:
    print_story(tell(found.trace), console)
    console.print(Text(f"This is a counterexample to induction: {reached(found)}", style="yellow"))
    console.print()


def _print_completed(completed: Completed, console: Console, *, details: bool) -> None:
    """What was found, in words; with details, as source text that can be pasted."""
    if completed.found:
        console.print("Found by the machine, and proved with the rest:")
        for each in completed.found:
            console.print(Text(f"  {each.prop.sentence}"))
        if details:
            console.print(Text("\n" + completed.imports + "\n" + "\n".join(each.source for each in completed.found)))
        else:
            console.print(Text("  (--details shows them as text for `invariant = (...)`)", style="dim"))
        console.print()


def _print_obligations(proof: Proof, console: Console, *, details: bool) -> None:
    done = len(proof.obligations) - len(proof.missing)
    console.print(
        f"{done} of {len(proof.obligations)} obligations proved in {proof.seconds:.0f} s; {proof.framed} more are "
        "plain, because the action changes nothing that the conjunct speaks of."
    )
    for obligation in proof.missing if details else ():
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
