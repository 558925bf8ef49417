"""The differences between two protocols, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from postcopy.explorer.behaviour import Inclusion
from postcopy.report.results.difference import Difference, size_words, too_large
from postcopy.report.story.words import plain, step_count


def print_difference(found: Difference, console: Console) -> None:
    """All differences, for the terminal."""
    base, change = found.names
    console.print(Text.assemble(("from ", "dim"), (base, "bold"), (" to ", "dim"), (change, "bold")))
    lists = (
        ("actions added", found.added),
        ("actions removed", found.removed),
        ("actions changed", found.changed),
        ("fields added", found.fields[0]),
        ("fields removed", found.fields[1]),
        ("messages added", found.messages[0]),
        ("messages removed", found.messages[1]),
    )
    for title, names in lists:
        if names:
            console.print()
            console.print(Text(title, style="bold"))
            for name in names:
                console.print(Text(f"  {plain(name) if title.startswith('messages') else name}"))
    console.print()
    console.print(Text("Properties whose verdict differs", style="bold"))
    for name, (old, new) in found.turned.items():
        style = "bold red" if new == "violated" else "green" if old == "violated" else ""
        console.print(Text(f"  {name}: {old} → {new}", style=style))
    if not found.turned:
        console.print("  none")
    console.print()
    size = size_words(found.at)
    console.print(Text(f"Behaviours ({size}; {found.states[0]:,} and {found.states[1]:,} states)", style="bold"))
    observed = "; ".join(("messages that both protocols have", *found.visible))
    console.print(Text(f"  compared by trace inclusion; observed: {observed}", "dim"))
    if found.hidden:
        console.print(Text(f"  not observed: {', '.join(found.hidden)}, which only one of the two has", "dim"))
    for line in too_large(found):
        console.print(Text(f"  {line}", style="yellow"))
    _print_inclusion(found.gained, change, base, size, console)
    _print_inclusion(found.lost, base, change, size, console)


def _print_inclusion(found: Inclusion, one: str, other: str, size: str, console: Console) -> None:
    if found.difference is None:
        if found.decided:
            said = f"does nothing that {other} cannot do, as far as it is observed at {size}"
        else:
            said = (
                f"was not found to do what {other} cannot, in {found.pairs:,} pairs of states at {size}: there are more"
            )
        console.print(Text(f"  {one} {said}", style="green" if found.decided else "yellow"))
        return
    console.print(Text(f"  {one} can do what {other} cannot:", style="bold"))
    for what, seen in found.difference.run:
        console.print(Text(f"    {what}", style="dim" if not seen else ""))
        for observation in seen:
            console.print(Text(f"      → {observation}"))
    for another in found.differences[1:]:
        last, all_seen = another.run[-1][1], [observation for _, seen in another.run for observation in seen]
        console.print(Text(f"  and, after {step_count(len(another.run) - 1)}: {', '.join(map(str, last))}"))
        console.print(Text(f"    seen: {', '.join(map(str, all_seen))}", style="dim"))
    if not found.decided:
        console.print(Text(f"  and perhaps more: given up after {found.pairs:,} pairs of states", style="yellow"))
