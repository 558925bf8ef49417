"""A search that goes over to files when the memory is full finds what one in memory finds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from postcopy.errors import UsageError
from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.disk import OnDisk, RowFile
from postcopy.explorer.search.findings import Findings
from postcopy.explorer.search.shard import Shard
from postcopy.explorer.search.worker import Worker
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.killed import Killed

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
    assert isinstance(made.search, Compiled)
    made.search.shard.alone_until = 500
    made.run()
    return made


def on_disk(instance: Instance, directory: Path, max_memory: int = TOO_LITTLE, workers: int = 1) -> Exploration:
    made = explored(instance, disk=directory, max_memory=max_memory, workers=workers)
    assert isinstance(made.search, OnDisk), "the memory was enough"
    return made


@pytest.fixture(scope="module")
def whole() -> Exploration:
    return explored(INSTANCE)


def test_the_memory_is_not_enough_without_a_disk() -> None:
    assert explored(INSTANCE, max_memory=TOO_LITTLE).verdict().outcome is Outcome.INCONCLUSIVE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("max_memory", "workers"), [(3_000_000, 1), (TOO_LITTLE, 1), (6_000_000, 1), (4_500_000, 2), (6_000_000, 3)]
)
def test_wherever_the_memory_ends_the_same_is_found(
    tmp_path: Path, whole: Exploration, max_memory: int, workers: int
) -> None:
    made = on_disk(INSTANCE, tmp_path, max_memory, workers)
    assert [getattr(made.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
    assert set(made.stored()) == set(whole.stored())
    assert made.verdict().outcome is Outcome.HOLDS
    assert made.findings.disk > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_witnesses_are_reached_by_the_shortest_runs(tmp_path: Path, whole: Exploration, workers: int) -> None:
    made = on_disk(INSTANCE, tmp_path, 5_000_000, workers)
    lengths = {bit: len(made.search.path(at)) for bit, at in made.findings.first.items()}
    assert lengths == {bit: len(whole.search.path(at)) for bit, at in whole.findings.first.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "workers"), [("shut-sent-again", 1), ("lost-wake-up", 1), ("unpackaged", 1), ("lost-wake-up", 2)]
)
def test_counterexamples_are_as_short(tmp_path: Path, fault: str, workers: int) -> None:
    """These are found late: one in a state, one by a step, one as a deadlock."""
    instance = Instance(FAULTS[fault], 3, 2, SAFETY)
    there, here = (
        explored(instance).verdict(),
        on_disk(instance, tmp_path, 1_500_000 + workers * 200_000, workers).verdict(),
    )
    assert here.outcome is there.outcome is not Outcome.HOLDS
    assert here.violated == there.violated
    assert here.counterexample is not None
    assert there.counterexample is not None
    assert len(here.counterexample.steps) == len(there.counterexample.steps)


def test_it_says_how_far_it_has_come_and_can_end_after_each_shard(tmp_path: Path) -> None:
    made, told = Exploration(INSTANCE, Options((), engine=Engine.COMPILED, disk=tmp_path, max_memory=TOO_LITTLE)), [0]

    def report(_: object) -> None:
        if isinstance(made.search, OnDisk):
            told.append(made.findings.states - made.findings.frontier)

    made._report = report
    made.run()
    assert told[-1] == made.findings.states
    assert max(np.diff(told[1:])) < made.findings.states // 4


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


def in_few_parts(directory: Path, workers: int) -> Findings:
    """The same search with few parts, so that there is work for several workers in each."""
    full = explored(INSTANCE, max_memory=6_000_000, workers=workers).search
    assert isinstance(full, Compiled)
    return OnDisk(full, directory, shards=4).run(1 << 40)


def in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers work one after the other, each time another one first: on a busy machine one would do all."""
    turns = count()

    def each(_: Shard, workers: list[Worker], do: Callable[[int, Worker], None]) -> None:
        turn = next(turns)
        for number in range(len(workers)):
            at = (number + turn) % len(workers)
            do(at, workers[at])

    monkeypatch.setattr(Shard, "_each", each)


