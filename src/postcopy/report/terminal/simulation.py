"""What random walks found, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy.explorer.simulation.simulate import Simulated
from postcopy.language.properties import Property
from postcopy.report.results.simulation import sentence, warnings, whether_found
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story


def print_simulation(found: Simulated, name: str, console: Console, expected: tuple[str, ...] = ()) -> None:
    """What the walks saw, then the run that was found, and at the end what that means."""
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
    if found.counterexample:
        print_story(tell(found.counterexample), console)
        console.print()
    console.print(Text(sentence(found), style="bold red" if found.violated else "bold yellow"))
    if expected:
        console.print(Text(f"known to violate: {', '.join(expected)} - {whether_found(found, expected)}"))


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
