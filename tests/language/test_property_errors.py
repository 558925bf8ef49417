"""Properties, monitors and ghosts that touch, forbid or err: each exact message with its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.language import Flag, Monitor, Step, View, every_step, require
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action, read_predicate
from tests.language.tiny import Innocent, Letter, Phase, here


def answers_nothing(state: View) -> Any:  # here
    return None


def guards(state: View) -> Any:  # here
    require(state.left.busy)
    return True


def compares_identity(state: View) -> Any:
    return state.left.phase is Phase.IDLE  # here


def touches(state: View) -> Any:
    state.left.busy = True  # here


def receives(state: View) -> Any:
    state.wire.receive(Letter.PLAIN)  # here


def asks_alien(state: View) -> Any:
    return not state.wire.carries(Phase.IDLE)  # here


def asks_unknown(state: View) -> Any:
    return state.middle.busy  # here


def never_ends(state: View) -> Any:
    return all(state.left for _ in iter(int, 1))  # here


def asks_for_ever(state: View) -> Any:
    count = state.left.wide
    while count != 1000:  # here
        count += 1
    return True


def asks_much(state: View) -> Any:  # here
    count = state.left.wide
    for _ in range(70):
        if count == 1000:
            return False
        count += 1
    return True


@pytest.mark.parametrize(
    ("holds", "message"),
    [
        (
            asks_for_ever,
            "it has a while loop, which may never end: loop over a tuple, an enumeration or a range of constants",
        ),
        (asks_much, "more than 60 decisions on one path: simplify it"),
        (answers_nothing, "it answers None: a property answers with a truth value or a set of pages"),
        (guards, "a property has a guard: it answers with a truth value or a set of pages"),
        (compares_identity, "a value of the state is never identical (is) to another: compare with =="),
        (
            touches,
            "a property writes left.busy, which belongs to left: only left itself may change it; "
            "send a message instead",
        ),
        (receives, "a property changes wire: ghosts, monitors and properties only look"),
        (asks_alien, "wire carries Letter, not <Phase.IDLE: 1>"),
        (asks_unknown, "there is no middle in this protocol, only back, left, memory, right, wire"),
        (
            never_ends,
            "it uses iter, which is not part of the language: use fields, ends, constants, methods and functions of "
            "your own, and all, any, bool, range, super",
        ),
    ],
)
def test_a_property_that_errs_is_refused_with_its_line(holds: Callable[[View], Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_predicate(Instance(Innocent, 2, 1), holds)
    assert str(caught.value) == f"{here(holds)}, in {holds.__name__}: {message}"


class Guarding(Monitor):
    seen = Flag("seen")

    def watch(self, step: Step) -> None:
        """Errs."""
        require(self.seen)  # here


def test_a_monitor_cannot_forbid_a_step() -> None:
    def fine(step: Step) -> bool:
        return True

    instance = Instance(Innocent, 2, 1, [every_step("fine", monitor=Guarding)(fine)])
    message = f"{here(Guarding)}, in watch, called by serves_request: "
    message += "Guarding has a guard: no step may depend on history"
    with pytest.raises(SpecError) as caught:
        read_action(instance, instance.actions[0])
    assert str(caught.value) == message
    with pytest.raises(SpecError) as caught:
        take(instance, instance.initial_states()[0], instance.actions[0])
    assert str(caught.value) == message
