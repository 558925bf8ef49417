"""A search with the small table on several processes finds what one process finds with the ordinary table.

Most tests call the members one after the other in this process (`one_process`); those at the end start them with Ray.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.search import cluster_team, loops, small_store, word_table
from postcopy.explorer.search.cluster import Cluster
from postcopy.explorer.search.cluster_member import Member
from postcopy.explorer.search.cluster_small import SmallCluster
from postcopy.explorer.search.cluster_small_member import SearchingMember, SmallMember
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.loops import machine_of
from postcopy.explorer.search.records import Outboxes
from postcopy.explorer.search.status import COUNT, FOUND, Status
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.killed import killed
from tests.explorer.one_process import OneProcess
from tests.explorer.random_searches import SEARCHES, SIXTY, compiled_quickly, exploration_of
from tests.explorer.test_small_table import full_to_the_brim, is_run

SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "changed", "witnesses")
INTERPRETED = Options(reductions=(), engine=Engine.INTERPRETED)
INSTANCE = Instance(Postcopy, 2, 2, (*SAFETY, *WITNESSES))


@pytest.fixture(autouse=True)
def in_one_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "with_ray" not in request.fixturenames:
        monkeypatch.setattr(cluster_team, "_connect", lambda _: OneProcess())


@pytest.fixture(scope="module")
def whole() -> tuple[Exploration, Compiled]:
    made = Exploration(INSTANCE, INTERPRETED)
    ordinary = Compiled(machine_of(made.kernel.plan), made.question)
    ordinary.run(1 << 40)
    return made, ordinary


def on(members: int, made: Exploration, **changed: Any) -> SmallCluster:
    return SmallCluster(made.kernel.plan, replace(made.question, **changed), members)


def agrees(made: Exploration, ordinary: Compiled, small: SmallCluster, runs: int = 4) -> bool:
    """Whether it finds what the ordinary search has found, and as short runs, of which some are looked at."""
    there, found = ordinary.run(1 << 40), small.run(1 << 40)
    if found.status != there.status:
        return False
    if found.status in FOUND:
        asked = [(found.at, there.at)]
    else:
        if [getattr(found, a) for a in SAME] != [getattr(there, a) for a in SAME]:
            return False
        if found.levels != there.levels[-len(found.levels) :]:  # where it was resumed, those from there on
            return False
        if len(small.stored()) != found.states or set(small.stored()) != set(ordinary.stored()):
            return False
        deepest = sorted(there.first.items(), key=lambda each: -len(ordinary.path(each[1])))
        asked = [(found.first[bit], at) for bit, at in deepest[:runs]]
    for here, other in asked:
        try:
            run = small.path(here)
        except (AssertionError, ValueError):  # there is no run between two milestones, or nothing comes after one
            return False
        if len(run) != len(ordinary.path(other)) or not is_run(made, run):
            return False
    return True


@pytest.mark.long
@pytest.mark.slow
@SIXTY
@given(**SEARCHES, members=st.integers(1, 4))
def test_random_searches_agree(members: int, **drawn: Any) -> None:
    with compiled_quickly():
        made = exploration_of(**drawn)
        if made is None:
            return
        ordinary = Compiled(machine_of(made.kernel.plan), made.question)
        if ordinary.run(20_000).status is Status.RUNNING:
            return
        assert agrees(made, ordinary, on(members, made))


@pytest.mark.parametrize("members", [1, 2, 3])
def test_several_members_find_what_one_process_finds(whole: tuple[Exploration, Compiled], members: int) -> None:
    small = on(members, whole[0])
    assert agrees(*whole, small, runs=2)
    assert all(each.control[COUNT] > 0 for each in small.reports), "one of them had all of it"


@pytest.mark.parametrize("kind", [SmallMember, Member])
def test_a_member_enters_more_states_than_a_block_has(kind: type, whole: tuple[Exploration, Compiled]) -> None:
    assert enters_all(kind, whole)


def enters_all(kind: Any, whole: tuple[Exploration, Compiled]) -> bool:
    """Whether a member that is sent all states of a search at once, some of them twice, has these then."""
    made, ordinary = whole
    states = np.array(ordinary.stored(), dtype=np.uint64).view(np.int64)
    member = kind(made.kernel.plan, made.question, 0, 1)
    member.begin()
    rows = np.concatenate([states, states[::7]])
    if kind is Member:
        rows = np.column_stack([rows, np.zeros(len(rows), dtype=np.int64)])  # their parents
    assert len(states) > 3 * ordinary.machine.code.most, "they fit into two blocks, or three"
    member.take(rows)
    return sorted(map(tuple, member.states().view(np.uint64).tolist())) == sorted(ordinary.stored())


def test_outboxes_that_are_soon_full_and_a_queue_that_moves_change_nothing(
    whole: tuple[Exploration, Compiled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_store, "OUTBOX", 1000)
    monkeypatch.setattr(small_store, "STRETCH", 256)
    full_to_the_brim(monkeypatch)
    assert agrees(*whole, on(3, whole[0]), runs=1)


@pytest.mark.slow_but("3-unpackaged")
@pytest.mark.parametrize("fault", ["shut-sent-again", "lost-wake-up", "unpackaged"])
@pytest.mark.parametrize("members", [1, 2, 3])
def test_counterexamples_are_as_short(fault: str, members: int) -> None:
    """One in a state, one by a step, one as a deadlock."""
    made = Exploration(Instance(FAULTS[fault], 2, 2, SAFETY), INTERPRETED)
    ordinary = Compiled(machine_of(made.kernel.plan), made.question)
    assert ordinary.run(1 << 40).status in FOUND
    assert agrees(made, ordinary, on(members, made))


def test_a_check_goes_this_way() -> None:
    instance, options = Instance(FAULTS["unpackaged"], 2, 2, SAFETY), Options((), engine=Engine.COMPILED)
    here, there = (Exploration(instance, replace(options, cluster=n, small_table=n > 0)) for n in (2, 0))
    here.run()
    there.run()
    assert isinstance(here.search, SmallCluster)
    verdict, expected = here.verdict(), there.verdict()
    assert (verdict.outcome, verdict.violated) == (expected.outcome, expected.violated)
    assert verdict.outcome is not Outcome.HOLDS
    assert verdict.counterexample is not None
    assert expected.counterexample is not None
    assert len(verdict.counterexample.steps) == len(expected.counterexample.steps)


@pytest.mark.slow
@pytest.mark.parametrize(("pages", "words"), [(1, 1), (7, 3), (16, 5)])
def test_states_of_any_number_of_words_are_dealt(pages: int, words: int) -> None:
    made = Exploration(Instance(Postcopy, pages, 1, ()), Options(engine=Engine.INTERPRETED))
    assert made.kernel.layout.words == words
    machine, levels = machine_of(made.kernel.plan), 8
    ordinary, small = Compiled(machine, made.question), on(3, made)
    while ordinary.depth < levels and ordinary.status == Status.RUNNING:
        ordinary.run(1)
    while small.depth < levels and small.status == Status.RUNNING:
        small.round(1 << 20)
    level_end = ordinary.levels[min(levels, ordinary.depth)]
    assert small.findings().states == level_end
    assert {tuple(words) for words in ordinary.array()[:level_end].tolist()} == set(small.stored())


def test_they_keep_to_the_memory_allowed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_store, "OUTBOX", 1 << 10)
    made = Exploration(Instance(Postcopy, 3, 2, ()), INTERPRETED)
    found = on(2, made, max_bytes=5_000_000).run(1 << 40)
    assert found.status is Status.FULL
    assert 5_000_000 // 3 <= found.bytes <= 5_000_000


def test_where_there_is_no_memory_for_both_the_states_are_given_up_for_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_store, "OUTBOX", 1 << 10)
    made = Exploration(Instance(FAULTS["unpackaged"], 2, 2, SAFETY), INTERPRETED)
    ordinary = Compiled(machine_of(made.kernel.plan), made.question)
    ordinary.run(1 << 40)
    found = on(2, made).run(1 << 40)
    tight = on(2, made, max_bytes=found.bytes * 3 // 2)
    assert agrees(made, ordinary, tight)
    assert all(member.made.store.given_up for member in tight.members)


# -- kept --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "_SLICE", 1_500)
    monkeypatch.setattr(small_store, "STRETCH", 300)


def exploration(**options: Any) -> Exploration:
    return Exploration(INSTANCE, Options((), engine=Engine.COMPILED, cluster=2, small_table=True, **options))


def test_a_search_that_was_kept_ends_as_if_nothing_had_happened(
    whole: tuple[Exploration, Compiled], tmp_path: Path, small_slices: None
) -> None:
    died = killed(exploration(), tmp_path, 5)
    assert isinstance(died.search, SmallCluster)
    assert all(member.made.store.shifted > 0 for member in died.search.members)
    again = exploration()
    again.resume(tmp_path, every=1_000)
    assert isinstance(again.search, SmallCluster)
    assert 0 < again.findings.states < whole[1].run(0).states
    assert agrees(*whole, again.search, runs=1)


@pytest.mark.parametrize("small", [False, True])
def test_a_search_kept_at_the_end_of_a_level_goes_on_at_the_next(
    whole: tuple[Exploration, Compiled], tmp_path: Path, small: bool
) -> None:
    made = exploration() if small else exploration_of_whole_states()
    assert isinstance(made.search, Cluster)
    made.keep(tmp_path, every=0)
    while made.findings.depth == 0:
        made.findings = made.search.run(1)
    assert made.search.expanded == len(made.kernel.initial), "the first level is over, and no other has begun"
    made._save()
    again = exploration() if small else exploration_of_whole_states()
    again.resume(tmp_path, every=1_000)
    again.run()
    assert [getattr(again.findings, a) for a in SAME] == [getattr(whole[1].run(0), a) for a in SAME]


def exploration_of_whole_states() -> Exploration:
    made = Exploration(INSTANCE, Options((), engine=Engine.COMPILED, cluster=2))
    assert type(made.search) is Cluster
    return made


# -- faults ------------------------------------------------------------------------------------------------------------

LOW = (1 << 32) - 1

DEALING = {
    "deals by another state's words": ("columns[k, at] & dealt[k]", "columns[k, at & ~1] & dealt[k]"),
    "deals by bits that do not count": ("columns[k, at] & dealt[k]", "columns[k, at]"),
    "loses what belongs to the last": ("at + U(to != shard)", "at + U(to != shard and to + ONE < shards)"),
    "sends what it keeps": ("at + U(to != shard)", "at + ONE"),
    "keeps what it sends": ("kept += int(to == shard)", "kept += 1"),
    "keeps another state": ("out[k, kept] = out[k, j]", "out[k, kept] = out[k, kept]"),
    "sends a word of another state": ("rows[to, at, k] = out[k, j]", "rows[to, at, k] = out[k, j if k else 0]"),
    "keeps another state's tag": ("tags[kept] = tags[j]", "tags[kept] = tags[kept]"),
    "sends another state's tag": ("rows[to, at, words] = tags[j]", "rows[to, at, words] = tags[0]"),
}


@pytest.mark.parametrize("what", [None, *DEALING])
def test_each_state_is_kept_by_one_part_and_sent_there_by_the_others(what: str | None) -> None:
    """In Python, which need not be compiled for each fault."""
    text, shards = loops._small_texts()[-1], 3
    if what is not None:
        old, new = DEALING[what]
        assert text.count(old) == 1
        text = text.replace(old, new)
    generator = np.random.default_rng(4)
    states = generator.integers(0, 1 << 62, (62, 2))
    states[31:, 0] = states[:31, 0] ^ 1 << 40  # alike in the bits that they are dealt by
    tags = generator.integers(0, 1 << 32, 62, dtype=np.uint32)
    parts = [dealt(text, states, tags, shard, shards) for shard in range(shards)]
    kept = [parts[shard].pop(shard) for shard in range(shards)]
    tagged = [(*words, tag) for words, tag in zip(states.tolist(), tags.tolist(), strict=True)]
    right = (
        sorted(state for part in kept for state in part) == sorted(tagged)
        and all(kept[to] == sent for part in parts for to, sent in part.items())
        and all(sum(state[0] & LOW == words[0] & LOW for state in part) == 2 for part in kept for words in part)
        and all(kept)
    )
    assert right is (what is None)


def dealt(text: str, states: Any, tags: Any, shard: int, shards: int) -> dict[int, list[tuple[int, ...]]]:
    """What one part makes of some states: those that it keeps, as its own, and those for each of the others."""
    names: dict[str, Any] = {"njit": lambda function: function, "hash_of": word_table.hash_of.py_func, "U": np.uint64}
    names |= {"ZERO": np.uint64(0), "ONE": np.uint64(1), "HALF": np.uint64(32)}
    exec(text[text.index("@njit\ndef owner") : text.index("@njit\ndef number_states")], names)
    count, words = states.shape
    rows = np.zeros((shards, count + 1, words + 1), dtype=np.int64)
    outboxes = Outboxes(rows, np.zeros(shards, dtype=np.uint64), np.uint64(shard), np.uint64(shards))
    out, own_tags, by = states.T.copy(), tags.copy(), np.array([LOW, 0])
    with np.errstate(over="ignore"):
        kept = names["share_out"](outboxes, by, out, own_tags, count)
    found = {to: list(map(tuple, rows[to, : int(outboxes.filled[to])].tolist())) for to in range(shards)}
    found[shard] += [(*state, tag) for state, tag in zip(out.T[:kept].tolist(), own_tags.tolist(), strict=False)]
    return found


LOOP = {
    "enters another state's tag": (
        "numbering.tags[j] = rows[begin + j, len(out)]",
        "numbering.tags[j] = rows[begin, len(out)]",
    ),
    "enters the first of what was sent only": ("out[k, j] = rows[begin + j, k]", "out[k, j] = rows[begin, k]"),
}


MANY = {"enters the first block of what was sent only": ("        begin += count\n", "        begin = len(rows)\n")}


@pytest.mark.one_in(3)
@pytest.mark.slow
@pytest.mark.parametrize("what", [None, *LOOP, *MANY])
def test_a_loop_with_a_fault_is_noticed(
    what: str | None, whole: tuple[Exploration, Compiled], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    *others, text = loops._small_texts()
    if what is not None:
        old, new = (LOOP | MANY)[what]
        assert text.count(old) == 1
        text = text.replace(old, new)
        monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path))
    monkeypatch.setattr(loops, "_small_texts", lambda: (*others, text))
    right = enters_all(SmallMember, whole) if what in MANY else agrees(*whole, on(3, whole[0]))
    assert right is (what is None)


_TAKE = SmallMember.take

PROCESSES: dict[str, tuple[type, str, Any]] = {
    "reads what one of the others has sent": (SmallMember, "take", lambda member, *sent: _TAKE(member, *sent[:1])),
    "loses the last state that it was sent": (
        SmallMember,
        "take",
        lambda member, *sent: _TAKE(member, *(rows[:-1] for rows in sent)),
    ),
    "knows milestones by its own numbers": (
        SearchingMember,
        "milestone",
        lambda member, which, tag: (member._words(member.milestones.of(which, 0)[0]), 0),
    ),
}


@pytest.mark.parametrize("what", PROCESSES)
def test_a_member_with_a_fault_is_noticed(
    what: str, whole: tuple[Exploration, Compiled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_store, "STRETCH", 256)
    kind, method, wrong = PROCESSES[what]
    monkeypatch.setattr(kind, method, wrong)
    assert not agrees(*whole, on(3, whole[0]), runs=1)


# -- with Ray ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_ray() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")
    yield ray
    ray.shutdown()


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_processes_of_ray_find_the_same(whole: tuple[Exploration, Compiled], with_ray: Any) -> None:
    made = exploration()
    made.run()
    assert isinstance(made.search, SmallCluster)
    assert agrees(*whole, made.search)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_process_that_dies_is_said_to_have_and_the_search_is_resumed(
    whole: tuple[Exploration, Compiled], tmp_path: Path, small_slices: None, with_ray: Any
) -> None:
    made = exploration()
    made.keep(tmp_path, every=0)
    made.findings = made.search.run(3_000)
    made._save()
    assert isinstance(made.search, SmallCluster)
    victim = with_ray.get(made.search.members[1].__ray_call__.remote(lambda _: os.getpid()))
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(cluster_team.MemberLost, match=r"has died.*resume"):
        made.run()
    again = exploration()
    again.resume(tmp_path, every=1_000)
    assert isinstance(again.search, SmallCluster)
    assert 0 < again.findings.states < whole[1].run(0).states
    assert agrees(*whole, again.search, runs=1)
