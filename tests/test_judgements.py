"""When a step violates a property: the same answer as where each leaf is asked for itself, by fewer questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postcopy.api.asking import instance_of, load
from postcopy.language import judgements, readings
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import TruthExpr
from postcopy.language.instance import Instance
from postcopy.language.judgements import Judgements, Reads
from postcopy.language.looks import Looks
from postcopy.language.program import Program, read
from postcopy.language.properties import Property
from postcopy.language.symbolic import SymbolicInterpretation, violation
from postcopy.language.trees import Leaf

pytestmark = pytest.mark.unmeasured

Of = Callable[[Judgements, ActionInstance, Leaf, Property], tuple[TruthExpr, Looks]]


def instance(name: str) -> Instance:
    return instance_of(load(name).protocol, 2, 2, None, (), liveness=False)


def each_for_itself(self: Judgements, action: ActionInstance, leaf: Leaf, prop: Property) -> tuple[TruthExpr, Looks]:
    looks = Looks()
    return violation(self._instance, action, leaf, prop, SymbolicInterpretation, looks), looks


def read_by(name: str, of: Of, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program, read anew."""
    with monkeypatch.context() as patch:
        patch.setattr(Judgements, "of", of)
        readings._steps.cache_clear()
        program = read(instance(name))
    readings._steps.cache_clear()
    return program


def what_counts(program: Program) -> tuple[Any, ...]:
    return program.actions, program.looks, program.constant, program.trivial


@pytest.mark.parametrize(
    "name",
    [
        "Postcopy",
        "preempt",
        pytest.param("switch-after-pong", marks=pytest.mark.slow),
        "places-without-waking",
        pytest.param("recovery", marks=pytest.mark.slow),
        pytest.param("qemu-7.2+preempt=off+disk_lock=off", marks=pytest.mark.slow),
    ],
)
def test_shared_answers_are_those_of_each_leaf(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, questions, plain = [], [], Judgements.of

    def counted(self: Judgements, action: ActionInstance, leaf: Leaf, prop: Property) -> tuple[TruthExpr, Looks]:
        asked.append(prop)
        return plain(self, action, leaf, prop)

    def question(*given: Any) -> TruthExpr:
        questions.append(given)
        return violation(*given)

    whole = read_by(name, each_for_itself, monkeypatch)
    monkeypatch.setattr(judgements, "violation", question)
    assert what_counts(read_by(name, counted, monkeypatch)) == what_counts(whole)
    assert len(asked) > max(1000, 2 * len(questions))


@pytest.mark.parametrize("forgotten", ["values", "kinds", "whole"])
def test_what_is_forgotten_of_a_step_is_noticed(forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Reads.key

    def without(self: Reads, action: ActionInstance, leaf: Leaf) -> Any:
        kept = {name: value for name, value in vars(self).items() if name != forgotten}
        return plain(Reads(**kept), action, leaf)

    right = read_by("Postcopy", each_for_itself, monkeypatch)
    monkeypatch.setattr(judgements.Reads, "key", without)
    assert what_counts(read_by("Postcopy", Judgements.of, monkeypatch)) != what_counts(right)
