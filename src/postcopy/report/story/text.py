"""A story on the terminal: who, what, and what changed, in three aligned columns of 80 characters and up."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from postcopy.report.story.story_format import Kept, StoryFormat
from postcopy.report.story.tell import FOREVER, OBSERVER, Story, StoryStep, tell

GHOST = "(observer)"
WIDTH = 100
"""Columns of plain text."""


def print_story(story: Story, console: Console) -> None:
    """Print a story; colours and line breaks are the console's, which is plain where it is no terminal."""
    console.print(Text(story.title, style="bold"))
    console.print(Text(f"{story.protocol}, {story.size}; {story.length}", style="dim"))
    for line in story.given:
        console.print(Text(f"given  {line}", style="dim"))
    console.print()
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(ratio=1)
    for step in story.steps:
        last = step is story.culprit
        if step.number == story.loop:
            table.add_row("", "", Text(FOREVER, style="bold red"))
        table.add_row(str(step.number), Text(step.thread, style="bold red" if last else ""), _step(step, last))
    if story.loop is not None:
        table.add_row("", "", Text(story.back, style="bold red"))
    console.print(table)
    if any(change.ghost for step in story.steps for change in step.changes):
        console.print()
        console.print(Text(f"{GHOST} {OBSERVER}: no thread can act on it", style="dim"))
    contradiction = story.contradiction
    if contradiction:
        rules = f" ({' '.join(contradiction.rules)})" if contradiction.rules else ""
        console.print()
        console.print(Text.assemble((f"Violated: {contradiction.sentence}", "bold red"), rules))
        for paragraph in (contradiction.culprits, contradiction.because):
            if paragraph:
                console.print(Text(paragraph))


def _step(step: StoryStep, last: bool) -> Group:
    sentence = Text(step.what, style="bold red" if last else "")
    if step.rule:
        sentence.append(f"  {step.rule}", style="not bold dim")
    changes = []
    for change in step.changes:
        line = Text(change.short, style="dim" if change.ghost else "green")
        if change.ghost:
            line.append(f" {GHOST}", style="italic")
        changes.append(Padding(line, (0, 0, 0, 2)))
    return Group(sentence, *changes)


def plain(print_to: Callable[[Console], None]) -> str:
    """What is printed, as plain text of 100 columns: also in a notebook, where Rich shows it and gives nothing back,
    and where the environment asks for colours.

    Args:
        print_to: prints to a console.
    """
    text = StringIO()
    print_to(
        Console(file=text, width=WIDTH, highlight=False, force_jupyter=False, force_terminal=False, color_system=None)
    )
    return text.getvalue()


def _file(kept: Kept) -> bytes:
    return plain(lambda console: print_story(tell(kept.run), console)).encode()


FORMAT = StoryFormat((".txt",), "plain text", begins="Counterexample to", media="text/plain", write=_file)
