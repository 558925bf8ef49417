"""A step that is remembered is the one that its body takes: along random walks, with and without a memory."""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import cast

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.conformance.qemu.judge import with_vcpus
from postcopy.conformance.qemu.remembered import Effect, State, Steps
from postcopy.language.instance import Instance

GIVEN = {"source.postcopy_capability": True, "destination.postcopy_capability": True, "destination.host_support": True}


@pytest.fixture(scope="module")
def instance() -> Instance:
    _, protocol = resolve("qemu-7.2")
    return Instance(with_vcpus(cast(Hashable, protocol)), 1, 1)


def walk(steps: Steps, instance: Instance, seed: int, length: int) -> list[tuple[State, list[Effect | None]]]:
    """States along a walk, each with what every action does there."""
    chance = random.Random(seed)
    state, found = steps.start, []
    for _ in range(length):
        effects = [steps.take(state, its, 1 if its.takes_page else 0) for its in instance.actions]
        found.append((state, effects))
        possible = [effect for effect in effects if effect is not None and effect.on(state) != state]
        quiet = [its for its in possible if not any(steps.variables[n].name.endswith(".up") for n, _ in its.writes)]
        some = quiet if quiet and chance.random() < 0.97 else possible  # else no walk would come far
        if not some:
            break
        state = chance.choice(some).on(state)
    return found


@pytest.mark.parametrize("preempt", [False, True])
def test_a_step_that_is_remembered_is_the_one_that_its_body_takes(instance: Instance, preempt: bool) -> None:
    given = {**GIVEN, "preempt": preempt}
    known = Steps(instance, 2, given)
    for seed in range(12):
        walk(known, instance, seed, 60)
    longest = 0
    for seed in range(12, 16):
        seen = walk(known, instance, seed, 60)
        longest = max(longest, len(seen))
        for state, effects in seen[::6]:
            fresh = Steps(instance, 2, given)
            for its, effect in zip(instance.actions, effects, strict=True):
                assert fresh.take(state, its, 1 if its.takes_page else 0) == effect, its.name
    assert longest > 20


def test_what_a_step_reads_and_changes_is_known(instance: Instance) -> None:
    steps = Steps(instance, 1, {**GIVEN, "preempt": False})
    by_name = {its.name: its for its in instance.actions}
    starts = steps.take(steps.start, by_name["source.operator_starts_migration"])
    assert starts is not None
    assert [steps.variables[n].name for n, _ in starts.writes] == ["source.phase"]
    assert {steps.variables[n].name for n in starts.reads} == {"source.phase", "stream.up"}
    opens = steps.take(starts.on(steps.start), by_name["source.opens_return_path"])
    assert opens is not None
    assert opens.sent == (("stream", "OPEN_RETURN_PATH", 0),)
    assert steps.take(steps.start, by_name["source.opens_return_path"]) is None
