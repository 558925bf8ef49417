"""Every property is seen to hold, to be broken by a fault, and to speak of something that is reached."""

from pathlib import Path

import pytest

from postcopy.api.stored_runs import read_run
from postcopy.catalogue.properties import BY_NAME, DEFAULT
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import Thread, action
from postcopy.language.instance import Instance
from postcopy.language.properties import Kind
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import SPEAKS_OF, WITNESSES
from postcopy.report.gallery import EXHIBITS, draw, index, stored_states
from postcopy.report.results.check import answer

MUST = (*SAFETY, *LIVENESS)
STORED = Path(__file__).parents[1] / "counterexamples"


@pytest.fixture(scope="module")
def sound() -> Verdict:
    return explore(Instance(Postcopy, 2, 2, DEFAULT), Options(engine=Engine.INTERPRETED))


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", [p.name for p in MUST])
def test_the_property_holds_of_the_protocol(sound: Verdict, name: str) -> None:
    assert BY_NAME[name] in sound.instance.properties
    assert sound.outcome is Outcome.HOLDS
    assert answer(sound, BY_NAME[name]) == "holds"


@pytest.mark.parametrize("name", [p.name for p in MUST])
def test_the_situation_that_the_property_speaks_of_is_reached(sound: Verdict, name: str) -> None:
    assert sound.witnesses[SPEAKS_OF[name]]


@pytest.mark.parametrize("name", [p.name for p in MUST])
def test_some_fault_breaks_the_property(name: str) -> None:
    assert any(name in fault.breaks for fault in FAULTS.values())


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("name", "broken"), [(name, broken) for name, fault in FAULTS.items() for broken in fault.breaks[1:]]
)
def test_a_fault_breaks_each_property_that_it_names(name: str, broken: str) -> None:
    fault = FAULTS[name]
    verdict = explore(
        Instance(fault, fault.pages, 2, [BY_NAME[broken]], fault.group), Options(engine=Engine.INTERPRETED)
    )
    assert verdict.violated is BY_NAME[broken]


@pytest.mark.unmeasured
@pytest.mark.one_in(3)  # the fast tests replay each of them, and the faults are searched by the same code
@pytest.mark.slow_but("no-discards", "lost-wake-up", "main-reads-on", "hinted-pages", "loads-before-fast-is-ready")
@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_the_stored_counterexample_is_what_the_search_finds_now(exhibit: str) -> None:
    drawn = draw(exhibit)
    assert drawn.states == stored_states(STORED)[exhibit]
    for name, content in drawn.files.items():
        stored = (STORED / name).read_bytes()
        assert stored == content, "out of date: run postcopy counterexamples counterexamples"
        if name.endswith(".json"):
            assert f'"violated": "{EXHIBITS[exhibit].violates}"'.encode() in stored


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_the_stored_counterexample_is_a_run_of_the_model_as_it_is_now(exhibit: str) -> None:
    protocol, run = read_run(STORED / f"{exhibit}.itf.json", None)
    assert protocol == EXHIBITS[exhibit].protocol
    assert run.violated == EXHIBITS[exhibit].violates


def test_the_table_of_contents_is_current() -> None:
    assert (STORED / "README.md").read_text() == index(STORED)
    stored = {path.name.split(".")[0] for path in STORED.glob("*.itf.json")}
    assert stored == set(EXHIBITS)


@pytest.mark.parametrize("name", [p.name for p in LIVENESS])
def test_what_has_to_happen_in_the_end_is_promised_somewhere(sound: Verdict, name: str) -> None:
    assert sound.liveness is not None
    assert sound.liveness.findings[name].open > 0


def test_precopy_alone_promises_no_end() -> None:
    verdict = explore(Instance(Postcopy, 1, 1, [BY_NAME["ends-without-postcopy"]]), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.LIVENESS
    assert verdict.counterexample is not None
    again = verdict.counterexample.steps[verdict.counterexample.loop :]
    assert [step.action.method for step in again] == ["guest_writes", "sends_precopy_page", "loads_precopy_page"]


def test_every_witness_is_reached(sound: Verdict) -> None:
    assert [p.name for p in WITNESSES if not sound.witnesses[p.name]] == []


def test_every_action_is_taken_or_impossible_at_this_size(sound: Verdict) -> None:
    assert sound.never_fired == []
    assert sound.impossible == {"source.sends_rest_of_host_page"}


def test_a_witness_that_a_vacuous_protocol_does_not_reach_is_reported() -> None:
    class NeverSwitches(Postcopy):
        """A protocol in which postcopy never comes."""

        class source(Source):  # noqa: N801
            """Does not switch."""

            stops_cpus_to_switch = None  # type: ignore[assignment]

    verdict = explore(Instance(NeverSwitches, 2, 1, DEFAULT), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.LIVENESS  # no property of states or steps notices it
    assert verdict.violated is BY_NAME["the-switch-happens"]
    assert not verdict.witnesses["runs-with-missing-pages"]
    assert "source.sends_package" in verdict.never_fired


def test_names_of_properties_are_unique_and_every_one_explains_itself() -> None:
    assert len(BY_NAME) == len({p.sentence for p in BY_NAME.values()})
    assert all(p.because for p in BY_NAME.values())
    assert [p for p in SAFETY if p.kind is Kind.NO_DEADLOCK] == [BY_NAME["no-deadlock"]]


def test_a_thread_that_spins_in_place_does_not_hide_a_deadlock() -> None:
    base = FAULTS["listen-waits-for-main"]

    class Spinning(Source):
        """Has a thread that is always busy and does nothing."""

        idle_thread = Thread("idle thread")

        @action(idle_thread)
        def spins(self) -> None:
            """does nothing, for ever"""

        @action(idle_thread)
        def assigns_what_is_there(self) -> None:
            """assigns a variable the value that it has"""
            self.dirty &= self.dirty | self.sent

    class Busy(base):  # type: ignore[misc, valid-type]
        """A deadlock with a busy thread beside it."""

        source = Spinning

    verdict = explore(Instance(Busy, 1, 1, [BY_NAME["no-deadlock"]]), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.DEADLOCK
