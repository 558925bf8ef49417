"""What walks find is shortened to runs that still break the property and need every step that they have."""

import json
from pathlib import Path

import pytest

from postcopy.catalogue.properties import BY_NAME
from postcopy.errors import TraceError
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.stepper import Stepper
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.simulation import shorten
from postcopy.explorer.simulation.shorten import Replay, breaks
from postcopy.explorer.simulation.simulate import Finding, Simulated, Simulation, WalkPlan, retrace
from postcopy.explorer.simulation.walk import Walker
from postcopy.language import Property
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.trace import Label, Trace
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES

STORED = Path(__file__).parents[2] / "counterexamples"
SEEDS, WALKS = (4, 2, 1), 6_000
ASKED = (*SAFETY, *WITNESSES)
BREAK_SAFETY = [name for name, fault in FAULTS.items() if not BY_NAME[fault.breaks[0]].of_runs]


def instance_of(name: str) -> Instance:
    fault = FAULTS[name]
    return Instance(fault, fault.pages, 2, ASKED, fault.group)


def simulated(name: str) -> Simulated:
    """What the first of a few seeds finds that finds anything."""
    for seed in SEEDS:
        walking = Simulation(instance_of(name), WalkPlan(seed, walks=WALKS))
        walking.run()
        if walking.found().violated:
            break
    return walking.found()


def as_found(name: str) -> tuple[Trace, Property]:
    """A run as a walk made it, and what it violates."""
    stepper = Stepper(instance_of(name))
    walker = Walker(stepper, SEEDS[0], 400)
    bug = next(bug for bug in iter(walker.walk, 0) if bug)
    return retrace(stepper, bug), bug.violated


def still_breaks(instance: Instance, trace: Trace, labels: list[Label], violated: Property) -> bool:
    """Whether these steps, without those that cannot be taken, violate the property after any of them."""
    actions = {action.name: action for action in instance.actions}
    run = Trace(instance, trace.initial, (), violated.name)
    for name, page in labels:
        step = take(instance, run.states[-1], actions[name], page)
        if step is not None:
            run = Trace(instance, run.initial, (*run.steps, step), violated.name)
            if breaks(run, violated):
                return True
    return False


def superfluous(trace: Trace, violated: Property) -> list[int]:
    """The steps without which the others still violate the property."""
    labels = trace.labels
    instance = trace.instance
    return [i for i in range(len(labels)) if still_breaks(instance, trace, labels[:i] + labels[i + 1 :], violated)]


def shortest(name: str, violated: Property) -> int:
    """Steps of a shortest run that violates the property, stored or searched for."""
    stored = json.loads((STORED / f"{name}.itf.json").read_text())
    if stored["#meta"]["postcopy"]["violated"] == violated.name:
        return len(stored["states"]) - 1
    fault = FAULTS[name]
    verdict = explore(Instance(fault, fault.pages, 2, (violated,), fault.group), Options(engine=Engine.INTERPRETED))
    assert verdict.counterexample is not None
    return len(verdict.counterexample.steps)


@pytest.mark.one_in(3)
@pytest.mark.slow_but("cpus-run-on", "ends-with-dirty-pages")
@pytest.mark.parametrize("name", BREAK_SAFETY)
def test_walks_find_what_every_fault_breaks_and_show_it_without_a_superfluous_step(name: str) -> None:
    found = simulated(name)
    assert found.violated is not None
    assert found.finding is (Finding.DEADLOCK if found.violated.name == "no-deadlock" else Finding.VIOLATED)
    run = found.counterexample
    assert run is not None
    assert found.found_in is not None
    assert breaks(run, found.violated)
    assert superfluous(run, found.violated) == []
    assert shortest(name, found.violated) <= len(run.steps) <= found.found_in


def test_each_run_on_the_way_is_shorter_than_the_one_before() -> None:
    run, violated = as_found("cancel-after-switch")
    lengths = [len(shorter.steps) for shorter in shorten.shorten(run, violated)]
    assert lengths == sorted(set(lengths), reverse=True)
    assert lengths[0] <= len(run.steps)
    assert len(lengths) > 1


def test_a_walk_as_it_was_found_has_superfluous_steps() -> None:
    assert superfluous(*as_found("cancel-after-switch")) != []


def test_a_shortener_that_loses_the_violation_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    run, violated = as_found("cancel-after-switch")
    honest = Replay.breaking

    def careless(self: Replay, labels: list[Label]) -> list[Label] | None:
        return (honest(self, labels) or labels)[:-1]

    monkeypatch.setattr(Replay, "breaking", careless)
    with pytest.raises(TraceError, match="no longer violates"):
        list(shorten.shorten(run, violated))


def test_a_shortener_that_stops_too_early_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    run, violated = as_found("cancel-after-switch")
    monkeypatch.setattr(shorten, "_leave_out", lambda replay, labels: iter(()))
    monkeypatch.setattr(shorten, "_nearer_end", lambda *_: None)
    *_, last = shorten.shorten(run, violated)
    assert superfluous(last, violated) != []


def test_a_run_that_violates_nothing_is_not_shortened() -> None:
    run, _ = as_found("cancel-after-switch")
    with pytest.raises(TraceError, match="does not violate no-write-overwritten"):
        next(shorten.shorten(run, BY_NAME["no-write-overwritten"]))


def test_a_property_that_is_false_at_the_start_needs_no_steps() -> None:
    from postcopy.language import always

    @always("The guest never runs at the source")
    def never_runs(state: object) -> bool:
        """It does."""
        return not state.source.running  # type: ignore[attr-defined]

    walking = Simulation(Instance(Postcopy, 4, 2, (never_runs,)), WalkPlan(1))
    walking.run()
    found = walking.found()
    assert found.violated is never_runs
    assert found.counterexample is not None
    assert found.counterexample.steps == ()
