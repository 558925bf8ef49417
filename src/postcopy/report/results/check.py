"""A verdict for the terminal and as one JSON object. Everything that is printed is in the object too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy.catalogue.properties import reasons
from postcopy.explorer.explore import Outcome, Verdict
from postcopy.language.properties import Property
from postcopy.report.story.tell import Story, tell

SECTIONS: dict[str, Callable[[Property], bool]] = {
    "Must hold": lambda p: not p.is_witness and not p.of_runs,
    "Must happen in the end": lambda p: p.of_runs,
    "Must be reachable": lambda p: p.is_witness,
}
"""The properties in groups: a title, and which are meant."""

SIGNS = {
    "holds": ("✓", "green"),
    "reached": ("✓", "green"),
    "violated": ("✗", "bold red"),
    "not reached": ("!", "yellow"),
    "unknown": ("?", "dim"),
}
"""How an answer is shown: a sign, and its style on the terminal."""


def not_asked(verdict: Verdict) -> dict[str, str]:
    """The properties that the protocol declares inapplicable and that were not asked for by name, with the reasons."""
    asked = {p.name for p in verdict.instance.properties}
    return {name: reason for name, reason in reasons(verdict.instance.protocol).items() if name not in asked}


def reductions(verdict: Verdict) -> list[str]:
    """For what one stored state stands for several."""
    options = verdict.options
    used = {
        "page symmetry": options.symmetry,
        "vCPU symmetry": options.vcpus,
        "dead variables reset": options.dead,
    }
    return [name for name, on in used.items() if on]


def answer(verdict: Verdict, prop: Property) -> str:
    """What the search says of one property: holds, violated, reached, not reached, or unknown (it ended earlier)."""
    if verdict.violated is prop:
        return "violated"
    if prop.is_witness and verdict.witnesses[prop.name]:
        return "reached"
    if prop.of_runs:
        finding = verdict.liveness.findings.get(prop.name) if verdict.liveness else None
        return "unknown" if finding is None else "violated" if finding.counterexample else "holds"
    if not verdict.all_seen:
        return "unknown"
    return "not reached" if prop.is_witness else "holds"


def to_json(verdict: Verdict, name: str, story: Story | None, expected: tuple[str, ...] = ()) -> dict[str, Any]:
    """The verdict as one object (see the README for its keys)."""
    instance = verdict.instance
    return {
        "protocol": name,
        "pages": instance.pages,
        "in_flight": instance.in_flight,
        "host_page": instance.group,
        "symmetry": verdict.options.symmetry,
        "reductions": reductions(verdict),
        "verdict": verdict.outcome.value,
        "violated": verdict.violated.name if verdict.violated else None,
        "expected": list(expected),
        "why": verdict.why or None,
        "states": verdict.states,
        "transitions": verdict.transitions,
        "depth": verdict.depth,
        "frontier": verdict.frontier,
        "liveness": _liveness(verdict),
        "seconds": round(verdict.seconds, 3),
        "engine": verdict.engine,
        "bits_per_state": verdict.bits,
        "words_per_state": verdict.words,
        "bytes": verdict.bytes,
        "bytes_on_disk": verdict.disk,
        "properties": [
            {
                "name": p.name,
                "sentence": p.sentence,
                "kind": p.kind.value,
                "rules": list(p.rules),
                "answer": answer(verdict, p),
            }
            for p in instance.properties
        ],
        "inapplicable": not_asked(verdict),
        "actions": verdict.fired,
        "never_fired": verdict.never_fired,
        "impossible_at_this_size": sorted(verdict.impossible),
        "counterexample": counterexample(story) if story else None,
    }


def _liveness(verdict: Verdict) -> dict[str, Any] | None:
    live = verdict.liveness
    if live is None:
        return None
    return {
        "states": live.states,
        "transitions": live.edges,
        "seconds": round(live.seconds, 3),
        "promised_in_states": {name: finding.open for name, finding in live.findings.items()},
    }


def short(verdict: Verdict) -> dict[str, Any]:
    """The verdict of a search that left out what earlier ones had found violated, as one object."""
    return {
        "verdict": verdict.outcome.value,
        "violated": verdict.violated.name if verdict.violated else None,
        "why": verdict.why or None,
        "states": verdict.states,
        "counterexample": counterexample(tell(verdict.counterexample)) if verdict.counterexample else None,
    }


def counterexample(story: Story) -> dict[str, Any]:
    """A run's story as one object."""
    contradiction = story.contradiction
    return {
        "given": list(story.given),
        "loop": story.loop,
        "steps": [
            {
                "number": step.number,
                "thread": step.thread,
                "does": step.what,
                "rule": step.rule,
                "qemu": step.qemu,
                "changes": [change.words for change in step.changes],
            }
            for step in story.steps
        ],
        "contradiction": contradiction.words if contradiction else None,
    }


