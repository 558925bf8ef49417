"""What random walks found, for the terminal and as one JSON object. Everything that is printed is in the object too."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy.explorer.simulation.simulate import Finding, Simulated
from postcopy.language.properties import Property
from postcopy.report.results.check import counterexample
from postcopy.report.story.tell import Story


def answer(found: Simulated, prop: Property) -> str:
    """What the walks say of one property: violated, reached, or that they did not see it."""
    if found.violated is prop:
        return "violated"
    if prop.is_witness:
        return "reached" if found.reached[prop.name] else "not reached"
    return "not seen violated"


def to_json(found: Simulated, name: str, story: Story | None, expected: tuple[str, ...] = ()) -> dict[str, Any]:
    """What was found as one object."""
    instance, plan = found.instance, found.plan
    return {
        "protocol": name,
        "pages": instance.pages,
        "in_flight": instance.in_flight,
        "host_page": instance.group,
        "seed": plan.seed,
        "verdict": found.finding.value,
        "violated": found.violated.name if found.violated else None,
        "expected": list(expected),
        "walks": found.walks,
        "steps": found.steps,
        "deepest": found.deepest,
        "depth_limit": plan.depth,
        "distinct_states": found.distinct,
        "seconds": round(found.seconds, 3),
        "properties": [
            {
                "name": p.name,
                "sentence": p.sentence,
                "kind": p.kind.value,
                "rules": list(p.rules),
                "answer": answer(found, p),
            }
            | ({"walks": found.reached[p.name]} if p.is_witness else {})
            for p in instance.properties
        ],
        "actions": found.fired,
        "never_fired": found.never_fired,
        "impossible_at_this_size": sorted(found.impossible),
        "found_in": found.found_in,
        "counterexample": counterexample(story) if story else None,
    }


def print_found(found: Simulated, name: str, console: Console, expected: tuple[str, ...] = ()) -> None:
    """What was found in a screenful: what the walks saw, and at the end what that means."""
    instance = found.instance
    console.print(Text.assemble((name, "bold"), f"  {instance.size}", (f"  seed {found.plan.seed}", "dim")))
    console.print()
    witnesses = [p for p in instance.properties if p.is_witness]
    if witnesses:
        console.print(Text("Walks that reached", style="bold"))
        console.print(_table(found, witnesses))
        console.print()
    rate = f" ({found.steps / found.seconds:,.0f} steps/s)" if found.seconds > 0.05 else ""
    console.print(
        f"{found.walks:,} walks, {found.steps:,} steps, the deepest {found.deepest} from the start, "
        f"about {found.distinct:,} different states, {found.seconds:.2f} s{rate}"
    )
    taken = sum(1 for times in found.fired.values() if times)
    cannot = f" ({len(found.impossible)} cannot be at this size)" if found.impossible else ""
    looked_for = len(instance.properties) - len(witnesses)
    console.print(
        f"{taken} of {len(found.fired)} actions taken{cannot}; looked for violations of {looked_for} "
        f"propert{'y' if looked_for == 1 else 'ies'}"
    )
    for warning in warnings(found):
        console.print(Text(f"! {warning}", style="yellow"))
    console.print()
    console.print(Text(sentence(found), style="bold red" if found.violated else "bold yellow"))
    if expected:
        as_expected = found.violated is not None and found.violated.name in expected
        console.print(Text(f"known to break: {', '.join(expected)} - {'found' if as_expected else 'NOT found'}"))


def _table(found: Simulated, witnesses: list[Property]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    for prop in witnesses:
        count = found.reached[prop.name]
        table.add_row(
            Text(f"  {count:,}", style="green" if count else "yellow"),
            Text(prop.sentence),
            Text(" ".join(prop.rules), style="dim"),
        )
    return table


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
    return f"{kind} ({found.violated.name}), shown by a run of {steps} steps (walk {found.walks:,}{shortened})"
