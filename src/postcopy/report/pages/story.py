"""A story inside of a page: what the template `assets/story.html` draws, and the functions that it calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from math import log1p

import jinja2

from postcopy.language.trace import Trace
from postcopy.report.charts.drawing import text_width
from postcopy.report.pages import template as pages
from postcopy.report.story.held import Held, held
from postcopy.report.story.lanes import Group, Row, groups, rows
from postcopy.report.story.tell import FOREVER, OBSERVER, Story, tell


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


def _apart(group: Group, name: str) -> bool:
    """Whether the host has to be written beside a lane's name."""
    return bool(group.host) and group.host not in name.split()


def tallest(groups: tuple[Group, ...]) -> int:
    """How many pixels the longest name of a lane takes, with its host."""
    names = [f"{group.host} {name}" if _apart(group, name) else name for group in groups for name in group.names]
    return round(max(map(text_width, names), default=0))


@cache
def environment() -> jinja2.Environment:
    """Where the templates are, with what a story needs; they are compiled once."""
    found = pages.environment()
    found.globals |= {
        "OBSERVER": OBSERVER,
        "FOREVER": FOREVER,
        "apart": _apart,
        "tall": tallest,
        "percent": lambda lane, count: f"{(lane + 0.5) / count:.3%}",
        "edge": lambda lane, count: f"calc(var(--lanes) * {lane / count:.5f})",
        "percent_of": lambda part, whole: f"{part / whole:.3%}",
        "share": lambda times, most: f"{log1p(times) / log1p(most) if most else 0:.1%}",
    }
    return found
