"""A verdict in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from postcopy.catalogue.properties import reasons
from postcopy.explorer.results import Outcome, Verdict
from postcopy.explorer.vacuity import Gap, Missing
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
    return [reduction.name for reduction in verdict.reductions]


def why_no_symmetry(verdict: Verdict) -> str:
    """Why pages were not renamed, as a line; empty where they were, or where that was not asked for."""
    if verdict.no_symmetry:
        return f"no page symmetry: {verdict.no_symmetry}"
    if verdict.follows_each_page:
        return "no page symmetry for what must happen in the end: it looks at neighbours"
    return ""


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
    """What weakens the verdict: actions never taken, witnesses never reached, nothing ever promised."""
    return [gap_in_words(verdict, gap) for gap in verdict.gaps if gap.missing is not Missing.ROLE]


def without_role(verdict: Verdict) -> list[str]:
    """The sets of pages for want of whose role the violated property may be wrong."""
    return [gap_in_words(verdict, gap) for gap in verdict.gaps if gap.missing is Missing.ROLE]


def gap_in_words(verdict: Verdict, gap: Gap) -> str:
    """What was not seen, as a line."""
    size = verdict.instance.size
    match gap.missing:
        case Missing.ACTION:
            return f"never taken: {gap.name}"
        case Missing.CHANGE:
            return f"changes nothing and observes nothing: {gap.name}"
        case Missing.BRANCH:
            return f"never taken with {size}, and does nothing: a branch of {gap.name}"
        case Missing.EVENT:
            return f"never happens with {size}: {gap.name}{_looked_for(gap)}"
        case Missing.HISTORY:
            return f"never changes with {size}: {gap.name}{_looked_for(gap)}"
        case Missing.PAGES:
            return f"no property that was asked reads {gap.name}, and it declares neither role nor waits"
        case Missing.ROLE:
            return (
                f"{gap.properties[0]} asks for the pages of roles, and {gap.name} has none and is read by no property: "
                "declare its role (role=...) or the thread that waits (waits=...), or this may be a false alarm"
            )
        case Missing.PROPERTY:
            return f"cannot fail, whatever happens: {gap.name}"
        case Missing.WITNESS:
            sentence = next(p.sentence for p in verdict.instance.properties if p.name == gap.name)
            return f"not reachable with {size}: {sentence[0].lower()}{sentence[1:]}"
        case Missing.PROMISE:
            return f"says nothing with {size}: {gap.name}"


def _looked_for(gap: Gap) -> str:
    """The properties that a gap concerns, as the end of a line."""
    *firsts, last = gap.properties or ("",)
    if not firsts:
        return f", which {last} looks for" if last else ""
    return f", which {', '.join(firsts)} and {last} look for"


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
    kind = "deadlock" if verdict.outcome is Outcome.DEADLOCK else f"violated: {verdict.violated.sentence}"
    if verdict.counterexample is None:
        return f"{kind} ({verdict.violated.name}), but no run is shown: {verdict.why}"
    steps = len(verdict.counterexample.steps)
    return f"{kind} ({verdict.violated.name}), shown by a shortest run of {step_count(steps)}"
