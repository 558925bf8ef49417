"""The size of the protocol's state space, pinned: a change of the model shows here first."""

import pytest

from postcopy.explorer.explore import Options, Outcome, explore
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.catalogue import DEFAULT

COUNTS = {
    # pages, in flight, target pages of a host page, symmetry: states, transitions, depth
    (1, 1, 1, True): (0, 0, 0),
}


@pytest.mark.parametrize("size", COUNTS)
def test_states_transitions_and_depth(size: tuple[int, int, int, bool]) -> None:
    pages, in_flight, group, symmetry = size
    verdict = explore(Instance(Postcopy, pages, in_flight, DEFAULT, group), Options(symmetry, engine="interpreted"))
    assert verdict.outcome is Outcome.HOLDS
    assert (verdict.states, verdict.transitions, verdict.depth) == COUNTS[size]
