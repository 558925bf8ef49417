"""The search in Python with the kernel in machine code finds what the one in plain Python finds, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.explorer import explore as driver
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.canonical_form import Reduction
from postcopy.explorer.kernel.reductions import PAGES, REDUCTIONS
from postcopy.explorer.liveness.beside import Beside
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search import loops, quick
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.quick import Quick
from postcopy.explorer.search.status import Status
from postcopy.language import NO_DEADLOCK, Protocol
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.test_mutants import DROPPED, WITHOUT_EFFECT, without_one
from tests.export.tiny import PROPERTIES, Tiny
from tests.strategies import heard_once, random_protocols, sends_stay


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    """A cache of each test's own, and machine code from the first block on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTCOPY_CACHE", str(tmp_path_factory.mktemp("quick")))
        patch.setattr(quick, "MADE_FROM", 0)
        yield patch


def begun(
    instance: Instance,
    engine: Engine = Engine.AUTO,
    reductions: tuple[Reduction, ...] = (PAGES,),
    keep_edges: bool = False,
) -> Interpreted:
    search = Exploration(instance, Options(reductions, engine=engine), keep_edges=keep_edges).search
    assert isinstance(search, Interpreted)
    assert isinstance(search, Quick) == (engine is Engine.AUTO)
    return search


def found_by(search: Interpreted) -> tuple[object, ...]:
    """Everything that a search knows at its end."""
    edges = vars(search.edges) if search.edges is not None else None
    return search.run(1 << 40), search.order, search.parents, search.number, edges


def assert_same(instance: Instance, reductions: tuple[Reduction, ...] = (PAGES,), keep_edges: bool = False) -> Status:
    fast, slow = (begun(instance, engine, reductions, keep_edges) for engine in (Engine.AUTO, Engine.INTERPRETED))
    assert found_by(fast) == found_by(slow)
    return slow.run(0).status


@pytest.mark.slow_but("none", "pages")
@pytest.mark.parametrize("reductions", [(), (PAGES,), tuple(REDUCTIONS)], ids=["none", "pages", "all"])
def test_the_states_the_steps_and_the_witnesses_are_the_same(reductions: tuple[Reduction, ...]) -> None:
    instance = Instance(Postcopy, 1, 1, (*SAFETY, NO_DEADLOCK, *WITNESSES))
    assert assert_same(instance, reductions, keep_edges=True) is Status.DONE


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mismatched-capability", Status.STATE),
        ("sends-on-broken-connection", Status.STEP),
        ("no-return-path", Status.DEADLOCK),
    ],
)
def test_what_a_fault_breaks_is_found_in_the_same_place(name: str, found: Status) -> None:
    fault = FAULTS[name]
    assert assert_same(Instance(fault, fault.pages, 1, (*SAFETY, NO_DEADLOCK), fault.group)) is found


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(careful=False), pages=st.integers(1, 3), symmetry=st.booleans())
def test_on_random_protocols_it_is_the_same_and_so_is_the_check_that_fails(
    protocol: type[Protocol], pages: int, symmetry: bool
) -> None:
    instance = Instance(protocol, pages, 1, (heard_once, sends_stay, NO_DEADLOCK))
    if begun(instance, Engine.INTERPRETED).run(3000).status is not Status.RUNNING:
        assert_same(instance, (PAGES,) if symmetry else ())


@pytest.mark.slow
@pytest.mark.parametrize("what", DROPPED)
def test_machine_code_that_loses_something_is_noticed(what: str) -> None:
    instance = Instance(Tiny, 2, 2, PROPERTIES)
    expected, unnoticed = found_by(begun(instance, Engine.INTERPRETED, ())), 0
    kernel = Exploration(instance, Options((), engine=Engine.AUTO)).kernel
    for mutant in without_one(kernel.plan.text, DROPPED[what]):
        search = begun(instance, reductions=())
        assert isinstance(search, Quick)
        vars(search.kernel)["plan"] = replace(kernel.plan, text=mutant)
        unnoticed += found_by(search) == expected
    assert unnoticed == WITHOUT_EFFECT.get(what, 0)


def test_machine_code_is_made_when_there_are_many_states_and_is_there_the_next_time(cache: pytest.MonkeyPatch) -> None:
    cache.setattr(quick, "MADE_FROM", 1000)
    instance = Instance(Postcopy, 1, 1, SAFETY)
    from_when: list[int] = []
    for _ in range(2):
        search = begun(instance)
        assert isinstance(search, Quick)
        while not search.hurries:
            search.run(1)  # a block
        from_when.append(search.head)
    assert 1000 <= from_when[0] < 1200
    assert from_when[1] == 0


@pytest.mark.parametrize(("kept", "expected"), [(True, 600), (False, 1500)])
def test_the_loop_is_used_sooner_where_it_is_in_the_cache(cache: pytest.MonkeyPatch, kept: bool, expected: int) -> None:
    cache.setattr(driver, "KEPT_STATES", 600)
    cache.setattr(driver, "INTERPRETED_STATES", 1500)
    cache.setattr(driver, "_SLICE_INTERPRETED", 1)
    cache.setattr(loops, "is_there", lambda _: kept)
    compiled_at: list[int] = []
    cache.setattr(Exploration, "_compile", lambda self: compiled_at.append(self.findings.states))
    Exploration(Instance(Postcopy, 1, 1, SAFETY), Options(engine=Engine.AUTO)).run()
    assert expected < compiled_at[0] < expected + 300


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(("for_liveness", "expected"), [(False, 300), (True, 1500)])
def test_a_large_protocol_is_compiled_soon_whatever_is_in_the_cache(
    cache: pytest.MonkeyPatch, kept: bool, for_liveness: bool, expected: int
) -> None:
    """But for liveness, where how it is searched decides which of several runs is shown."""
    for name, value in {"LARGE_ACTIONS": 10, "LARGE_STATES": 300, "KEPT_STATES": 1500}.items():
        cache.setattr(driver, name, value)
    cache.setattr(driver, "INTERPRETED_STATES", 1500)
    cache.setattr(driver, "_SLICE_INTERPRETED", 1)
    cache.setattr(loops, "is_there", lambda _: kept)
    cache.setattr(Beside, "begin", lambda *_, **__: None)
    compiled_at: list[int] = []
    cache.setattr(Exploration, "_compile", lambda self: compiled_at.append(self.findings.states))
    Exploration(Instance(Postcopy, 1, 1, SAFETY), Options(engine=Engine.AUTO), keep_edges=for_liveness).run()
    assert expected < compiled_at[0] < expected + 300


@pytest.mark.parametrize(("states", "expected"), [(100, Engine.COMPILED), (1 << 30, Engine.AUTO)])
def test_a_large_space_is_searched_for_liveness_by_the_compiled_loop(
    cache: pytest.MonkeyPatch, states: int, expected: Engine
) -> None:
    made = Exploration(Instance(Postcopy, 1, 1, SAFETY), Options(engine=Engine.AUTO))
    made.findings = made.search.run(2000)
    cache.setattr(driver, "INTERPRETED_STATES", states)
    asked: list[Engine] = []

    class Asked(Exception):
        """It has come to the second search."""

    def second(_: Instance, options: Options, *__: object, **___: object) -> None:
        asked.append(options.engine)
        raise Asked

    cache.setattr(driver, "Exploration", second)
    with pytest.raises(Asked):
        made._search_again(made.instance, 1 << 30)
    assert asked == [expected]
