"""What each property says along a run: of states, of steps, witnesses and deadlock, with the pages that offend."""

from __future__ import annotations

from pathlib import Path

from postcopy.catalogue.properties import with_everything
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language import NO_DEADLOCK, View, sometimes
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace, follow
from postcopy.report.pages.stepping import Stepping
from postcopy.report.story.asked import Count, Saying, asked_along, violated_along
from postcopy.report.story.contradiction import judge
from postcopy.report.story.itf import read_itf
from tests.report.examples import Handover, NothingReceived, Phase, old_letter
from tests.report.test_stepping import page, words

STORED = Path(__file__).parents[2] / "counterexamples"


@sometimes("A page is on its way or here")
def under_way(state: View) -> bool:
    """It was sent."""
    return bool(state.source.phase == Phase.SENDING)


def sayings(trace: Trace) -> dict[str, tuple[Saying, ...]]:
    return {each.prop.name: each.sayings for each in asked_along(trace)}


def test_a_property_of_states_holds_until_a_state_breaks_it_and_names_pages() -> None:
    assert sayings(old_letter())["no-outdated"] == (Saying(0, 4, "holds", ""), Saying(4, 6, "violated", "page 0"))


def test_a_property_of_steps_is_asked_of_each_step_alone() -> None:
    assert sayings(old_letter())["no-old-letter"] == (
        Saying(0, 1, "not asked", ""),
        Saying(1, 5, "holds", ""),
        Saying(5, 6, "violated", ""),
    )


def test_a_witness_is_reached_here_or_was_before() -> None:
    instance = Instance(Handover, 1, 1, (under_way,))
    steps = [("source.starts", None), ("source.sends", 0), ("source.finishes", None)]
    found = sayings(follow(instance, instance.initial_states()[0], steps, None))
    assert found["under-way"] == (
        Saying(0, 1, "not reached", ""),
        Saying(1, 3, "reached", ""),
        Saying(3, 4, "reached before", ""),
    )


def test_a_deadlock_is_one_of_them_and_counted() -> None:
    instance = Instance(NothingReceived, 1, 1, (NO_DEADLOCK,))
    steps = [("source.starts", None), ("source.sends", 0), ("source.finishes", None)]
    trace = follow(instance, instance.initial_states()[0], steps, None)
    asked = asked_along(trace)
    assert asked[0].sayings == (Saying(0, 3, "holds", ""), Saying(3, 4, "violated", ""))
    assert violated_along(asked, 3) == (Count(0, 3, ()), Count(3, 4, ("no-deadlock",)))


def test_along_a_stored_run_each_answer_is_that_of_the_story() -> None:
    run = read_itf(STORED / "no-discards.itf.json", with_everything, fingerprint)
    for number in range(len(run.steps) + 1):
        beginning = Trace(run.instance, run.initial, run.steps[:number], None)
        for each in asked_along(run):
            if each.prop.is_witness or (each.prop.of_steps and not number):
                continue
            (now,) = (it for it in each.sayings if it.since <= number < it.until)
            assert (now.says == "violated") is not judge(beginning, each.prop).holds, (number, each.prop.name)


def test_the_page_has_each_property_beside_each_step() -> None:
    run = read_itf(STORED / "no-discards.itf.json", with_everything, fingerprint)
    stepping = Stepping("no-discards", run.instance)
    text = page(stepping, stepping.address(run))
    panel = text.split('<details class="asked-here">')[1].split("</details>")[0]
    for prop in run.instance.properties:
        assert (f"<code>{prop.name}</code>" in panel) is not prop.of_runs
    assert "✗ 1 violated" in panel
    assert 'class="saying violated" data-from="17" data-until="18"' in panel
    assert "Not asked of a beginning: what must happen in the end" in words(text)
