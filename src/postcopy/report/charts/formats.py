"""All formats in which a run can be written. Another one is a file that declares its `FORMAT`, and a line here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from postcopy.errors import UsageError
from postcopy.report.story.story_format import StoryFormat

ENDINGS = ".itf.json, .md, .mmd, .svg, .txt"
"""How their files may be called, in words."""


@cache
def formats() -> tuple[StoryFormat, ...]:
    """All of them, the one for programs first; imported when one is needed."""
    from postcopy.report.charts import markdown, mermaid, svg
    from postcopy.report.story import itf, text

    return itf.FORMAT, markdown.FORMAT, mermaid.FORMAT, svg.FORMAT, text.FORMAT


def format_of(path: Path, option: str, *further: str) -> StoryFormat:
    """The format of a file's name.

    Args:
        path: the file.
        option: the option that named it, for the message.
        further: endings that the caller writes itself, for the message.

    Raises:
        UsageError: there is none.
    """
    for form in formats():
        if form.fits(path):
            return form
    raise UsageError(f"{option} {path}: the name has to end in {', '.join((*further, ENDINGS))}")
