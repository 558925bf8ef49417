"""A check on the terminal. What was violated comes last, so that a small terminal shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy.explorer.results import Outcome, Verdict
from postcopy.language.properties import Property
from postcopy.report.results.check import (
    SECTIONS,
    SIGNS,
    answer,
    not_asked,
    reductions,
    sentence,
    warnings,
    whether_found,
    why_no_symmetry,
    without_role,
)
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story


def print_check(
    verdict: Verdict,
    further: Sequence[Verdict],
    name: str,
    expected: tuple[str, ...],
    console: Console,
    *,
    every_property: bool = False,
) -> None:
    """A verdict: properties, size of the search, coverage, and last what was found.

    Args:
        verdict: what the search found.
        further: what the searches for more counterexamples found.
        name: the protocol's name.
        expected: properties that the protocol is known to violate.
        console: where to print.
        every_property: list the properties one by one beside a counterexample, too; else they are counted there.
    """
    kept = ", ".join(reductions(verdict)) or "no symmetry"
    console.print(Text.assemble((name, "bold"), f"  {verdict.instance.size}", (f"  {kept}", "dim")))
    if why := why_no_symmetry(verdict):
        console.print(Text(why, style="yellow"))
    console.print()
    if verdict.violated is None or every_property:
        _print_properties(verdict, console)
    else:
        console.print(_counted(verdict))
    for prop, reason in not_asked(verdict).items():
        console.print(Text(f"not asked: {prop}: {reason}", style="dim"))
    if verdict.constant:
        names = ", ".join(sorted(verdict.constant))
        console.print(Text(f"cannot fail with {verdict.instance.size}: {names}", style="dim"))
    _print_numbers(verdict, console)
    for warning in warnings(verdict):
        console.print(Text(f"! {warning}", style="yellow"))
    console.print()
    _print_finding(verdict, sentence(verdict), console)
    if expected:
        console.print(Text(f"known to violate: {', '.join(expected)} - {whether_found(verdict, expected)}"))
    for each in further:
        console.print()
        _print_finding(each, f"without the properties violated before: {sentence(each)}", console)


def _print_finding(verdict: Verdict, words: str, console: Console) -> None:
    if verdict.counterexample:
        print_story(tell(verdict.counterexample), console)
        console.print()
    style = "bold green" if verdict.outcome is Outcome.HOLDS else "bold red" if verdict.violated else "bold yellow"
    console.print(Text(words, style=style))
    for warning in without_role(verdict):
        console.print(Text(f"! {warning}", style="yellow"))


def _counted(verdict: Verdict) -> Text:
    """How many properties have which answer, in a line."""
    counts = Counter(answer(verdict, prop) for prop in verdict.instance.properties)
    order = sorted(counts, key=lambda said: (said != "violated", list(SIGNS).index(said)))
    words = [f"{counts[said]} {said}" for said in order]
    return Text(f"{len(verdict.instance.properties)} properties: {', '.join(words)} (--verbose lists them)")


def _print_properties(verdict: Verdict, console: Console) -> None:
    for title, among in SECTIONS.items():
        chosen = [p for p in verdict.instance.properties if among(p)]
        if chosen:
            console.print(Text(title, style="bold"))
            console.print(_table(verdict, chosen))
            console.print()


def _table(verdict: Verdict, properties: list[Property]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(style="dim", min_width=max((len(rule) for prop in properties for rule in prop.rules), default=0))
    for prop in properties:
        sign, style = SIGNS[answer(verdict, prop)]
        table.add_row(Text(f"  {sign}", style=style), Text(prop.sentence), Text(" ".join(prop.rules)))
    return table


def _print_numbers(verdict: Verdict, console: Console) -> None:
    rate = f", {verdict.states / verdict.seconds / 1e6:.2f} million states/s" if verdict.seconds > 0.05 else ""
    console.print(
        f"{verdict.states:,} states, {verdict.transitions:,} transitions, depth {verdict.depth}, "
        f"{verdict.seconds:.2f} s{rate} ({verdict.engine})"
    )
    taken = sum(1 for times in verdict.fired.values() if times)
    never = f" ({len(verdict.impossible)} cannot be at this size)" if verdict.impossible else ""
    disk = f", {verdict.disk / 1e6:.1f} MB on disk" if verdict.disk else ""
    console.print(
        f"{taken} of {len(verdict.fired)} actions taken{never}; {verdict.bits} bits a state, "
        f"{verdict.bytes / 1e6:.1f} MB{disk}"
    )
    if verdict.liveness and verdict.liveness.findings:
        live = verdict.liveness
        console.print(f"liveness: {live.states:,} states, {live.edges:,} transitions, {live.seconds:.2f} s")
