"""Random walks are runs of the model, the same for the same seed, and they come to where it gets interesting."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.catalogue.properties import BY_NAME
from postcopy.errors import TraceError, UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.kernel import Words
from postcopy.explorer.kernel.stepper import Look, Move, Stepper
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.simulation.hyperloglog import Census
from postcopy.explorer.simulation.simulate import Finding, Simulation, WalkPlan, retrace
from postcopy.explorer.simulation.walk import Walker
from postcopy.language import Protocol
from postcopy.language.concrete import is_deadlock, successors, violated_by
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.strategies import random_protocols

ASKED = (*SAFETY, *WITNESSES)


class Recorded(Stepper):
    """Remembers every state that a walker looks at, in order."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.seen: list[Words] = []

    def look(self, state: Words) -> Look:
        self.seen.append(state)
        return super().look(state)


def recorded(instance: Instance, seed: int, walks: int, depth: int = 400) -> list[list[Words]]:
    """The states of each walk; a walk that finds something is the last one."""
    stepper = Recorded(instance)
    walker = Walker(stepper, seed, depth)
    paths = []
    for _ in range(walks):
        stepper.seen = []
        found = walker.walk()
        paths.append(stepper.seen)
        if found:
            break
    return paths


def assert_walks_are_runs(instance: Instance, paths: list[list[Words]]) -> None:
    """Every walk begins at the start or where one has been, and each step is one of the concrete interpretation."""
    stepper = Stepper(instance)
    been = set(stepper.initial)
    for path in paths:
        assert path[0] in been
        for before, after in pairwise(path):
            following = {step.state for step in successors(instance, stepper.unpack(before))}
            assert stepper.unpack(after) in following
            assert after != before
        been.update(path)


def test_the_same_seed_makes_the_same_walks_and_another_one_others() -> None:
    instance = Instance(Postcopy, 3, 2, ASKED)
    assert recorded(instance, 7, 60) == recorded(instance, 7, 60)
    assert recorded(instance, 7, 60) != recorded(instance, 8, 60)


def test_a_walk_does_not_depend_on_how_many_follow() -> None:
    instance = Instance(Postcopy, 2, 1, ASKED)
    assert recorded(instance, 1, 20) == recorded(instance, 1, 40)[:20]


@pytest.mark.slow_but("2-1-1")
@pytest.mark.parametrize(("pages", "in_flight", "group"), [(2, 1, 1), (5, 3, 1), (4, 2, 2)])
def test_every_step_of_a_walk_is_one_of_the_model(pages: int, in_flight: int, group: int) -> None:
    instance = Instance(Postcopy, pages, in_flight, ASKED, group)
    assert_walks_are_runs(instance, recorded(instance, 1, 15))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), pages=st.integers(1, 3), seed=st.integers(0, 9))
def test_every_step_of_a_walk_through_a_random_protocol_is_one_of_its_own(
    protocol: type[Protocol], pages: int, seed: int
) -> None:
    instance = Instance(protocol, pages, 2)
    assert_walks_are_runs(instance, recorded(instance, seed, 4, depth=10))


def test_a_walker_and_the_concrete_interpretation_agree_on_a_state() -> None:
    instance = Instance(Postcopy, 3, 2, SAFETY)
    stepper = Stepper(instance)
    for path in recorded(instance, 2, 12):
        for words in path[::5]:
            state, moves, look = stepper.unpack(words), stepper.moves(words), stepper.look(words)
            concrete = [
                (instance.actions.index(s.action), s.state, s.violated[0] if s.violated else None)
                for s in successors(instance, state)
            ]
            told = [(m.action, stepper.unpack(m.after), m.violated.name if m.violated else None) for m in moves]
            assert sorted(told, key=str) == sorted(concrete, key=str)
            assert (look.violated.name if look.violated else None) == next(iter(violated_by(instance, state)), None)
            assert (stepper.deadlock(words, moves, look) is not None) == is_deadlock(instance, state)


@pytest.mark.parametrize("depth", [1, 5, 15])
def test_no_walk_goes_deeper_than_it_may(depth: int) -> None:
    walker = Walker(Stepper(Instance(Postcopy, 2, 1, ASKED)), 1, depth)
    for _ in range(300):
        assert walker.walk() is None
    assert walker.deepest == depth


