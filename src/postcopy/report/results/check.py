"""A verdict in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from postcopy.catalogue.properties import reasons
from postcopy.explorer.results import Outcome, Verdict
from postcopy.language.properties import Property
from postcopy.report.story.words import step_count

SECTIONS: dict[str, Callable[[Property], bool]] = {
    "Must hold": lambda p: not p.is_witness and not p.of_runs,
    "Must happen in the end": lambda p: p.of_runs,
    "Must be reachable": lambda p: p.is_witness,
}
"""The properties in groups: a title, and which are meant."""

Answer: TypeAlias = Literal["holds", "violated", "reached", "not reached", "unknown"]

SIGNS: dict[Answer, tuple[str, str]] = {
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
    """Why one stored state may stand for several."""
    return [reduction.name for reduction in verdict.options.reductions]


def answer(verdict: Verdict, prop: Property) -> Answer:
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


def whether_found(verdict: Verdict, expected: tuple[str, ...]) -> str:
    """Whether a property that is known to be violated was found violated."""
    if verdict.violated is None:
        return "NOT found"
    if verdict.violated.name in expected:
        return "found"
    return f"another is violated earlier; to see it, ask for it alone: --property {expected[0]}"


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
        shown = f"a run of {step_count(once)} and {f'a loop of {again}' if again else 'then nothing'} for ever"
        return f"violated: {verdict.violated.sentence} ({verdict.violated.name}), shown by {shown}"
    steps = len(verdict.counterexample.steps) if verdict.counterexample else 0
    kind = "deadlock" if verdict.outcome is Outcome.DEADLOCK else f"violated: {verdict.violated.sentence}"
    return f"{kind} ({verdict.violated.name}), shown by a shortest run of {step_count(steps)}"
