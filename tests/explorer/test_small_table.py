"""A search with the small table finds what the ordinary one finds, in less memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from postcopy.api.progress import of_search
from postcopy.errors import UsageError
from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.search import loops, small_path, small_store
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.small import Small
from postcopy.explorer.search.small_store import SmallStore
from postcopy.explorer.search.status import FOUND, Status
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from postcopy.report.results.check import sentence
from tests.explorer.random_searches import SEARCHES, SIXTY, compiled_quickly, exploration_of

SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "changed", "witnesses", "detail", "after")
INTERPRETED = Options(reductions=(), engine=Engine.INTERPRETED)


def both(exploration: Exploration, **changed: Any) -> tuple[Compiled, Small]:
    """An ordinary search, and one with the small table, of the same instance."""
    machine, question = machine_of(exploration.kernel.plan), replace(exploration.question, **changed)
    return Compiled(machine, question), Small(machine, question)


def assert_runs_agree(exploration: Exploration, ordinary: Compiled, small: Small) -> None:
    """The runs to all that was found have the same lengths and lead to the same states, by steps of the protocol."""
    found, there = small.run(0), ordinary.run(0)
    asked = [(found.first[bit], there.first[bit]) for bit in there.first]
    if found.status in FOUND:
        asked.append((found.at, there.at))
    for here, other in asked:
        run, expected = small.path(here), ordinary.path(other)
        assert (len(run), run[-1]) == (len(expected), expected[-1])
        assert is_run(exploration, run)


def is_run(exploration: Exploration, run: list[tuple[int, ...]]) -> bool:
    functions = exploration.kernel.functions
    initial = {functions.canonical(*words) for words in exploration.question.initial}
    return run[0] in initial and all(
        after in {functions.canonical(*words) for _, *words in functions.expand(*before)}
        for before, after in pairwise(run)
    )


@pytest.mark.slow
@SIXTY
@given(**SEARCHES)
def test_random_searches_agree(**drawn: Any) -> None:
    with compiled_quickly():
        made = exploration_of(**drawn)
        if made is None:
            return
        ordinary, small = both(made)
        there, found = ordinary.run(20_000), small.run(20_000)
    assert [getattr(found, a) for a in SAME] == [getattr(there, a) for a in SAME]
    if found.status is Status.DONE:
        assert set(small.stored()) == set(ordinary.stored())
        assert len(small.stored()) == found.states
    assert_runs_agree(made, ordinary, small)


@pytest.fixture(scope="module")
def whole() -> tuple[Exploration, Compiled, Small]:
    made = Exploration(Instance(Postcopy, 2, 2, (*SAFETY, *WITNESSES)), INTERPRETED)
    return made, *both(made)


def test_it_finds_the_same(whole: tuple[Exploration, Compiled, Small]) -> None:
    _, ordinary, small = whole
    there, found = ordinary.run(1 << 40), small.run(1 << 40)
    assert [getattr(found, a) for a in SAME] == [getattr(there, a) for a in SAME]
    assert found.status is Status.DONE
    assert len(small.stored()) == len(ordinary.stored())
    assert set(small.stored()) == set(ordinary.stored())


def test_witnesses_are_reached_by_the_shortest_runs(whole: tuple[Exploration, Compiled, Small]) -> None:
    made, ordinary, small = whole
    assert ordinary.run(1 << 40).first
    small.run(1 << 40)
    assert_runs_agree(made, ordinary, small)


@pytest.mark.slow_but("lost-wake-up")
@pytest.mark.parametrize("fault", ["shut-sent-again", "lost-wake-up", "unpackaged"])
def test_counterexamples_are_as_short(fault: str) -> None:
    """One in a state, one by a step, one as a deadlock."""
    instance = Instance(FAULTS[fault], 2, 2, SAFETY)
    options = Options(reductions=(), engine=Engine.COMPILED)
    there, here = (Exploration(instance, replace(options, small_table=small)) for small in (False, True))
    there.run()
    here.run()
    assert isinstance(here.search, Small)
    assert [getattr(here.findings, a) for a in SAME] == [getattr(there.findings, a) for a in SAME]
    expected, verdict = there.verdict(), here.verdict()
    assert verdict.violated == expected.violated
    assert verdict.outcome is expected.outcome is not Outcome.HOLDS
    assert verdict.counterexample is not None
    assert expected.counterexample is not None
    assert len(verdict.counterexample.steps) == len(expected.counterexample.steps)


def test_a_search_in_parts_is_the_same_search(whole: tuple[Exploration, Compiled, Small]) -> None:
    ordinary, small = both(whole[0])
    for steps in (1, 100, 1000, 129, 3, 1 << 40):
        there, found = ordinary.run(steps), small.run(steps)
        assert [getattr(found, a) for a in SAME] == [getattr(there, a) for a in SAME]


@pytest.mark.slow_but("5000000")
@pytest.mark.parametrize("max_bytes", [2_000_000, 3_000_000, 4_000_000, 5_000_000])
def test_it_keeps_to_the_memory_allowed(max_bytes: int) -> None:
    made = Exploration(Instance(Postcopy, 3, 2, ()), INTERPRETED)
    _, small = both(made, max_bytes=max_bytes)
    found = small.run(1 << 40)
    assert found.status in (Status.FULL, Status.DONE)
    assert max_bytes // 3 <= found.bytes <= max_bytes or found.status is Status.DONE


@pytest.mark.slow
@pytest.mark.parametrize(("pages", "words"), [(1, 1), (7, 3), (14, 4), (16, 5)])
def test_states_of_any_number_of_words_are_taken_apart_and_put_together(pages: int, words: int) -> None:
    made = Exploration(Instance(Postcopy, pages, 1, ()), INTERPRETED)
    assert made.kernel.layout.words == words
    ordinary, small = both(made)
    there, found = ordinary.run(20_000), small.run(20_000)
    assert [getattr(found, a) for a in SAME] == [getattr(there, a) for a in SAME]
    assert set(small.stored()) == set(ordinary.stored())


def test_states_are_given_up_for_a_run_where_there_is_no_memory_for_both() -> None:
    instance = Instance(FAULTS["lost-wake-up"], 2, 2, SAFETY)
    made = Exploration(instance, INTERPRETED)
    ordinary, small = both(made)
    there, found = ordinary.run(1 << 40), small.run(1 << 40)
    assert len(small.stored()) >= found.states
    tight = Small(small.machine, replace(small.question, max_bytes=found.bytes * 3 // 2))
    found = tight.run(1 << 40)
    run = tight.path(found.at)
    assert len(run) == len(ordinary.path(there.at))
    assert is_run(made, run)
    with pytest.raises(UsageError, match="given up"):
        tight.stored()


def test_where_memory_ends_the_small_table_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards, and on the progress line before memory ends, but not from the beginning."""
    monkeypatch.setattr(explore, "_SLICE", 5000)
    instance = Instance(Postcopy, 3, 2, ())
    for small, proposed in ((False, True), (True, False)):
        options = Options(reductions=(), engine=Engine.COMPILED, max_memory=2_000_000, small_table=small)
        lines: list[str] = []
        made = Exploration(instance, options, of_search(lines.append))
        made.run()
        said = ["a small table takes a third" in line for line in lines if "states" in line]
        assert said == sorted(said)
        assert not said[0]
        assert said[-1] is proposed
        assert made.verdict().outcome is Outcome.INCONCLUSIVE
        assert ("a small table" in made.verdict().why) is proposed


