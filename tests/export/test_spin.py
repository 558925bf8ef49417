"""Spin, run on the exported model, sees the states that the explorer sees, and says of them what the explorer says."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.catalogue.properties import BY_NAME
from postcopy.errors import UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.export import spin
from postcopy.export.promela import promela
from postcopy.language import NO_DEADLOCK, Property, Protocol
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from tests.explorer.brute import brute_force
from tests.export.agreement import SOUND, by_spin, explorer, exported, need_spin, size_of
from tests.export.tiny import PROPERTIES, Tiny
from tests.strategies import heard_once, random_protocols, sends_stay, stale_has_history


@pytest.fixture(autouse=True)
def _spin() -> None:
    need_spin()


@pytest.mark.slow_but("size0")
@pytest.mark.parametrize("size", SOUND)
def test_the_protocol_has_the_same_states_and_holds_for_both(size: tuple[int, int, int], tmp_path: Path) -> None:
    wanted = explorer(Postcopy, size, SAFETY)
    assert wanted.violated is None
    assert by_spin(exported(Postcopy, size, SAFETY), tmp_path) == wanted


SAFETY_FAULTS = [name for name, fault in FAULTS.items() if not BY_NAME[fault.breaks[0]].of_runs]
"""Those that show in a state or a step: runs that go on for ever are not asserted in the export."""


@pytest.mark.one_in(3)
@pytest.mark.slow_but("no-return-path", "no-discards", "late-start-acts")
@pytest.mark.parametrize("name", SAFETY_FAULTS)
def test_a_fault_has_the_same_states_and_breaks_the_same_property_for_both(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    size = size_of(name)
    properties = [BY_NAME[fault.breaks[0]]]
    wanted = explorer(fault, size, properties)
    assert wanted.violated == fault.breaks[0]
    assert by_spin(exported(fault, size, properties), tmp_path) == wanted


@pytest.mark.parametrize("properties", [(), (NO_DEADLOCK,), PROPERTIES])
def test_a_protocol_with_one_of_everything(properties: tuple[Property, ...], tmp_path: Path) -> None:
    for size in ((2, 1, 1), (2, 2, 2)):
        wanted = explorer(Tiny, size, properties)
        assert wanted.violated is None
        assert by_spin(exported(Tiny, size, properties), tmp_path) == wanted


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    protocol=random_protocols(),
    pages=st.integers(1, 3),
    in_flight=st.integers(1, 2),
    prop=st.sampled_from([heard_once, sends_stay, stale_has_history, NO_DEADLOCK]),
)
def test_random_protocols(
    protocol: type[Protocol],
    pages: int,
    in_flight: int,
    prop: Property,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if len(brute_force(Instance(protocol, pages, in_flight, (prop,)), limit=500).depth) <= 500:
        size = (pages, in_flight, 1)
        found = by_spin(exported(protocol, size, [prop]), tmp_path_factory.mktemp("random"))
        assert found == explorer(protocol, size, [prop])


def test_every_transition_is_accounted_for(tmp_path: Path) -> None:
    """Beside the model's and those of the start: one wherever no thread can change anything."""
    instance = Instance(Tiny, 2, 1, (NO_DEADLOCK,))
    program = read(instance)
    graph = brute_force(instance)
    moves = {before for before, name, after in graph.edges if before != after and not _environment(instance, name)}
    found = spin.search(spin.build(promela(program, "Tiny"), tmp_path))
    stuck = len(graph.depth) - len(moves)
    assert stuck > 0
    assert found.transitions == sum(graph.edges.values()) + spin.extra_transitions(program) + stuck


def _environment(instance: Instance, name: str) -> bool:
    return next(a for a in instance.actions if a.name == name).info.environment


SEEDED = {
    "an action is missing": ("(destination_owes_shut == 1) &&", "false && (destination_owes_shut == 1) &&"),
    "a guard is weaker": ("(source_phase == Phase_PACKAGING) && (stream_0_kind", "(stream_0_kind"),
    "an assignment is missing": ("destination_sensitive = 1;", "skip;"),
    "an initial value is another": ("bit destination_locked = 1;", "bit destination_locked;"),
    "a value is overwritten before it is read": (
        "return_path_0_kind = Reply_REQ_PAGES;\n        return_path_0_pages = 1;",
        "return_path_0_pages = 1;\n        return_path_0_kind = (return_path_0_pages -> Reply_PONG : Reply_REQ_PAGES);",
    ),
}
"""What a wrong export might do, as an edit of the right one."""


@pytest.mark.slow_but("an action is missing", "a guard is weaker")
@pytest.mark.parametrize("mistake", SEEDED)
def test_a_wrong_export_is_noticed(mistake: str, tmp_path: Path) -> None:
    right, wrong = SEEDED[mistake]
    text = exported(Postcopy, (1, 1, 1), [NO_DEADLOCK])
    assert right in text
    assert by_spin(text.replace(right, wrong), tmp_path) != explorer(Postcopy, (1, 1, 1), [NO_DEADLOCK])


@pytest.mark.slow_but("cpus-run-on")
@pytest.mark.parametrize("name", ["mismatched-capability", "cpus-run-on", "no-return-path"])
def test_a_property_that_is_not_asserted_is_noticed(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    properties = [BY_NAME[fault.breaks[0]]]
    asserted = f"assert({fault.breaks[0].replace('-', '_')})"
    text = exported(fault, (1, 1, 1), properties)
    assert asserted in text
    assert by_spin(text.replace(asserted, "skip"), tmp_path) != explorer(fault, (1, 1, 1), properties)


def test_a_number_that_leaves_its_range_is_asserted(tmp_path: Path) -> None:
    text = exported(Tiny, (1, 1, 1), ())
    text = text.replace("left_tries : 2;", "left_tries : 2 = 2;").replace("(left_tries < 2)", "(left_tries < 3)")
    assert by_spin(text, tmp_path).violated == "a-number-leaves-its-range"


def test_a_model_that_spin_does_not_take_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"spin fails and says: .*model\.pml:1"):
        spin.build("no model\n", tmp_path)


def test_a_search_that_was_cut_short_is_no_answer(tmp_path: Path) -> None:
    pan = spin.build(exported(Tiny, (1, 1, 1), ()), tmp_path)
    with pytest.raises(UsageError, match="did not search everything"):
        spin.search(pan, ["-m5"])


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="spin and gcc not found"):
        spin.build("", tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="spin and gcc not found"):
        need_spin()
    monkeypatch.setenv("CI", "false")
    with pytest.raises(pytest.skip.Exception):
        need_spin()


def test_the_explorer_and_spin_count_the_same_transitions_where_no_deadlock_is_asked(tmp_path: Path) -> None:
    instance = Instance(Postcopy, 2, 1)
    program = read(instance)
    found = spin.search(spin.build(promela(program, "Postcopy"), tmp_path))
    verdict = explore(instance, Options(reductions=(), engine=Engine.INTERPRETED))
    assert found.transitions == verdict.transitions + spin.extra_transitions(program)


@pytest.mark.parametrize(("said", "number"), [("  99 transitions", 99), ("1.7043863e+08 transitions", 170_438_630)])
def test_large_numbers_are_read_as_spin_prints_them(said: str, number: int) -> None:
    assert spin._number(r"([\d.e+]+) transitions", said) == number
