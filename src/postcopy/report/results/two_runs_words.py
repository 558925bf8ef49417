"""What two runs beside each other say in a sentence, the same in all formats."""

from __future__ import annotations

from postcopy.report.results.two_runs import Differing, TwoRuns
from postcopy.report.story.words import step_count

NAMES = ("A", "B")
"""What the two runs are called."""

NOTHING = "–"
"""What stands for a part of the state that a protocol does not have."""


def ends(found: TwoRuns) -> tuple[str, str]:
    """How each run ends, in a line."""
    one, other = (
        f"{name}, {story.size}: {'violates ' + run.violated if run.violated else 'violates nothing'}; {story.length}"
        for name, story, run in zip(found.names, found.stories, found.runs, strict=True)
    )
    return one, other


def sentence(found: TwoRuns) -> str:
    """Where the two part."""
    if found.alike:
        return f"the two runs are the same: {found.stories[0].length}"
    if all(pair.same for pair in found.pairs):
        return f"the two runs take the same {step_count(found.common)}, {_states(found)}"
    for which, run in enumerate(found.runs):
        if found.common == len(run.steps):
            other = NAMES[1 - which]
            return f"{NAMES[which]} ends after {step_count(found.common)}, which {other} takes as well{_too(found)}"
    return f"the two runs part at step {found.common + 1}{_too(found)}"


def _states(found: TwoRuns) -> str:
    if found.states_part is None:
        return "and end differently"
    return "from different beginnings" if not found.states_part else f"and differ from step {found.states_part} on"


def _too(found: TwoRuns) -> str:
    """What to add where the states differ before the steps do."""
    if found.states_part is None:
        return ""
    where = "from the beginning" if not found.states_part else f"after step {found.states_part}"
    return f"; their states differ {where} already"


def both_values(it: Differing) -> tuple[str, str]:
    """What a part holds in each run, as it is shown."""
    one, other = (NOTHING if value is None else value for value in it.values)
    return one, other


def parts_of_both(differing: list[Differing]) -> tuple[list[Differing], list[Differing]]:
    """Parts that both protocols have, and those that only one of them has."""
    return [it for it in differing if None not in it.values], [it for it in differing if None in it.values]
