"""That a migration ends, for every size: each step after the handover uses something up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postcopy.language import Protocol
from postcopy.language.ranking import Component, Measure, Ranking
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.ranking import RANKING, ranking_with
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import CLOSER
from postcopy.prover.proving import Prover
from postcopy.prover.solving import Status


def goes_on(protocol: type[Protocol], ranking: Ranking = RANKING) -> set[str]:
    """The actions that are not proved to bring the end closer."""
    prover = Prover(protocol, SAFETY, INVARIANT, ranking, patient=False)
    found = prover.obligations(lambda conjunct, _: conjunct == CLOSER)
    return {o.action for o in found if o.status is not Status.PROVED}


def test_every_step_comes_closer() -> None:
    assert goes_on(Postcopy) == set()


@pytest.mark.slow_but("endless-scan-actions2")
@pytest.mark.parametrize(
    ("fault", "actions"),
    [
        ("keep-alive-first", {"source.pings_in_postcopy"}),
        ("rate-limit-in-postcopy", {"source.sleeps_for_the_limit", "source.wakes_after_the_limit"}),
        ("endless-scan", {"source.scans_on"}),
        ("send-leaves-dirty", {"source.sends_background_page"}),
        ("resync-in-postcopy", {"source.synchronises_bitmap"}),
    ],
)
def test_what_can_go_on_for_ever_is_found(fault: str, actions: set[str]) -> None:
    assert actions <= goes_on(FAULTS[fault])


@pytest.mark.slow_but("destination.faulted", "stream")
@pytest.mark.parametrize("name", [component.name for component in RANKING.components])
def test_each_component_is_needed(name: str) -> None:
    others = tuple(c for c in RANKING.components if c.name != name)
    assert goes_on(Postcopy, replace(RANKING, components=others))


def test_a_change_adds_to_the_ranking_where_it_says() -> None:
    own = Component("fast", Measure.DRAINS, "what was sent there is read")
    names = [component.name for component in RANKING.components]
    added = [c.name for c in ranking_with(own, before="stream").components]
    assert added == [*names[: names.index("stream")], "fast", *names[names.index("stream") :]]
    assert ranking_with(own).components == (*RANKING.components, own)
    with pytest.raises(ValueError, match="stram"):
        ranking_with(own, before="stram")


def test_without_the_history_that_says_where_it_applies_nothing_is_claimed() -> None:
    without = [p for p in SAFETY if p.monitor is not RANKING.monitor]
    names = {
        o.conjunct for o in Prover(Postcopy, without, (), RANKING, patient=False).obligations(lambda c, _: c == CLOSER)
    }
    assert not names