@pytest.mark.slow
def test_at_sizes_that_cannot_be_exhausted_walks_come_to_every_phase() -> None:
    stepper = Stepper(Instance(Postcopy, 8, 4, ASKED))
    missed = {p.name for p in WITNESSES}
    never = set(range(len(stepper.instance.actions)))
    for seed in (1, 2, 3, 4):
        walker = Walker(stepper, seed, 400)
        for _ in range(5000):
            assert walker.walk() is None
        missed -= {name for name, walks in walker.reached.items() if walks}
        never -= {index for index, times in enumerate(walker.fired) if times}
        assert walker.reached["runs-with-missing-pages"] > 500
        if not missed:
            break
    assert missed == set()
    assert {stepper.instance.actions[index].name for index in never} == {"source.sends_rest_of_host_page"}


def test_a_walk_that_the_model_does_not_know_is_found_out() -> None:
    class Wrong(Stepper):
        """Takes one action for another."""

        def moves(self, state: Words) -> list[Move]:
            names = [action.name for action in self.instance.actions]
            right, wrong = names.index("source.pings"), names.index("source.advises")
            return [m._replace(action=wrong) if m.action == right else m for m in super().moves(state)]

    stepper = Wrong(Instance(FAULTS["cpus-run-on"], 2, 1, ASKED))
    walker = Walker(stepper, 1, 400)
    found = next(found for found in iter(walker.walk, 0) if found)
    with pytest.raises(TraceError, match=r"source.advises does not lead to state \d+: the kernel and"):
        retrace(stepper, found)


@pytest.mark.parametrize("many", [0, 10, 1000, 100_000])
def test_a_census_is_right_within_a_few_percent(many: int) -> None:
    census = Census()
    for thing in range(many):
        census.add((thing, thing >> 3))
        census.add((thing, thing >> 3))
    assert abs(len(census) - many) <= 0.05 * many


def test_the_census_of_all_states_is_what_a_search_stores() -> None:
    exploration = Exploration(Instance(Postcopy, 2, 1, ASKED), Options(engine=Engine.INTERPRETED))
    exploration.run()
    census = Census()
    for state in exploration.stored():
        census.add(state)
    assert abs(len(census) - exploration.findings.states) <= 0.05 * exploration.findings.states


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (lambda: WalkPlan(-1), "seed=-1: a whole number from 0 on"),
        (lambda: WalkPlan(1, depth=0), "depth=0: a whole number from 1 on"),
        (lambda: WalkPlan(1, walks=0), "walks=0: a whole number from 1 on"),
        (lambda: WalkPlan(1, walks=-5), "walks=-5"),
        (lambda: WalkPlan(1, seconds=0), "seconds=0: a time greater than 0"),
        (lambda: WalkPlan(1, seconds=float("nan")), "seconds=nan"),
        (lambda: WalkPlan(1, seconds=float("inf")), "seconds=inf"),
        (lambda: WalkPlan(1, walks=1, seconds=1), "walks or seconds, not both"),
    ],
)
def test_plans_that_make_no_sense_are_refused(plan: Callable[[], WalkPlan], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan()
    assert says in str(refused.value)


def test_walking_for_a_time_ends_when_it_is_over_and_makes_the_same_walks() -> None:
    instance = Instance(Postcopy, 2, 1, (BY_NAME["no-two-guests"],))
    timed = Simulation(instance, WalkPlan(4, seconds=0.3))
    timed.run()
    found = timed.found()
    assert found.finding is Finding.NOTHING
    assert 0.3 <= found.seconds < 3
    counted = Simulation(instance, WalkPlan(4, walks=found.walks))
    counted.run()
    again = counted.found()
    assert (again.steps, again.deepest, again.distinct, again.fired) == (
        found.steps, found.deepest, found.distinct, found.fired,
    )  # fmt: skip


def test_what_is_about_runs_without_end_is_not_for_walks() -> None:
    with pytest.raises(UsageError, match="is about runs without end: a walk has one; check\\(\\) decides it"):
        Simulation(Instance(Postcopy, 1, 1, LIVENESS), WalkPlan(1))


def test_a_simulation_that_was_not_run_says_so() -> None:
    found = Simulation(Instance(Postcopy, 1, 1, ASKED), WalkPlan(1)).found()
    assert (found.finding, found.walks) == (Finding.INTERRUPTED, 0)
