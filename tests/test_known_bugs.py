"""Each known bug has its fixes or reports, and a model or the reason why there is none."""

import re

import pytest

from postcopy.catalogue.bugs.known import KnownBug
from postcopy.catalogue.bugs.listing import BUGS, models
from postcopy.catalogue.history import HISTORY
from postcopy.model.rules import RULES


@pytest.mark.parametrize("bug", BUGS.values(), ids=list(BUGS))
def test_a_known_bug_is_modelled_or_says_why_not(bug: KnownBug) -> None:
    assert bool(models(bug.code)) != bool(bug.absent)
    assert bug.fixes or bug.report or bug.code.startswith("D")
    assert set(re.findall(r"\bR\d+\b", bug.about)) <= set(RULES)


def test_a_bug_that_is_found_again_has_the_commits_that_its_page_lists() -> None:
    for found in HISTORY.values():
        listed = [fix.commit for fix in BUGS[found.entry].fixes]
        assert found.commit in listed or found.commit.rpartition(" ")[2] in BUGS[found.entry].report