def watched(monkeypatch: pytest.MonkeyPatch, method: str, what: Callable[[SmallStore], int]) -> list[int]:
    """What is so whenever a method of the store is called."""
    seen: list[int] = []
    right = getattr(SmallStore, method)

    def watching(store: SmallStore) -> bool:
        seen.append(what(store))
        return bool(right(store))

    monkeypatch.setattr(SmallStore, method, watching)
    return seen


def full_to_the_brim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tables begin small and become so full that there is no room near a pair's home in the middle of a block."""
    monkeypatch.setattr(small_store, "FIRST_BUCKETS", 64)
    monkeypatch.setattr(small_store, "FULLEST", 400)


def test_where_no_bucket_near_home_has_room_the_table_grows_and_the_block_goes_on(
    whole: tuple[Exploration, Compiled, Small], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, ordinary, _ = whole
    full_to_the_brim(monkeypatch)
    pending = watched(
        monkeypatch, "_grow", lambda store: int(store.workers[0].numbering.pending[store.loop.SUCCESSORS])
    )
    ordinary.run(1 << 40)
    assert agrees(made, ordinary)
    assert any(pending)


def test_the_queue_does_not_move_while_a_block_waits(
    whole: tuple[Exploration, Compiled, Small], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker has noted where the block stands: what it finds there is said of that place."""
    made, ordinary, _ = whole
    full_to_the_brim(monkeypatch)
    monkeypatch.setattr(small_store, "STRETCH", 256)
    monkeypatch.setattr(small_path, "STRETCH", 256)
    waited: list[bool] = []
    right = SmallStore._shift_queue

    def watching(store: SmallStore) -> int:
        waiting, moved = store.is_pending, right(store)
        waited.append(waiting)
        assert not (waiting and moved)
        return moved

    monkeypatch.setattr(SmallStore, "_shift_queue", watching)
    ordinary.run(1 << 40)
    assert agrees(made, ordinary)
    assert any(waited)


def test_a_table_that_grows_in_its_place_finds_the_same(
    whole: tuple[Exploration, Compiled, Small], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, ordinary, _ = whole
    monkeypatch.setattr(small_store, "FIRST_BUCKETS", 64)
    monkeypatch.setattr(small_store, "MOVED_BUCKETS", 0)
    buckets = watched(monkeypatch, "_grow_table", lambda store: store.buckets)
    ordinary.run(1 << 40)
    assert agrees(made, ordinary)
    assert buckets


def test_an_index_has_31_bits_at_most(whole: tuple[Exploration, Compiled, Small]) -> None:
    """An entry of 32 bits has place for no more, however much memory is allowed."""
    *_, small = whole
    store = SmallStore(small.machine, small.question, 1 << 36)
    assert store.tables.indexes.shape[1] == 1 << 31
    store.tables.bits[0] = 31
    assert not store._grow_index(0)


def test_addresses_that_the_system_does_not_give_are_said() -> None:
    with pytest.raises(UsageError, match=r"addresses.*ulimit -v"):
        small_store.reserved(1 << 58, np.uint64)


# -- faults of the loop ----------------------------------------------------------------------------------------------

LOOP = {
    "tears a pair that it enters": ("place(left[j], right[j], shape)", "place(left[j], right[begin], shape)"),
    "tears a pair that it puts into the queue": (
        "queue[at] = left[j] | right[j] << HALF",
        "queue[at] = left[j] | right[begin] << HALF",
    ),
    "expands states of the next level with those of this one": (
        "min(BLOCK, end - at), alone",
        "min(BLOCK, tables.shared[TAKEN] - at), alone",
    ),
    "takes the wrong milestone": (
        "numbering.tags[j] = tables.tags[at + origin[j]]",
        "numbering.tags[j] = tables.tags[at]",
    ),
    "loses what is left of a block when the table grows": (
        "    pending[ENTERED] = came\n",
        "    pending[ENTERED] = count\n",
    ),
}


@pytest.mark.one_in(3)
@pytest.mark.slow
@pytest.mark.parametrize("what", [None, *LOOP])
def test_a_loop_with_a_fault_is_noticed(
    what: str | None,
    whole: tuple[Exploration, Compiled, Small],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made, ordinary, _ = whole
    ordinary.run(1 << 40)
    *others, text = loops._small_texts()
    if what is not None:
        old, new = LOOP[what]
        assert text.count(old) == 1
        text = text.replace(old, new)
        monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path))
    monkeypatch.setattr(loops, "_small_texts", lambda: (*others, text))
    full_to_the_brim(monkeypatch)
    assert agrees(made, ordinary) is (what is None)


def agrees(made: Exploration, ordinary: Compiled) -> bool:
    """Whether the search with the small table finds what the ordinary one has found."""
    there, small = ordinary.run(0), Small(ordinary.machine, ordinary.question)
    found = small.run(1 << 40)
    if [getattr(found, a) for a in SAME] != [getattr(there, a) for a in SAME]:
        return False
    if set(small.stored()) != set(ordinary.stored()):
        return False
    for bit, at in there.first.items():
        try:
            run = small.path(found.first[bit])
        except AssertionError:  # there is no run between two milestones
            return False
        if len(run) != len(ordinary.path(at)) or not is_run(made, run):
            return False
    return True


def test_a_verdict_is_said_where_there_is_no_memory_to_find_the_run() -> None:
    instance = Instance(FAULTS["unpackaged"], 3, 2, SAFETY)
    tight, wide = (
        Exploration(instance, Options(reductions=(), engine=Engine.COMPILED, small_table=True, max_memory=max_memory))
        for max_memory in (1_750_000, 2_000_000)
    )
    tight.run()
    wide.run()
    verdict, expected = tight.verdict(), wide.verdict()
    assert expected.counterexample is not None
    assert (verdict.outcome, verdict.violated) == (expected.outcome, expected.violated)
    assert (verdict.states, verdict.depth) == (expected.states, expected.depth)
    assert verdict.counterexample is None
    assert "more memory: 3M" in verdict.why
    assert "but no run is shown: the run to it has to be searched for again" in sentence(verdict)
    again = Exploration(instance, replace(tight.options, max_memory=3 << 20))
    again.run()
    assert again.verdict().counterexample is not None
