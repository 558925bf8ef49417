"""Erring in an action, as it is seen only when the action is taken: exact messages.

What is found while the body runs stands in test_language_errors.
"""

from __future__ import annotations

from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.language import action, require
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action
from postcopy.language.trees import Leaf
from tests.language.test_language_errors import (
    Counts,
    NumberForMember,
    OtherEnumeration,
    SendsAlien,
    SendsTwice,
    TruthForNumber,
    TruthForPages,
)
from tests.language.tiny import Base, here, protocol_of


class Grows(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.count += 1  # here

    @action(Base.thread)
    def act_with_care(self: Any) -> None:
        self.count += 1
        require(self.count <= 3)


def test_a_number_that_leaves_its_range_is_a_check_of_the_leaf_and_an_error_when_it_happens() -> None:
    instance = Instance(protocol_of(Grows), 1, 1)
    careless, careful = (next(a for a in instance.actions if a.method == m) for m in ("act", "act_with_care"))
    leaf = read_action(instance, careless)
    assert isinstance(leaf, Leaf)
    where = f"{here(Grows)}, in act"
    assert [check[1:] for check in leaf.checks] == [("left.count leaves its range 0 to 3", where)]
    state = list(instance.initial_states()[0])
    state[instance.index[instance.variable["left.count"]]] = 3
    step = take(instance, tuple(state), careless)
    assert step is not None
    assert str(step.error) == f"{where}: left.count leaves its range 0 to 3"
    assert step.violated == ("numbers-stay-in-range",)
    assert step.state == tuple(state)
    assert take(instance, tuple(state), careful) is None


def test_the_concrete_interpretation_refuses_values_of_a_wrong_type_too() -> None:
    for machine in (
        NumberForMember,
        OtherEnumeration,
        TruthForNumber,
        TruthForPages,
        SendsAlien,
        Counts,
    ):
        instance = Instance(protocol_of(machine), 1, 1)
        act = next(a for a in instance.actions if a.method == "act")
        with pytest.raises(SpecError) as caught:
            take(instance, instance.initial_states()[0], act)
        assert caught.value.where == f"{here(machine)}, in act"


def test_the_concrete_interpretation_refuses_to_overfill_a_channel() -> None:
    instance = Instance(protocol_of(SendsTwice), 1, 1)
    act = next(a for a in instance.actions if a.method == "act")
    step = take(instance, instance.initial_states()[0], act)
    assert step is not None
    assert str(step.error) == f"{here(SendsTwice)}, in act: wire may be full here: require room(2) before sending PLAIN"
    assert step.violated == ("messages-have-room",)
    assert step.state == instance.initial_states()[0]
