"""How often an action is read: once for a protocol and size, whatever is asked and however it is searched. So are
monitors and properties of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from postcopy.cli.main import main
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import readings as remembered
from postcopy.language.body_checks import BodyChecks
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.symbolic import read_action, violation
from postcopy.model.changes.preempt import Preempt
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY

Readings = Counter[tuple[Any, ...]]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    """How often each action was read: its text is checked once each time, before it is run symbolically."""
    counted: Readings = Counter()
    check = BodyChecks.action

    def counting(self: BodyChecks, machine: Any, method: str) -> None:
        counted[machine, method] += 1
        check(self, machine, method)

    monkeypatch.setattr(BodyChecks, "action", counting)
    remembered._bodies.cache_clear()
    return counted


def expected(*instances: Instance) -> Readings:
    """Each action once for each instance; one with a vCPU is one for each vCPU."""
    return Counter((i.machines[a.machine], a.method) for i in instances for a in i.actions)


def run(*arguments: str | Path) -> None:
    with pytest.raises(SystemExit):
        main([str(argument) for argument in arguments])


def test_safety_and_liveness_share_one_reading(readings: Readings) -> None:
    instance = Instance(Postcopy, 1, 1, (*SAFETY, *LIVENESS))
    explore(instance, Options(engine=Engine.INTERPRETED))
    assert readings == expected(instance)


def test_a_check_that_stores_its_trace_reads_each_action_once(readings: Readings, tmp_path: Path) -> None:
    run("check", "--fault", "lost-wake-up", "--pages", "1", "--trace", tmp_path / "run.itf.json")
    assert (tmp_path / "run.itf.json").exists()
    assert readings == expected(Instance(FAULTS["lost-wake-up"], 1, 2))


@pytest.mark.slow
def test_a_comparison_reads_each_protocol_once(readings: Readings) -> None:
    run("diff", "Postcopy", "preempt", "--pages", "1")
    assert readings == expected(Instance(Postcopy, 1, 1), Instance(Preempt, 1, 1))


OF_STEPS = [p for p in SAFETY if p.of_steps]
WITHOUT_MONITOR = [p for p in OF_STEPS if p.monitor is None]
ASKED: tuple[Sequence[Property], ...] = (
    SAFETY,
    OF_STEPS[::-1],
    WITHOUT_MONITOR[1:],
    [p for p in SAFETY if p.of_states],
    [],
)


def test_what_was_read_before_makes_no_difference() -> None:
    """Whatever was asked of the protocol before: a step is what it is when it is read for the first time."""
    for asked in ASKED:
        instance = Instance(Postcopy, 1, 1, asked)
        steps = remembered.steps_of(instance)
        for action in instance.actions:
            assert steps.tree(action, instance.properties) == read_action(instance, action)


def test_a_property_of_steps_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[tuple[str, int, str]] = Counter()

    def counting(instance: Instance, action: Any, leaf: Any, prop: Any, *others: Any) -> Any:
        counted[action.name, id(leaf), prop.name] += 1
        return violation(instance, action, leaf, prop, *others)

    monkeypatch.setattr("postcopy.language.judgements.violation", counting)
    remembered._steps.cache_clear()
    for left in (WITHOUT_MONITOR, WITHOUT_MONITOR[1:], WITHOUT_MONITOR[::-1]):
        explore(Instance(Postcopy, 1, 1, left), Options(engine=Engine.INTERPRETED))
    assert {name for _, _, name in counted} == {p.name for p in WITHOUT_MONITOR}
    assert set(counted.values()) == {1}


def test_few_protocols_are_remembered() -> None:
    remembered._bodies.cache_clear()
    for pages in range(1, remembered.PROTOCOLS_KEPT + 3):
        remembered.bodies_of(Instance(Postcopy, pages, 1))
        remembered.steps_of(Instance(Postcopy, pages, 1))
    assert remembered._bodies.cache_info().currsize == remembered.PROTOCOLS_KEPT
    assert remembered._steps.cache_info().currsize == remembered.PROTOCOLS_KEPT
