"""QEMU's rules taken away one at a time: each is found by a property that holds where the rule is there."""

from __future__ import annotations

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.history_in_qemu import BEFORE, PUT_BACK
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.properties import asked_of, choose
from postcopy.catalogue.qemu import QEMU
from postcopy.catalogue.qemu_7_2 import QEMU_7_2
from postcopy.catalogue.qemu_defects import DEFECTS
from postcopy.catalogue.qemu_faults import FOUND, NOT_FOUND, QEMU_FAULTS, Searched
from postcopy.catalogue.qemu_steps import STEPS
from postcopy.catalogue.tables import BY_NAME
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language.instance import Instance
from postcopy.language.machines import Machine
from postcopy.model.faults import FAULTS
from postcopy.model.qemu.mends import Qemu11Mended

ALL = (*FOUND, *NOT_FOUND)
CHEAP = ("clears-without-sending", "never-looks-for-errors", "advised-without-support", "cpus-run-on-at-the-switch")
"""Found within a few thousand states."""
BROKEN = {each.broken for each in PUT_BACK} | {defect.shown.broken for defect in DEFECTS if defect.shown is not None}
"""Properties that a defect, or a bug that is put back, violates; these are all searched, by tests of their own."""
SEARCHED = list({one.breaks: one for one in reversed(FOUND) if one.breaks not in BROKEN}.values())
"""The first fault that violates each of the other properties. To search the others is long."""


def name(one: Searched) -> str:
    return one.name


def size(one: Searched) -> tuple[str, int, int, int]:
    """Where a fault is searched: the terms, pages, messages in flight, and target pages of a host page."""
    return (one.fault.terms, one.fault.pages, one.fault.in_flight, one.fault.host_page)


def search(one: Searched, protocol: str, engine: Engine = Engine.AUTO) -> Verdict:
    """The answer about a protocol to the question that finds a fault."""
    cls = resolve(protocol + one.fault.terms)[1]
    asked = choose([one.breaks or one.fault.expects], cls)
    instance = Instance(cls, one.fault.pages, one.fault.in_flight, asked, one.fault.host_page)
    return explore(instance, Options(engine=engine, max_memory=4 << 30))


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len(QEMU_FAULTS) == len(ALL)
    for others in (FAULTS, CHANGES, PROTOCOLS, QEMU, QEMU_7_2, BEFORE, OTHERS):
        assert not QEMU_FAULTS.keys() & others.keys()
    assert all(BY_NAME[one.name] is one.fault for one in ALL)


def test_at_least_forty_rules_are_found_by_the_property_that_was_expected() -> None:
    assert len([one for one in FOUND if one.breaks == one.fault.expects]) >= 40


@pytest.mark.parametrize("one", ALL, ids=name)
def test_a_fault_takes_a_rule_of_a_step_away(one: Searched) -> None:
    assert one.fault.__bases__[0].__bases__ == (Qemu11Mended,)
    assert one.fault.step in STEPS
    assert (one.fault.__doc__ or "").endswith(".")
    changed = [part for part in one.fault.parts(Machine) if part in vars(one.fault)]
    assert len(changed) == 1, "a rule is one host's"
    asked = {prop.name for prop in asked_of(one.fault)}
    assert one.fault.expects in asked
    assert one.breaks in asked | {""}


def test_what_was_not_expected_is_explained() -> None:
    assert all(one.remark for one in ALL if one.breaks != one.fault.expects)
    assert not any(one.breaks or one.steps for one in NOT_FOUND)


@pytest.mark.parametrize("cheap", CHEAP)
def test_a_fault_is_found_with_actions_as_they_are_written(cheap: str) -> None:
    one = next(one for one in FOUND if one.name == cheap)
    verdict = search(one, one.name, Engine.INTERPRETED)
    assert verdict.violated is not None
    assert verdict.violated.name == one.breaks
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == one.steps


@pytest.mark.slow
@pytest.mark.parametrize(
    "one", [pytest.param(one, marks=[pytest.mark.long] * (one not in SEARCHED), id=one.name) for one in FOUND]
)
def test_a_fault_is_found_by_a_stock_property(one: Searched) -> None:
    verdict = search(one, one.name)
    assert verdict.violated is not None
    assert verdict.violated.name == one.breaks
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == one.steps


@pytest.mark.slow
@pytest.mark.parametrize("one", NOT_FOUND, ids=name)
def test_a_rule_that_no_property_misses_is_not_found_where_it_was_expected(one: Searched) -> None:
    assert search(one, one.name).outcome is Outcome.HOLDS