@pytest.mark.parametrize(("workers", "turns"), [(1, False), (3, False), (2, True), (3, True)])
def test_several_workers_find_what_one_finds(
    tmp_path: Path, whole: Exploration, workers: int, turns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if turns:
        in_turns(monkeypatch)
    found = in_few_parts(tmp_path, workers)
    assert [getattr(found, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]


def test_what_a_second_worker_sends_is_sent(
    tmp_path: Path, whole: Exploration, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_turns(monkeypatch)

    def of_the_first(shard: Shard, to: int) -> list[Any]:
        outbox = shard.outboxes[0]
        return [outbox.rows[to, : int(outbox.filled[to])]]

    monkeypatch.setattr(Shard, "sent", of_the_first)
    assert in_few_parts(tmp_path, 3).states != whole.findings.states


# -- kept as it goes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk: what ends here is the search, not the machine."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def kept(directory: Path, workers: int, levels: int) -> None:
    """A search that dies some levels after it has gone over to files, in the middle of a level."""
    options = Options(
        engine=Engine.COMPILED, reductions=(), disk=directory.parent, max_memory=3_000_000, workers=workers
    )
    made, visit, seen = Exploration(INSTANCE, options), OnDisk._visit, set()
    made.keep(directory, 1000)

    def dying(search: OnDisk, number: int, level: int) -> Iterator[None]:
        seen.add(level)
        if len(seen) > levels and number == 20:
            raise Killed
        yield from visit(search, number, level)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OnDisk, "_visit", dying)
        with pytest.raises(Killed):
            made.run()


def resumed(directory: Path, instance: Instance = INSTANCE, **options: Any) -> Exploration:
    changed = {"disk": directory.parent, "max_memory": 3_000_000, **options}
    made = Exploration(instance, Options(engine=Engine.COMPILED, reductions=(), **changed))
    made.resume(directory, 1000)
    return made


@pytest.mark.slow_but("2-1-2")
@pytest.mark.parametrize(("before", "after", "levels"), [(1, 1, 1), (2, 1, 2), (1, 2, 4)])
@pytest.mark.usefixtures("quick")
def test_a_search_that_was_killed_goes_on(
    tmp_path: Path, whole: Exploration, before: int, after: int, levels: int
) -> None:
    directory = tmp_path / "kept"
    kept(directory, before, levels)
    assert {path.name for path in directory.iterdir()} >= {"checkpoint.json", "kept-0-of-64", "inbox-63-of-64"}
    assert not (directory / "states-0-of-1").exists()
    again = resumed(directory, workers=after)
    assert isinstance(again.search, OnDisk)
    assert 0 < again.findings.states < whole.findings.states
    again.run()
    assert [getattr(again.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
    assert set(again.stored()) == set(whole.stored())
    lengths = {bit: len(again.search.path(at)) for bit, at in again.findings.first.items()}
    assert lengths == {bit: len(whole.search.path(at)) for bit, at in whole.findings.first.items()}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20] ^= 4
    path.write_bytes(data)


@pytest.mark.usefixtures("quick")
def test_what_does_not_count_is_cut_off_and_damage_is_noticed(tmp_path: Path, whole: Exploration) -> None:
    directory = tmp_path / "kept"
    kept(directory, 1, 3)
    with pytest.raises(UsageError, match="disk goes on with it"):
        resumed(directory, disk=None)
    for name in ("kept-3-of-64", "inbox-3-of-64", "next-inbox-3-of-64"):
        with (directory / name).open("ab") as file:
            file.write(b"what was written behind the last checkpoint")
    again = resumed(directory)
    again.run()
    assert again.findings.states == whole.findings.states


@pytest.mark.usefixtures("quick")
def test_no_file_is_made_in_the_checkpoint_of_another_search(tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    kept(directory, 1, 1)
    (directory / "kept-3-of-64").unlink()
    with pytest.raises(UsageError, match="of another search: size is 3 pages"):
        resumed(directory, instance=Instance(Postcopy, 2, 2, INSTANCE.properties))
    assert not (directory / "kept-3-of-64").exists()


@pytest.mark.slow_but("flip-is damaged-kept-5-of-64")
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ["kept-5-of-64", "the fullest inbox"])
@pytest.mark.parametrize(("damage", "said"), [(flip, "is damaged"), (lambda p: os.truncate(p, 30), "is truncated")])
def test_a_damaged_file_is_noticed(tmp_path: Path, name: str, damage: Callable[[Path], None], said: str) -> None:
    directory = tmp_path / "kept"
    kept(directory, 1, 2)
    if name == "the fullest inbox":
        shards = json.loads((directory / "checkpoint.json").read_text())["shards"]
        name = max((shard["inbox"] for shard in shards), key=lambda inbox: inbox[1])[0]
    damage(directory / name)
    with pytest.raises(UsageError, match=said):
        resumed(directory)


@pytest.mark.usefixtures("quick")
def test_inboxes_that_are_emptied_too_early_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a level has read may be emptied when the level is over and kept, and not before."""
    enter = OnDisk._enter

    def emptying(search: OnDisk, number: int) -> bool:
        done = enter(search, number)
        search.inboxes[number].clear()
        return done

    monkeypatch.setattr(OnDisk, "_enter", emptying)
    kept(tmp_path / "kept", 1, 3)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="is truncated"):
        resumed(tmp_path / "kept")
