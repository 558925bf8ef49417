"""Every change in `model/changes` has the verdict that it says it has, and says what it rests on."""

from __future__ import annotations

import pytest

from postcopy.explorer.explore import Options, Outcome, Verdict, explore
from postcopy.model.changes.catalogue import CHANGES
from postcopy.model.changes.change import Change
from postcopy.model.changes.preempt import requested_pages_do_not_queue
from postcopy.model.faults import FAULTS
from postcopy.model.history.catalogue import HISTORY
from postcopy.model.history.hypotheses import HYPOTHESES
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.catalogue import asked_of, choose, reasons

HOLDS = [name for name, change in CHANGES.items() if not change.breaks]
BREAKS = [name for name, change in CHANGES.items() if change.breaks]

STATES = {
    "ram-cache": 32253,
    "second-connection": 27173,
    "whole-bitmap-discard": 13901,
    "recovery": 34448,
    "release-ram-refuses-recovery": 18930,
    "preempt": 20925,
    "recovery-with-preempt": 40334,
    "multifd-before-the-switch": 41299,
    "hints-refused": 24092,
    "hinted-pages-filled": 35298,
    "kernel-looks-again": 22409,
    "page-tristate": 25034,
}
"""States explored of each change that holds, at 2 pages and 2 messages in flight: what `postcopy check --change`
prints."""

NEVER = {
    "release-ram-refuses-recovery": ["destination.accepts", "destination.says_what_arrived", "destination.resumes"],
}
"""What is never taken, for a reason: nobody resumes."""


def check(protocol: type[Postcopy], names: list[str] | None = None, in_flight: int = 2) -> Verdict:
    asked = choose(names or [], protocol)
    return explore(Instance(protocol, 2, in_flight, asked, protocol.group), Options())


@pytest.mark.parametrize("name", HOLDS)
def test_a_change_that_holds(name: str) -> None:
    verdict = check(CHANGES[name])
    assert verdict.outcome is Outcome.HOLDS
    assert [witness for witness, reached in verdict.witnesses.items() if not reached] == []
    assert verdict.never_fired == NEVER.get(name, [])
    assert verdict.states == STATES[name]


@pytest.mark.parametrize("name", BREAKS)
def test_a_change_that_breaks_a_property_breaks_the_first_that_it_names_first(name: str) -> None:
    verdict = check(CHANGES[name])
    assert verdict.violated is not None
    assert verdict.violated.name == CHANGES[name].breaks[0]


@pytest.mark.parametrize(
    ("name", "broken"), [(name, broken) for name, change in CHANGES.items() for broken in change.breaks[1:]]
)
def test_a_change_breaks_each_property_that_it_names(name: str, broken: str) -> None:
    verdict = check(CHANGES[name], [broken])
    assert verdict.violated is not None
    assert verdict.violated.name == broken


def test_what_a_switch_does_not_break_holds() -> None:
    """The table of the six switches: what is not named as broken is not broken, each property asked alone."""
    asked = ["loading-costs-no-guest", "switch-costs-no-guest", "no-way-back", "no-two-guests"]
    for name, change in CHANGES.items():
        if name.startswith("switch-"):
            for prop in asked:
                outcome = check(change, [prop], in_flight=1).outcome
                assert (outcome is Outcome.VIOLATED) == (prop in change.breaks), (name, prop)


def test_what_a_second_connection_gains() -> None:
    """In the document's protocol a requested page queues behind the rest; with a second connection it does not, cache
    or none."""
    alone = explore(Instance(Postcopy, 2, 2, [requested_pages_do_not_queue]), Options())
    assert alone.outcome is Outcome.VIOLATED
    assert {"ram-cache", "second-connection", "preempt"} <= set(HOLDS)
    assert all(
        requested_pages_do_not_queue in asked_of(CHANGES[name])
        for name in ("ram-cache", "second-connection", "preempt")
    )


@pytest.mark.parametrize("name", ["recovery", "preempt", "recovery-with-preempt", "whole-bitmap-discard"])
def test_host_pages_of_several_target_pages(name: str) -> None:
    change = CHANGES[name]
    verdict = explore(Instance(change, 2, 1, asked_of(change), 2), Options())
    assert verdict.outcome is Outcome.HOLDS


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_change_says_what_it_is_where_it_comes_from_and_why_a_property_is_not_asked(change: type[Change]) -> None:
    assert change.__doc__
    assert change.origin
    assert set(change.breaks) <= {p.name for p in asked_of(change)}
    assert all(len(reason) > 10 for reason in reasons(change).values())


def test_each_property_of_a_change_is_broken_by_something() -> None:
    own = {p.name for change in CHANGES.values() for p in change.properties if not p.is_witness}
    broken = {name for change in CHANGES.values() for name in change.breaks}
    broken |= {bug.breaks for bug in HISTORY.values()} | {h.asked for h in HYPOTHESES if h.reached}
    broken.add(requested_pages_do_not_queue.name)  # by the document's protocol
    assert own <= broken


def test_names_are_told_apart_from_those_of_faults() -> None:
    assert not set(CHANGES) & set(FAULTS)
