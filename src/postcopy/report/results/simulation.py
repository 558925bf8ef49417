"""What random walks found, in words."""

from __future__ import annotations

from typing import Literal

from postcopy.explorer.simulation.simulate import Finding, Simulated
from postcopy.language.properties import Property
from postcopy.report.story.words import step_count


def answer(found: Simulated, prop: Property) -> Literal["violated", "not seen violated", "reached", "not reached"]:
    """What the walks say of one property: violated, reached, or that they did not see it."""
    if found.violated is prop:
        return "violated"
    if prop.is_witness:
        return "reached" if found.reached[prop.name] else "not reached"
    return "not seen violated"


def warnings(found: Simulated) -> list[str]:
    """Where the walks did not come: actions never taken, witnesses never reached. Empty where they were cut short."""
    if found.finding is not Finding.NOTHING:
        return []
    missed = [p.sentence for p in found.instance.properties if p.is_witness and not found.reached[p.name]]
    return [f"never taken: {name}" for name in found.never_fired] + [
        f"not reached: {what[0].lower()}{what[1:]}" for what in missed
    ]


def sentence(found: Simulated) -> str:
    """What was found, and what it is worth, as one sentence."""
    walks = f"{found.walks:,} walk{'s' * (found.walks != 1)}"
    if found.violated is None:
        cut = "interrupted: " if found.finding is Finding.INTERRUPTED else ""
        return f"{cut}no violation found in {walks} of seed {found.plan.seed}, which proves nothing"
    kind = "deadlock" if found.finding is Finding.DEADLOCK else f"violated: {found.violated.sentence}"
    steps = len(found.counterexample.steps) if found.counterexample else 0
    shortened = f", shortened from {found.found_in}" if found.found_in != steps else ""
    return f"{kind} ({found.violated.name}), shown by a run of {step_count(steps)} (walk {found.walks:,}{shortened})"


def whether_found(found: Simulated, expected: tuple[str, ...]) -> str:
    """Whether a property that is known to be violated was found violated."""
    return "found" if found.violated is not None and found.violated.name in expected else "NOT found"
