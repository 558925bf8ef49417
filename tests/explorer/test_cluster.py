"""A search on several processes finds what one in a single process finds, and outlives the death of one of them."""

from __future__ import annotations

import builtins
import importlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postcopy.errors import UsageError
from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES

ray: Any = pytest.importorskip("ray", reason="Ray, the optional extra `cluster`, is not installed")

from postcopy.explorer.search.cluster import Cluster  # noqa: E402  (it needs Ray)
from postcopy.explorer.search.cluster_team import MemberLost  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

INSTANCE = Instance(Postcopy, 2, 2, (*SAFETY, *WITNESSES))
SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "changed", "witnesses")


@pytest.fixture(autouse=True, scope="module")
def small_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "_SLICE", 1_500)
        yield
    ray.shutdown()


def exploration(instance: Instance = INSTANCE, **options: Any) -> Exploration:
    return Exploration(instance, replace(Options((), engine=Engine.COMPILED, cluster=2), **options))


@pytest.fixture(scope="module")
def whole() -> Exploration:
    made = exploration(cluster=0)
    made.run()
    return made


@pytest.mark.slow
def test_two_processes_find_the_same(whole: Exploration) -> None:
    made = exploration()
    made.run()
    assert isinstance(made.search, Cluster)
    assert [getattr(made.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
    assert set(made.stored()) == set(whole.stored())
    for bit, at in whole.findings.first.items():
        assert len(made.search.path(made.findings.first[bit])) == len(whole.search.path(at))
    assert all(each.control[0] > 0 for each in made.search.reports), "one of them had all of it"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["late-start-acts", "unpackaged"])
def test_counterexamples_are_as_short(fault: str) -> None:
    here, there = (exploration(Instance(FAULTS[fault], 2, 2, SAFETY), cluster=n) for n in (2, 0))
    for each in (here, there):
        each.run()
    a, b = here.verdict(), there.verdict()
    assert (a.outcome, a.violated) == (b.outcome, b.violated)
    assert a.counterexample is not None
    assert b.counterexample is not None
    assert len(a.counterexample.steps) == len(b.counterexample.steps)


@pytest.mark.slow
def test_too_little_memory_is_said_to_be() -> None:
    made = exploration(max_memory=300_000)
    made.run()
    assert "do not hold all states" in made.verdict().why


@pytest.mark.slow
def test_python_is_left_as_it_was() -> None:
    """Ray would put another `print` in place, which a protocol's text would then be found to call."""
    before = print
    made = exploration()
    made.run()
    importlib.import_module("ray.experimental.tqdm_ray").instance()
    assert builtins.print is before


@pytest.mark.slow
def test_a_process_that_dies_is_said_to_have_and_the_search_is_resumed(tmp_path: Path, whole: Exploration) -> None:
    made = exploration()
    made.keep(tmp_path, every=0)
    made.findings = made.search.run(3_000)
    made._save()
    assert isinstance(made.search, Cluster)
    victim = ray.get(made.search.members[1].__ray_call__.remote(lambda _: os.getpid()))
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(MemberLost, match=r"has died.*resume"):
        made.run()
    again = exploration()
    again.resume(tmp_path, every=1_000)
    assert 0 < again.findings.states < whole.findings.states
    again.run()
    assert [getattr(again.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
    with pytest.raises(UsageError, match="processes is 2 there, 1 here"):
        exploration(cluster=0, workers=2).resume(tmp_path, every=0)


@pytest.mark.slow
def test_what_one_process_kept_is_not_taken_up_by_two(tmp_path: Path) -> None:
    made = exploration(cluster=1)
    made.keep(tmp_path, every=0)
    made.run()
    with pytest.raises(UsageError, match="processes is 1 there, 2 here"):
        exploration().resume(tmp_path, every=0)
