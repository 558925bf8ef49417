"""Every change in `model/changes` has the verdict that it says it has, and says what it rests on."""

from __future__ import annotations

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.properties import asked_of, choose, reasons
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language.instance import Instance
from postcopy.model.changes.change import Change
from postcopy.model.changes.preempt import requested_pages_do_not_queue
from postcopy.model.changes.recovery import Recovery
from postcopy.model.faults import FAULTS
from postcopy.model.history.hypotheses import HYPOTHESES
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS
from postcopy.report.gallery import EXHIBITS

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


def check(protocol: type[Postcopy], names: list[str] | None = None, in_flight: int = 2, group: int = 0) -> Verdict:
    asked = choose(names or [], protocol)
    instance = Instance(protocol, 2, in_flight, asked, group or protocol.group)
    return explore(instance, Options(engine=Engine.INTERPRETED))


@pytest.mark.slow_but("whole-bitmap-discard")
@pytest.mark.parametrize("name", HOLDS)
def test_a_change_that_holds(name: str) -> None:
    verdict = check(CHANGES[name])
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.liveness is not None
    promised = [name for name, finding in verdict.liveness.findings.items() if finding.open]
    assert promised == [p.name for p in asked_of(CHANGES[name]) if p.of_runs]
    assert [witness for witness, reached in verdict.witnesses.items() if not reached] == []
    assert verdict.never_fired == NEVER.get(name, [])
    assert verdict.states == STATES[name]


def test_recovery_holds_where_discards_package_and_page_are_on_their_way_at_once() -> None:
    """A page may be sent behind the package while the destination has a copy of it that is to be discarded."""
    asked = [p for p in asked_of(Recovery) if not p.of_runs]
    verdict = explore(Instance(Recovery, 1, 3, asked), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.HOLDS


@pytest.mark.parametrize("name", BREAKS)
def test_what_a_change_that_does_not_hold_breaks_first_is_stored(name: str) -> None:
    """Where it is found again by the test that the counterexamples are current."""
    assert EXHIBITS[name].violates == CHANGES[name].breaks[0]


@pytest.mark.slow_but(
    "release-ram-with-recovery-no-stale-read",
    "switch-after-pong-no-way-back",
    "multifd-not-flushed-no-stale-device-read",
)
@pytest.mark.parametrize(
    ("name", "broken"), [(name, broken) for name, change in CHANGES.items() for broken in change.breaks[1:]]
)
def test_a_change_breaks_each_property_that_it_names(name: str, broken: str) -> None:
    verdict = check(CHANGES[name], [broken])
    assert verdict.violated is not None
    assert verdict.violated.name == broken


@pytest.mark.slow_but("switch-at-package")
@pytest.mark.parametrize("name", [name for name in CHANGES if name.startswith("switch-")])
def test_what_a_switch_does_not_break_holds(name: str) -> None:
    """The table of the six switches: what it breaks is tested above."""
    asked = ["loading-costs-no-guest", "switch-costs-no-guest", "no-way-back", "no-two-guests"]
    kept = [prop for prop in asked if prop not in CHANGES[name].breaks]
    assert check(CHANGES[name], kept, in_flight=1).outcome is Outcome.HOLDS


def test_what_a_second_connection_gains() -> None:
    """In the document's protocol a requested page queues behind the rest; with a second connection it does not, cache
    or none."""
    instance = Instance(Postcopy, 2, 2, [requested_pages_do_not_queue])
    alone = explore(instance, Options(engine=Engine.INTERPRETED))
    assert alone.outcome is Outcome.VIOLATED
    assert {"ram-cache", "second-connection", "preempt"} <= set(HOLDS)
    assert all(
        requested_pages_do_not_queue in asked_of(CHANGES[name])
        for name in ("ram-cache", "second-connection", "preempt")
    )


@pytest.mark.slow_but("whole-bitmap-discard")
@pytest.mark.parametrize(
    "name", ["recovery", "preempt", "recovery-with-preempt", "whole-bitmap-discard", "hinted-pages-filled"]
)
def test_host_pages_of_several_target_pages(name: str) -> None:
    assert check(CHANGES[name], in_flight=1, group=2).outcome is Outcome.HOLDS


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_change_says_what_it_is_where_it_comes_from_and_why_a_property_is_not_asked(change: type[Change]) -> None:
    assert change.__doc__
    assert change.origin
    assert set(change.breaks) <= {p.name for p in asked_of(change)}
    assert all(len(reason) > 10 for reason in reasons(change).values())


def test_each_property_of_a_change_is_broken_by_something() -> None:
    own = {p.name for change in CHANGES.values() for p in change.properties if not p.is_witness}
    broken = {name for change in CHANGES.values() for name in change.breaks}
    broken |= {"ends-or-waits-for-operators", "vcpus-run-again-after-a-break"}  # by commands in docs/changes.md
    broken |= {bug.breaks for bug in HISTORY.values()} | {h.asked for h in HYPOTHESES if h.reached}
    broken.add(requested_pages_do_not_queue.name)  # by the document's protocol
    assert own <= broken


def test_what_must_happen_in_the_end_is_asked_of_every_change_but_for_the_end_of_one_that_waits_for_operators() -> None:
    excused = {name: {p.name for p in LIVENESS} & set(reasons(change)) for name, change in CHANGES.items()}
    assert {name: names for name, names in excused.items() if names} == {
        name: {"the-migration-ends"} for name, change in CHANGES.items() if issubclass(change, Recovery)
    }


def test_names_are_told_apart_from_those_of_faults() -> None:
    assert not set(CHANGES) & set(FAULTS)
