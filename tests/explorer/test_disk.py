"""A search that goes over to files when the memory is full finds what one in memory finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postcopy.errors import UsageError
from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.search.disk import OnDisk, RowFile
from postcopy.explorer.search.shard import Shard
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES

INSTANCE = Instance(Postcopy, 3, 2, (*SAFETY, *WITNESSES))
SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "changed", "witnesses")
TOO_LITTLE = 4_000_000


@pytest.fixture(autouse=True, scope="module")
def small_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "_SLICE", 7_000)
        yield


def explored(instance: Instance, **options: Any) -> Exploration:
    made = Exploration(instance, Options(engine=Engine.COMPILED, reductions=(), **options))
    made.run()
    return made


def on_disk(instance: Instance, directory: Path, max_memory: int = TOO_LITTLE) -> Exploration:
    made = explored(instance, disk=directory, max_memory=max_memory)
    assert isinstance(made.search, OnDisk), "the memory was enough"
    return made


@pytest.fixture(scope="module")
def whole() -> Exploration:
    return explored(INSTANCE)


def test_the_memory_is_not_enough_without_a_disk() -> None:
    assert explored(INSTANCE, max_memory=TOO_LITTLE).verdict().outcome is Outcome.INCONCLUSIVE


@pytest.mark.slow
@pytest.mark.parametrize("max_memory", [3_000_000, TOO_LITTLE, 6_000_000], ids=lambda n: f"{n} bytes")
def test_wherever_the_memory_ends_the_same_is_found(tmp_path: Path, whole: Exploration, max_memory: int) -> None:
    made = on_disk(INSTANCE, tmp_path, max_memory)
    assert [getattr(made.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
    assert set(made.stored()) == set(whole.stored())
    assert made.verdict().outcome is Outcome.HOLDS
    assert made.findings.disk > 0


def test_witnesses_are_reached_by_the_shortest_runs(tmp_path: Path, whole: Exploration) -> None:
    made = on_disk(INSTANCE, tmp_path)
    lengths = {bit: len(made.search.path(at)) for bit, at in made.findings.first.items()}
    assert lengths == {bit: len(whole.search.path(at)) for bit, at in whole.findings.first.items()}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["shut-sent-again", "lost-wake-up", "unpackaged"])
def test_counterexamples_are_as_short(tmp_path: Path, fault: str) -> None:
    """These are found late: one in a state, one by a step, one as a deadlock."""
    instance = Instance(FAULTS[fault], 3, 2, SAFETY)
    there, here = explored(instance).verdict(), on_disk(instance, tmp_path, 1_700_000).verdict()
    assert here.outcome is there.outcome is not Outcome.HOLDS
    assert here.violated == there.violated
    assert here.counterexample is not None
    assert there.counterexample is not None
    assert len(here.counterexample.steps) == len(there.counterexample.steps)


def test_the_directory_is_left_empty(tmp_path: Path) -> None:
    made = on_disk(INSTANCE, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert made.search.path(made.findings.states // 2)


@pytest.mark.slow
def test_a_shard_that_does_not_fit_makes_it_inconclusive(tmp_path: Path) -> None:
    made = explored(Instance(Postcopy, 4, 2, ()), disk=tmp_path, max_memory=TOO_LITTLE // 2)
    verdict = made.verdict()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "do not hold a part of the states" in verdict.why


def test_a_disk_that_is_full_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: RowFile, rows: Any) -> None:
        raise UsageError("--disk: No space left on device")

    monkeypatch.setattr(RowFile, "append", full)
    with pytest.raises(UsageError, match="No space left"):
        on_disk(INSTANCE, tmp_path)


def test_a_file_gives_back_what_it_was_given(tmp_path: Path) -> None:
    file = RowFile(tmp_path, 2)
    rows = np.array([[1, 5, -1], [2, 6, 0], [3, 7, 0], [4, 8, 1]])
    file.append(rows)
    file.append(rows[:1])
    assert file.read(1, 3).tolist() == [[2, 6, 0], [3, 7, 0]]
    assert [(begin, len(part)) for begin, part in file.parts()] == [(0, 5)]
    file.clear()
    assert list(file.parts()) == []


def test_states_lost_on_their_way_are_noticed(
    tmp_path: Path, whole: Exploration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above would see it if a part of what is sent got lost."""
    take = Shard.take

    def half(shard: Shard, box: Any) -> bool:
        return take(shard, box[: len(box) // 2] if shard.shards > 1 else box)

    monkeypatch.setattr(Shard, "take", half)
    assert on_disk(INSTANCE, tmp_path).findings.states != whole.findings.states
