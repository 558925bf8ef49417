"""Two runs beside each other, on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from postcopy.report.results.two_runs import Differing, Pair, TwoRuns
from postcopy.report.results.two_runs_words import NAMES, both_values, ends, parts_of_both, sentence
from postcopy.report.story.text import GHOST
from postcopy.report.story.words import step_count

AROUND = 2
"""So many common steps are shown before and after each step that only one run takes."""


def print_two_runs(found: TwoRuns, console: Console) -> None:
    """The two, where they part, what differs then, their steps beside each other, and how each ends."""
    for name, line in zip(NAMES, ends(found), strict=True):
        console.print(Text.assemble((f"{name}  ", "bold"), line))
    console.print()
    console.print(Text(sentence(found), style="bold"))
    if found.alike:
        return
    console.print()
    console.print(_steps(found))
    if found.states_part is not None:
        place = f"after step {found.states_part}" if found.states_part else "in the beginning"
        _print_differing(place, found.differing((found.states_part, found.states_part)), console)
    taken = found.after_parting()
    after = " and ".join(f"step {n} of {name}" for n, name in zip(taken, NAMES, strict=True))
    _print_differing(f"after {after}", found.differing(taken), console)
    last = (len(found.runs[0].steps), len(found.runs[1].steps))
    if last != taken:
        _print_differing("at the end", found.differing(last), console)
    for name, story in zip(NAMES, found.stories, strict=True):
        if story.contradiction is not None:
            console.print()
            said = Text.assemble((f"{name} violates: {story.contradiction.sentence}", "bold red"))
            console.print(said)
            for paragraph in (story.contradiction.culprits, story.contradiction.because):
                if paragraph:
                    console.print(Text(paragraph))


def _steps(found: TwoRuns) -> Table:
    """The steps; of those that both take, only the ones around a difference."""
    table = Table.grid(padding=(0, 1))
    for _ in NAMES:
        table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_row(*NAMES, "", "")
    shown = _near(found.pairs)
    left_out = 0
    for place, pair in enumerate(found.pairs):
        if place not in shown:
            left_out += 1
            continue
        _add_left_out(table, left_out)
        left_out = 0
        table.add_row(*("" if step is None else str(step.number) for step in pair.steps), *_cell(pair))
    _add_left_out(table, left_out)
    return table


def _near(pairs: tuple[Pair, ...]) -> set[int]:
    apart = [place for place, pair in enumerate(pairs) if not pair.same] or [len(pairs)]
    return {near for place in apart for near in range(place - AROUND, place + AROUND + 1)}


def _add_left_out(table: Table, number: int) -> None:
    if number:
        table.add_row("", "", "", Text(f"… {step_count(number)} of both", style="dim"))


def _cell(pair: Pair) -> tuple[Text, Text]:
    one, other = pair.steps
    step = one or other
    assert step is not None
    if pair.same:
        return Text(" "), Text(step.sentence, style="dim")
    which = 0 if one is not None else 1
    style = ("red", "green")[which]
    return Text(NAMES[which], style=f"bold {style}"), Text(step.sentence, style=style)


def _print_differing(where: str, differing: list[Differing], console: Console) -> None:
    both, single = parts_of_both(differing)
    console.print()
    console.print(Text(f"Differs {where}:" if both else f"Nothing that both have differs {where}.", style="bold"))
    for it in both:
        mark = f" {GHOST}" if it.ghost else ""
        one, other = both_values(it)
        console.print(Text(f"  {it.title}{mark}: {one} | {other}", style="dim" if it.ghost else ""))
    for which, name in enumerate(NAMES):
        names = [it.title for it in single if it.values[which] is not None]
        if names:
            console.print(Text(f"  only {name} has: {', '.join(names)}", style="dim"))
