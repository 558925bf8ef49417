"""Storing one of all states that are equal up to a renaming of pages changes no verdict and loses no state."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.catalogue.properties import BY_NAME
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.orbits import orbit
from postcopy.explorer.kernel.reductions import PAGES, VCPUS
from postcopy.explorer.results import Engine, Options
from postcopy.language import Cpu, Page, Protocol, require
from postcopy.language.instance import Instance
from postcopy.model.destination import Destination
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from tests.explorer.brute import brute_force
from tests.strategies import random_protocols


def explored(instance: Instance, symmetry: bool) -> Exploration:
    exploration = Exploration(instance, Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED))
    exploration.run()
    return exploration


@pytest.mark.slow_but("2-1-1")
@pytest.mark.parametrize(("pages", "in_flight", "group"), [(2, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 2), (4, 1, 2)])
def test_the_orbits_of_what_is_stored_add_up_to_all_states(pages: int, in_flight: int, group: int) -> None:
    properties = SAFETY if pages == 2 else ()
    instance = Instance(Postcopy, pages, in_flight, properties, group)
    reduced, full = explored(instance, True), explored(instance, False)
    assert sum(orbit(reduced.kernel, words) for words in reduced.stored()) == full.findings.states
    every = (full.kernel.layout.unpack(words) for words in full.stored())
    assert set(map(reduced.kernel.representative, every)) == set(reduced.stored())
    assert reduced.findings.depth == full.findings.depth


@pytest.mark.slow_but("1-2-1-True")
@pytest.mark.parametrize("symmetry", [True, False])
@pytest.mark.parametrize(("pages", "in_flight", "group"), [(1, 2, 1), (2, 1, 1), (2, 2, 2), (3, 1, 1)])
def test_orbits_add_up_where_vcpus_are_renamed_too(pages: int, in_flight: int, group: int, symmetry: bool) -> None:
    instance = Instance(Postcopy, pages, in_flight, (), group)
    full = explored(instance, False)
    reduced = Exploration(instance, Options((PAGES, VCPUS) if symmetry else (VCPUS,), engine=Engine.INTERPRETED))
    reduced.run()
    assert VCPUS in reduced.kernel.reductions
    assert reduced.findings.states < explored(instance, symmetry).findings.states
    assert sum(orbit(reduced.kernel, words) for words in reduced.stored()) == full.findings.states
    every = (full.kernel.layout.unpack(words) for words in full.stored())
    assert set(map(reduced.kernel.representative, every)) == set(reduced.stored())
    assert reduced.findings.depth == full.findings.depth


SECOND: Any = 1


class FirstMatters(Postcopy):
    """vCPU 0 writes only where vCPU 1 does not wait."""

    class destination(Destination):  # noqa: N801
        def cpu_writes(self, cpu: Cpu, page: Page) -> None:
            """writes, if it is vCPU 1 or that does not wait"""
            require(cpu == SECOND or self.waiting[SECOND].empty)
            super().cpu_writes(cpu, page)


def test_vcpus_that_are_not_treated_alike_are_not_renamed() -> None:
    exploration = Exploration(Instance(FirstMatters, 1, 1), Options((PAGES, VCPUS), engine=Engine.INTERPRETED))
    assert exploration.kernel.inapplicable == {VCPUS: "destination.cpu_writes[0] tells vCPUs apart"}
    assert VCPUS not in exploration.kernel.reductions


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), size=st.sampled_from([(2, 1), (3, 1), (4, 2)]))
def test_orbits_add_up_for_random_protocols_too(protocol: type[Protocol], size: tuple[int, int]) -> None:
    pages, group = size
    instance = Instance(protocol, pages, 1, (), group)
    if len(brute_force(instance, limit=2000).depth) <= 2000:
        reduced, full = explored(instance, True), explored(instance, False)
        assert sum(orbit(reduced.kernel, words) for words in reduced.stored()) == full.findings.states


@pytest.mark.one_in(3)
@pytest.mark.slow_but("no-discards", "late-start-acts")
@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_breaks_the_same_property_after_as_many_steps_whatever_symmetry_is_used(name: str) -> None:
    fault = FAULTS[name]
    in_flight = 2 if fault.pages == 2 else 1  # four pages are enough to search
    instance = Instance(fault, fault.pages, in_flight, [BY_NAME[fault.breaks[0]]], fault.group)
    options = [Options(each, engine=Engine.INTERPRETED) for each in ((), (PAGES,), (PAGES, VCPUS))]
    without, *reduced = (explore(instance, each) for each in options)
    for verdict in (without, *reduced):
        assert verdict.violated == BY_NAME[fault.breaks[0]]
        assert verdict.counterexample is not None
        assert without.counterexample is not None
        assert len(verdict.counterexample.steps) == len(without.counterexample.steps)
    assert reduced[1].states <= reduced[0].states <= without.states
