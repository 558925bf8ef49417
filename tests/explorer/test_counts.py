"""The size of the protocol's state space, pinned: a change of the model shows here first."""

import pytest

from postcopy.catalogue.properties import DEFAULT
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy

pytestmark = pytest.mark.unmeasured

COUNTS = {
    # pages, in flight, target pages of a host page, symmetry: states, transitions, depth
    (1, 1, 1, True): (2722, 17264, 26),
    (1, 2, 1, True): (4797, 32040, 27),
    (2, 1, 1, True): (7139, 56822, 32),
    (2, 1, 1, False): (12237, 98908, 32),
    (2, 2, 1, True): (14764, 122413, 34),
    (2, 2, 1, False): (27001, 226455, 34),
    (2, 1, 2, True): (5109, 38116, 29),
    (2, 2, 2, True): (10658, 83272, 30),
    (3, 1, 1, True): (22936, 222590, 40),
    (4, 1, 2, True): (36286, 347522, 38),
}


@pytest.mark.slow_but("size0", "size1", "size2", "size3", "size4", "size5", "size6", "size7")
@pytest.mark.parametrize("size", COUNTS)
def test_states_transitions_and_depth(size: tuple[int, int, int, bool]) -> None:
    pages, in_flight, group, symmetry = size
    properties = [p for p in DEFAULT if not p.of_runs]  # their graph is another, and larger
    verdict = explore(
        Instance(Postcopy, pages, in_flight, properties, group),
        Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED),
    )
    assert verdict.outcome is Outcome.HOLDS
    assert (verdict.states, verdict.transitions, verdict.depth) == COUNTS[size]
