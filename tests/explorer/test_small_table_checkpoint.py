"""A search with the small table that is kept on disk can be killed at any time, and comes to the same result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postcopy.errors import UsageError
from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.search import small_store
from postcopy.explorer.search.small import Small
from postcopy.explorer.search.small_store import SmallStore
from postcopy.explorer.search.status import Status
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.killed import killed

INSTANCE = Instance(Postcopy, 2, 2, (*SAFETY, *WITNESSES))
GIB = 1 << 30
SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "witnesses")


@pytest.fixture(autouse=True, scope="module")
def small_slices() -> Iterator[None]:
    """Short slices, and a queue that soon gives its room to others, so that pairs are written before they go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "_SLICE", 700)
        patch.setattr(small_store, "STRETCH", 300)
        yield


def exploration(workers: int = 1, instance: Instance = INSTANCE, **changes: Any) -> Exploration:
    options = Options(engine=Engine.COMPILED, workers=workers, small_table=True, **changes)
    made = Exploration(instance, options)
    assert isinstance(made.search, Small)
    made.search.store.alone_until = 500
    return made


@pytest.fixture(scope="module")
def whole() -> Exploration:
    made = exploration()
    made.run()
    return made


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("stored") / "kept"
    assert killed(exploration(2), directory, 9).search.store.shifted > 0  # type: ignore[attr-defined]
    return directory


@pytest.fixture
def directory(stored: Path, tmp_path: Path) -> Path:
    """A checkpoint of a search that died."""
    return shutil.copytree(stored, tmp_path / "kept")


