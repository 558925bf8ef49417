"""QEMU 11.1 with all its defects mended has each property that a defect, a fault or a bug that is put back violates.

What the registries ask at the same size, with the same options, is asked in one search. It is long where they only ask
what is violated by faults of which the search is long as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from postcopy.catalogue.history_in_qemu import PUT_BACK
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import choose
from postcopy.catalogue.qemu_defects import DEFECTS
from postcopy.catalogue.qemu_faults import FOUND, Searched
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Outcome
from postcopy.language.instance import Instance
from tests.test_qemu_faults import SEARCHED

MENDED = "qemu-11-mended"


class Where(NamedTuple):
    """The options as terms, pages, messages in flight, and target pages of a host page."""

    terms: str
    pages: int
    in_flight: int
    host_page: int


def place(one: Searched) -> Where:
    """Where a fault is searched."""
    return Where(one.fault.terms, one.fault.pages, one.fault.in_flight, one.fault.host_page)


def questions(faults: Sequence[Searched]) -> dict[Where, set[str]]:
    """The names of the properties that are asked, by where: what all defects, these faults, and all bugs violate."""
    found = defaultdict(set)
    for defect in DEFECTS:
        if (shown := defect.shown) is not None:
            group = shown.host_page or resolve(shown.protocol)[1].group
            found[Where(shown.terms, shown.pages, shown.in_flight, group)].add(shown.broken)
    for one in faults:
        found[place(one)].add(one.breaks)
    for each in PUT_BACK:
        group = resolve(each.protocol)[1].group
        found[Where(each.terms, each.pages, each.in_flight, group)].add(each.broken)
    return found


QUESTIONS = questions(FOUND)
NOT_LONG = questions(SEARCHED).keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        pytest.param(where, marks=[pytest.mark.long] * (where not in NOT_LONG), id="-".join(map(str, where)))
        for where in sorted(QUESTIONS)
    ],
)
def test_the_properties_hold_where_nothing_is_left_out(where: Where) -> None:
    cls = resolve(MENDED + where.terms)[1]
    asked = choose(sorted(QUESTIONS[where]), cls)
    verdict = explore(Instance(cls, where.pages, where.in_flight, asked, where.host_page), Options(max_memory=4 << 30))
    assert verdict.outcome is Outcome.HOLDS
