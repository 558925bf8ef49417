"""The cores refine the model under every interleaving; each twin with a rule missing does not, and it is said why."""

from __future__ import annotations

import pytest

from postcopy.conformance.refinement import refine
from postcopy.conformance.world import World
from postcopy.model.faults import FAULTS
from postcopy.properties.catalogue import BY_NAME
from tests.conformance.twins import TWINS, Twin


def test_every_interleaving_is_the_models() -> None:
    found = refine(World.new(1, 1))
    assert found.failure is None
    assert found.complete
    assert (found.states, found.transitions) == (1264, 7445)


def test_so_is_every_interleaving_where_the_destination_cannot_do_postcopy() -> None:
    world = World.new(1, 1)
    world.destination.host_support = False
    found = refine(world)
    assert found.failure is None
    assert found.complete
    assert found.actions["destination.refuses_advise"] > 0
    assert "destination.handles_advise" not in found.actions


def test_a_search_that_is_cut_short_says_so() -> None:
    assert not refine(World.new(2, 1), limit=100).complete


@pytest.mark.parametrize("twin", TWINS, ids=[twin.core.__name__ for twin in TWINS])
def test_a_twin_with_a_rule_missing_is_found_out(twin: Twin) -> None:
    assert twin.fault in FAULTS
    failure = refine(twin.world).failure
    assert failure is not None
    assert twin.says in failure.why


LIVENESS = [name for name, fault in FAULTS.items() if BY_NAME[fault.breaks[0]].of_runs]

WITHOUT_TWIN = {
    "unpackaged": "the core makes the package in one call",
    "listen-waits-for-main": "locks are the hosts' matter, not the cores'",
    "main-closes-stream": "the connection is the hosts' matter",
    "torn-placement": "placing is one effect; the live tests tear it",
    "balloon-not-inhibited": "this guest has no balloon",
    "memory-stays-locked": "this guest's memory is never locked",
    **dict.fromkeys(LIVENESS, "the search of the cores asks about steps and states, not about endless runs"),
}
"""Faults of the model that have no twin, and why."""


def test_every_fault_has_a_twin_or_a_reason_why_not() -> None:
    assert {twin.fault for twin in TWINS} | set(WITHOUT_TWIN) == set(FAULTS)
    assert not {twin.fault for twin in TWINS} & set(WITHOUT_TWIN)