def ends_as_if_nothing_had_happened(again: Exploration, whole: Exploration) -> bool:
    again.run()
    depths = [
        {bit: made.search.noted[at].depth for bit, at in made.findings.first.items()}  # type: ignore[attr-defined]
        for made in (again, whole)
    ]
    return (
        [getattr(again.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
        and set(again.stored()) == set(whole.stored())
        and depths[0] == depths[1]
    )


@pytest.mark.slow_but("1-2-9")
@pytest.mark.parametrize(("before", "after", "slices"), [(1, 1, 1), (1, 2, 9), (2, 1, 9), (3, 2, 2), (2, 3, 20)])
def test_it_ends_as_if_nothing_had_happened(
    whole: Exploration, tmp_path: Path, before: int, after: int, slices: int
) -> None:
    killed(exploration(before), tmp_path / "kept", slices)
    again = exploration(after)
    again.resume(tmp_path / "kept", 0)
    assert 0 < again.findings.states < whole.findings.states
    depth = again.findings.depth
    assert ends_as_if_nothing_had_happened(again, whole)
    assert again.findings.levels == whole.findings.levels[depth:]
    deepest = max(again.search.noted, key=lambda noted: noted.depth)  # type: ignore[attr-defined]
    run = again.search.path(again.search.noted.index(deepest))  # type: ignore[attr-defined]
    assert len(run) == deepest.depth + 1


def test_one_worker_goes_on_in_the_same_order(whole: Exploration, tmp_path: Path) -> None:
    killed(exploration(1), tmp_path / "kept", 5)
    again = exploration()
    again.resume(tmp_path / "kept", 0)
    again.run()
    assert again.findings.first.keys() == whole.findings.first.keys()
    for bit, at in [*whole.findings.first.items()][::8]:
        assert again.search.path(again.findings.first[bit]) == whole.search.path(at)


def test_before_anything_was_expanded_it_is_kept(tmp_path: Path, whole: Exploration) -> None:
    exploration().keep(tmp_path / "kept", 1000)
    again = exploration()
    again.resume(tmp_path / "kept", 1000)
    assert again.findings.states == len(again.question.initial)
    again.run()
    assert again.findings.states == whole.findings.states


def test_more_memory_finishes_what_less_could_not(tmp_path: Path) -> None:
    instance = Instance(Postcopy, 3, 2, ())
    less, again, whole = (
        exploration(instance=instance, reductions=(), max_memory=max_memory) for max_memory in (1_500_000, GIB, GIB)
    )
    less.keep(tmp_path / "kept", 1000)
    less.run()
    assert less.verdict().outcome is Outcome.INCONCLUSIVE
    assert less.findings.status is Status.FULL
    assert less.findings.depth > 3
    with pytest.raises(UsageError, match="need more memory"):
        exploration(instance=instance, reductions=(), max_memory=900_000).resume(tmp_path / "kept", 1000)
    again.resume(tmp_path / "kept", 1000)
    whole.run()
    assert ends_as_if_nothing_had_happened(again, whole)


def test_a_table_is_made_so_large_that_its_keys_hold_all_numbers(whole: Exploration) -> None:
    """A search may have had to make it larger than the number of its pairs asks for."""
    for memory, done in ((GIB, True), (1 << 22, False)):
        store = SmallStore(whole.search.machine, whole.question, memory)  # type: ignore[attr-defined]
        before = store.buckets
        store.tables.known[store.tables.children[-1]] = 1 << 20
        assert store.room_for_pairs(1000, 10) is done
        assert (store.buckets > before) is done
        if done:
            left, right = int(store.shape.left_bits), int(store.shape.key_bits - store.shape.left_bits)
            assert min(left, right) > 20


def test_a_counterexample_is_as_short(tmp_path: Path) -> None:
    instance = Instance(FAULTS["end-before-run"], 2, 2, SAFETY)
    whole, first, again = (exploration(instance=instance) for _ in range(3))
    whole.run()
    first.keep(tmp_path / "kept", 0)
    first.findings = first.search.run(1000)
    first._save()
    again.resume(tmp_path / "kept", 0)
    again.run()
    one, other = whole.verdict(), again.verdict()
    assert one.counterexample is not None
    assert other.counterexample is not None
    assert len(one.counterexample.steps) == len(other.counterexample.steps)
    assert one.violated == other.violated


# -- damage -----------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a bit of a pair": (lambda d: flip(d / "pairs-0-of-1"), "is damaged"),
    "a bit of a word": (lambda d: flip(d / "words-1-0-of-1"), "is damaged"),
    "half of the pairs": (lambda d: halve(d / "pairs-0-of-1"), "is truncated"),
    "half of the words": (lambda d: halve(d / "words-0-0-of-1"), "is truncated"),
    "no words": (lambda d: (d / "words-0-0-of-1").unlink(), "No such file"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_checkpoint_is_refused(directory: Path, what: str) -> None:
    damage, message = DAMAGE[what]
    damage(directory)
    with pytest.raises(UsageError, match=message):
        exploration().resume(directory, 0)


@pytest.mark.parametrize("small", [False, True])
def test_a_search_with_the_other_table_is_another_search(directory: Path, tmp_path: Path, small: bool) -> None:
    ordinary = Exploration(INSTANCE, Options(engine=Engine.COMPILED))
    ordinary.keep(tmp_path / "ordinary", 0)
    made, there = (exploration(), tmp_path / "ordinary") if small else (ordinary, directory)
    with pytest.raises(UsageError, match=r"table is (small|ordinary) there, (small|ordinary) here"):
        made.resume(there, 0)


FAULTY: dict[str, tuple[str, Callable[..., object]]] = {
    "pairs that left the queue are not written": ("before_shift", lambda *_: None),
    "numbers that a worker has left have no word": ("settle", lambda *_: None),
}


@pytest.mark.parametrize("what", FAULTY)
def test_what_is_not_kept_is_noticed(
    what: str, whole: Exploration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, nothing = FAULTY[what]
    right = SmallStore.__setattr__

    def forgetting(store: SmallStore, attribute: str, value: object) -> None:
        right(store, attribute, nothing if attribute == name else value)

    if name == "settle":
        monkeypatch.setattr(SmallStore, name, nothing)
    else:
        monkeypatch.setattr(SmallStore, "__setattr__", forgetting)
    killed(exploration(3), tmp_path / "kept", 20)
    monkeypatch.undo()
    again = exploration()
    again.resume(tmp_path / "kept", 0)
    assert not ends_as_if_nothing_had_happened(again, whole)