def print_verdict(verdict: Verdict, name: str, console: Console, expected: tuple[str, ...] = ()) -> None:
    """The verdict in a screenful: properties, size of the search, coverage, and the verdict itself at the end."""
    instance = verdict.instance
    console.print(
        Text.assemble(
            (name, "bold"),
            f"  {instance.size}",
            (f"  {', '.join(reductions(verdict)) or 'no symmetry'}", "dim"),
        )
    )
    console.print()
    for title, among in SECTIONS.items():
        chosen = [p for p in instance.properties if among(p)]
        if chosen:
            console.print(Text(title, style="bold"))
            console.print(_table(verdict, chosen))
            console.print()
    for prop, reason in not_asked(verdict).items():
        console.print(Text(f"not asked: {prop}: {reason}", style="dim"))
    _print_numbers(verdict, console)
    for warning in warnings(verdict):
        console.print(Text(f"! {warning}", style="yellow"))
    console.print()
    console.print(
        Text(
            sentence(verdict),
            style="bold green"
            if verdict.outcome is Outcome.HOLDS
            else "bold red"
            if verdict.violated
            else "bold yellow",
        )
    )
    if expected:
        console.print(Text(f"known to break: {', '.join(expected)} - {whether_found(verdict, expected)}"))


def whether_found(verdict: Verdict, expected: tuple[str, ...]) -> str:
    """What became of a search for what is known to break."""
    if verdict.violated is None:
        return "NOT found"
    if verdict.violated.name in expected:
        return "found"
    return f"another is violated earlier; to see it, ask for it alone: --property {expected[0]}"


def _table(verdict: Verdict, properties: list[Property]) -> Table:
    table = Table.grid(padding=(0, 1))
    for prop in properties:
        sign, style = SIGNS[answer(verdict, prop)]
        table.add_row(Text(f"  {sign}", style=style), Text(prop.sentence), Text(" ".join(prop.rules), style="dim"))
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


def warnings(verdict: Verdict) -> list[str]:
    """What weakens the verdict: actions never taken, witnesses never reached, nothing ever promised. Empty unless all
    was explored."""
    if not verdict.all_seen:
        return []
    found = [f"never taken: {name}" for name in verdict.never_fired]
    missed = [p.sentence for p in verdict.instance.properties if p.is_witness and not verdict.witnesses[p.name]]
    found += [f"not reachable at this size: {what[0].lower()}{what[1:]}" for what in missed]
    promised = verdict.liveness.findings if verdict.liveness else {}
    return found + [f"says nothing at this size: {name}" for name, finding in promised.items() if not finding.open]


def sentence(verdict: Verdict) -> str:
    """The verdict as one sentence."""
    if verdict.outcome is Outcome.HOLDS:
        left = "" if any(p.of_runs for p in verdict.instance.properties) else "; not asked what must happen in the end"
        return f"holds: all states explored, no property violated{left}"
    if verdict.outcome is Outcome.INCONCLUSIVE:
        left = "all else holds" if verdict.all_seen else f"{verdict.frontier:,} states are still to be expanded"
        return f"inconclusive: {verdict.why}; {left}"
    assert verdict.violated is not None
    if verdict.outcome is Outcome.LIVENESS:
        assert verdict.counterexample is not None
        assert verdict.counterexample.loop is not None
        once = verdict.counterexample.loop
        again = len(verdict.counterexample.steps) - once
        shown = f"a run of {once} steps and {f'a loop of {again}' if again else 'then nothing'} for ever"
        return f"violated: {verdict.violated.sentence} ({verdict.violated.name}), shown by {shown}"
    steps = len(verdict.counterexample.steps) if verdict.counterexample else 0
    kind = "deadlock" if verdict.outcome is Outcome.DEADLOCK else f"violated: {verdict.violated.sentence}"
    return f"{kind} ({verdict.violated.name}), shown by a shortest run of {steps} steps"
