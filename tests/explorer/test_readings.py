"""How often an action is read: once for a protocol and size, whatever is asked and however it is searched."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from postcopy.cli.main import main
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import program
from postcopy.language.body_checks import BodyChecks
from postcopy.language.instance import Instance
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
    program._bodies.cache_clear()
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


def test_few_protocols_are_remembered() -> None:
    program._bodies.cache_clear()
    for pages in range(1, program.PROTOCOLS_KEPT + 3):
        program.bodies_of(Instance(Postcopy, pages, 1))
    assert program._bodies.cache_info().currsize == program.PROTOCOLS_KEPT
