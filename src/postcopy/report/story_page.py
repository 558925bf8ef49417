"""A story inside of a page: what the template `page/story.html` draws, and the functions that it calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from math import log1p

import jinja2

from postcopy.explorer.trace import Trace
from postcopy.report import pages
from postcopy.report.held import Held, held
from postcopy.report.lanes import Group, Row, groups, rows
from postcopy.report.story import FOREVER, OBSERVER, Story, tell


@dataclass(frozen=True)
class Run:
    """A run as a page shows it."""

    story: Story
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    held: tuple[Held, ...]

    @property
    def owners(self) -> list[tuple[str, list[Held]]]:
        """What the state holds, part by part."""
        return [(owner, list(parts)) for owner, parts in groupby(self.held, key=lambda part: part.owner)]


def run_of(trace: Trace) -> Run:
    """All that a page needs of a run."""
    story = tell(trace)
    return Run(story, groups(story), rows(story), held(trace))


@cache
def environment() -> jinja2.Environment:
    """Where the templates are, with what a story needs; they are compiled once."""
    found = pages.environment()
    found.globals |= {
        "OBSERVER": OBSERVER,
        "FOREVER": FOREVER,
        "percent": lambda lane, count: f"{(lane + 0.5) / count:.3%}",
        "edge": lambda lane, count: f"calc(var(--lanes) * {lane / count:.5f})",
        "percent_of": lambda part, whole: f"{part / whole:.3%}",
        "share": lambda times, most: f"{log1p(times) / log1p(most) if most else 0:.1%}",
    }
    return found
