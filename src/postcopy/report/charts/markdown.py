"""A story as a page of Markdown: what is violated, how to see it again, chart, steps, explanation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postcopy.report.charts.mermaid import mermaid
from postcopy.report.story.story_format import Kept, StoryFormat
from postcopy.report.story.tell import FOREVER, OBSERVER, Story, StoryStep, tell


def markdown(story: Story, reproduce: str = "") -> str:
    """The story as Markdown.

    Args:
        story: what to tell.
        reproduce: the command line that finds it again; left out where empty.
    """
    contradiction = story.contradiction
    blocks = [f"# {escape(story.title)}"]
    about = f" {escape(story.about)}" if story.about else ""
    shows = f"A counterexample in {story.length}"
    blocks.append(f"{shows if contradiction else 'A run'} of `{story.protocol}` with {story.size}.{about}")
    if contradiction:
        rules = f" Rules: {', '.join(contradiction.rules)}." if contradiction.rules else ""
        blocks.append(f"Violated: **{escape(contradiction.sentence)}** (`{contradiction.name}`).{rules}")
    if story.given:
        blocks.append("Given:\n\n" + "\n".join(f"- {escape(line)}" for line in story.given))
    if reproduce:
        blocks.append(f"To see it again: {_code(reproduce)}")
    blocks.append(f"```mermaid\n{mermaid(story)}```")
    table = ["| step | who | what | what changed |", "|---:|---|---|---|", *_rows(story)]
    blocks.append("\n".join(table))
    if any(change.ghost for step in story.steps for change in step.changes):
        blocks.append(f"What is in *italics* is {OBSERVER}.")
    if contradiction:
        what = "the last step" if story.culprit or story.loop is None else "this run"
        blocks.append(f"## Why {what} is a contradiction")
        blocks.append(escape(contradiction.words))
    return "\n\n".join(blocks) + "\n"


def _rows(story: Story) -> Iterator[str]:
    for step in story.steps:
        if step.number == story.loop:
            yield f"| | | **{FOREVER}** | |"
        yield _row(step)
    if story.loop is not None:
        yield f"| | | **{story.back}** | |"


def _row(step: StoryStep) -> str:
    source = "; ".join(part for part in (step.rule, f"`{step.qemu}`" if step.qemu else "") if part)
    what = escape(step.what) + (f" ({source})" if source else "")
    changes = "<br>".join(f"*{escape(c.short)}*" if c.ghost else escape(c.short) for c in step.changes) or "nothing"
    return f"| {step.number} | {escape(step.thread)} | {what} | {changes} |"


def _code(text: str) -> str:
    """A code span that text with backticks in it cannot end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def escape(text: str) -> str:
    """Spell out what Markdown, or a table in it, would take for its own."""
    text = re.sub(r"([\\`*|<#])", r"\\\1", text.replace("\n", " "))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text).replace("](", "]\\(")


def _file(kept: Kept) -> bytes:
    return markdown(tell(kept.run), kept.command).encode()


FORMAT = StoryFormat((".md",), "text", begins="# Counterexample to", media="text/markdown", write=_file)
