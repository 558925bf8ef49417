"""What a small terminal shows of a violation: the last lines are those that matter."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import asked_of
from postcopy.explorer.enumerate import further
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Verdict
from postcopy.explorer.simulation.simulate import Simulation, WalkPlan
from postcopy.language.instance import Instance
from postcopy.report.story.tell import tell
from postcopy.report.terminal.check import print_check
from postcopy.report.terminal.simulation import print_simulation
from tests.cli.conftest import Run

WIDTH, HEIGHT = 80, 24
FAULTS = ("no-discards", "request-served-again", "listen-waits-for-main", "keep-alive-first")


def verdict_of(fault: str) -> Verdict:
    protocol = load(fault=fault)[1]
    return explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))


def shown(verdict: Verdict, *more: Verdict, every_property: bool = False) -> list[str]:
    """The lines that a terminal of 24 lines of 80 columns shows, the last for the next prompt."""
    text = StringIO()
    console = Console(file=text, width=WIDTH, height=HEIGHT, force_terminal=True, color_system=None, highlight=False)
    print_check(verdict, more, "the protocol", ("no-page-lost",), console, every_property=every_property)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= WIDTH
    return lines[-(HEIGHT - 1) :]


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", FAULTS)
def test_the_screen_has_the_sentence_the_reason_and_the_last_steps(fault: str) -> None:
    verdict = verdict_of(fault)
    assert verdict.counterexample is not None
    story = tell(verdict.counterexample)
    screen = " ".join(" ".join(shown(verdict)).split())
    assert story.contradiction is not None
    assert f"Violated: {story.contradiction.sentence}" in screen
    assert " ".join(story.contradiction.because.split()) in screen
    assert story.steps[-1].what.split(", page")[0] in screen


def test_what_is_asked_for_is_all_there() -> None:
    verdict = verdict_of("no-discards")
    folded = shown(verdict, every_property=True)
    assert folded == shown(verdict), "the properties stand before the story, so the screen is the same"


@pytest.mark.unmeasured
def test_properties_are_counted_beside_a_violation_and_listed_on_request(run: Run) -> None:
    small = ("check", "--fault", "no-discards", "--pages", "1", "--in-flight", "1")
    counted, listed = run(*small), run(*small, "--verbose")
    assert "properties: 1 violated," in counted.out
    assert "(--verbose lists them)" in counted.out
    assert "Must hold" not in counted.out
    assert "Must hold" in listed.out
    assert "  ✗ The device load reads no stale page" in listed.out
    assert run(*small, "--json").out.count('"answer"') > 40


def test_of_several_counterexamples_each_is_followed_by_its_sentence() -> None:
    first = verdict_of("no-discards")
    more = further(first, Options(engine=Engine.INTERPRETED), 2)
    screen = " ".join(" ".join(shown(first, *more)).split())
    assert more[0].violated is not None
    assert f"without the properties violated before: violated: {more[0].violated.sentence}" in screen


@pytest.mark.unmeasured
def test_walks_show_what_they_found_last() -> None:
    protocol = load(fault="cancel-after-switch")[1]
    asked = [p for p in asked_of(protocol) if not p.of_runs]
    walking = Simulation(Instance(protocol, 2, 1, asked), WalkPlan(seed=1))
    walking.run()
    text = StringIO()
    console = Console(file=text, width=WIDTH, height=HEIGHT, force_terminal=True, color_system=None, highlight=False)
    print_simulation(walking.found(), "cancel-after-switch", console)
    screen = " ".join(" ".join(text.getvalue().splitlines()[-(HEIGHT - 1) :]).split())
    assert "Violated: Never do two guests run" in screen
    assert "violated: Never do two guests run (no-two-guests), shown by a run of" in screen
