"""Logs of the engine are behaviours of the model; logs that were tampered with are not, and it is said why."""

from __future__ import annotations

import pytest

from postcopy.conformance.logs import explain
from postcopy.conformance.steps import ACTIONS
from postcopy.engine.log import Step
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from tests.engine.cores import Pair, small


def test_every_step_of_the_engine_is_an_action_of_the_model() -> None:
    names = {action.name for action in Instance(Postcopy, 1, 1).actions}
    assert set(ACTIONS) == set(Step)
    assert set(ACTIONS.values()) <= names


def whole_run(group: int = 1) -> Pair:
    pair = Pair(small(8, group))
    pair.to_postcopy([range(0, group), range(4, 8)])
    for page in (4, 6):
        (request,) = pair.destination.fault(page, f"vCPU {page // 6}")
        pair.source.receive(request)  # type: ignore[arg-type]
    pair.to_end()
    return pair


@pytest.mark.parametrize("group", [1, 2])
def test_a_whole_run_is_a_behaviour(group: int) -> None:
    pair = whole_run(group)
    found = explain(8, group, pair.log)
    assert found.unexplained is None
    assert found.steps == len(pair.log)
    assert found.fired["destination.cpu_touches_missing[1]"] == 1


def test_each_host_alone_orders_its_records() -> None:
    log = whole_run().log
    apart = [r for r in log if r.host == "destination"] + [r for r in log if r.host == "source"]
    assert explain(8, 1, apart).unexplained is None
