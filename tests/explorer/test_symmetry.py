"""Storing one of all states that are equal up to a renaming of pages changes no verdict and loses no state."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.explorer.explore import Exploration, Options, explore
from postcopy.model.faults import FAULTS
from postcopy.model.instance import Instance
from postcopy.model.language import Protocol
from postcopy.model.postcopy import Postcopy
from postcopy.properties.catalogue import BY_NAME
from postcopy.properties.safety import SAFETY
from tests.explorer.brute import brute_force
from tests.strategies import random_protocols


def explored(instance: Instance, symmetry: bool) -> Exploration:
    exploration = Exploration(instance, Options(symmetry, engine="interpreted"))
    exploration.run()
    return exploration


@pytest.mark.parametrize(("pages", "in_flight", "group"), [(2, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 2), (4, 1, 2)])
def test_the_orbits_of_what_is_stored_add_up_to_all_states(pages: int, in_flight: int, group: int) -> None:
    properties = SAFETY if pages == 2 else ()
    instance = Instance(Postcopy, pages, in_flight, properties, group)
    reduced, full = explored(instance, True), explored(instance, False)
    assert sum(map(reduced.orbit, reduced.stored())) == full.findings.states
    assert {reduced.representative(full.layout.unpack(words)) for words in full.stored()} == set(reduced.stored())
    assert reduced.findings.depth == full.findings.depth


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), size=st.sampled_from([(2, 1), (3, 1), (4, 2)]))
def test_orbits_add_up_for_random_protocols_too(protocol: type[Protocol], size: tuple[int, int]) -> None:
    pages, group = size
    instance = Instance(protocol, pages, 1, (), group)
    if len(brute_force(instance, limit=2000).depth) <= 2000:
        reduced, full = explored(instance, True), explored(instance, False)
        assert sum(map(reduced.orbit, reduced.stored())) == full.findings.states


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_breaks_the_same_property_after_as_many_steps_with_and_without_symmetry(name: str) -> None:
    fault = FAULTS[name]
    instance = Instance(fault, 2, 2, [BY_NAME[fault.breaks[0]]], fault.group)
    with_it, without = (explore(instance, Options(symmetry, engine="interpreted")) for symmetry in (True, False))
    assert with_it.violated == without.violated == BY_NAME[fault.breaks[0]]
    assert with_it.counterexample is not None
    assert without.counterexample is not None
    assert len(with_it.counterexample.steps) == len(without.counterexample.steps)
    assert with_it.states <= without.states
