"""The C search of the benchmarks finds the explorer's graph: an anchor that searches something else anchors nothing."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from postcopy.catalogue.properties import BY_NAME
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import NO_DEADLOCK
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from tests.export.agreement import need_spin
from tests.export.tiny import PROPERTIES, Tiny


@pytest.fixture(scope="module")
def c_search() -> ModuleType:
    need_spin()  # which says whether there is a C compiler, too
    path = Path(__file__).parents[2] / "benchmarks" / "c_search.py"
    spec = importlib.util.spec_from_file_location("c_search", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["c_search"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow_but("Tiny, 2 pages, 2 messages in flight, host pages of 2", "Postcopy, 1 page, 1 message in flight")
@pytest.mark.parametrize(
    "instance",
    [
        Instance(Tiny, 2, 2, PROPERTIES, 2),
        Instance(Postcopy, 1, 1, SAFETY),
        Instance(Postcopy, 2, 1, (NO_DEADLOCK,)),
        Instance(Postcopy, 2, 2, ()),
    ],
    ids=lambda instance: f"{instance.protocol.__name__}, {instance.size}",
)
def test_it_counts_what_the_explorer_counts(c_search: ModuleType, instance: Instance, tmp_path: Path) -> None:
    """With a table that is small at first, so that it grows several times."""
    found = c_search.run(c_search.build(read(instance), tmp_path, ["-O1", "-DBUCKETS=2", "-DBATCH=8"]))
    verdict = explore(instance, Options(reductions=(), engine=Engine.INTERPRETED))
    assert found.violated == 0
    assert (found.states, found.transitions, found.depth) == (verdict.states, verdict.transitions, verdict.depth)


@pytest.mark.parametrize(("name", "answer"), [("cpus-run-on", 1), ("mismatched-capability", 1), ("no-return-path", -2)])
def test_it_sees_a_violation(c_search: ModuleType, name: str, answer: int, tmp_path: Path) -> None:
    fault = FAULTS[name]
    instance = Instance(fault, 1, 1, [BY_NAME[fault.breaks[0]]])
    assert c_search.run(c_search.build(read(instance), tmp_path, ["-O1"])).violated == answer
