"""The last sentence of a check counts in good English."""

import pytest

from postcopy.explorer.explore import explore
from postcopy.language.instance import Instance
from postcopy.report.results.check import sentence
from postcopy.report.story.words import step_count
from tests.explorer import tiny_liveness as tiny


@pytest.mark.parametrize(("steps", "words"), [(0, "0 steps"), (1, "1 step"), (17, "17 steps")])
def test_one_step_is_not_several(steps: int, words: str) -> None:
    assert step_count(steps) == words


def test_a_run_of_one_step_that_goes_on_for_ever() -> None:
    verdict = explore(Instance(tiny.Idling, 1, 1, (tiny.done_whatever_happens,)))
    assert sentence(verdict).endswith("(done-whatever-happens), shown by a run of 1 step and then nothing for ever")
