"""Every real bug violates what it violated then and its mended form does not; suspicions have the answers they say."""

from __future__ import annotations

import re
from functools import cache

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY, PROTOCOLS
from postcopy.catalogue.properties import asked_of, choose
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import Protocol
from postcopy.language.instance import Instance
from postcopy.model.fault import name_of
from postcopy.model.history.bug import Bug
from postcopy.model.history.hypotheses import HYPOTHESES, Hypothesis
from postcopy.model.postcopy import Postcopy
from postcopy.report.gallery import EXHIBITS

OF_THEIR_OWN = [
    p
    for p in PROTOCOLS.values()
    if p in [bug.mended for bug in HISTORY.values()] and p not in (Postcopy, *CHANGES.values())
]
"""Mended protocols that no other test checks with all their properties."""


WHOLE = [Postcopy, *OF_THEIR_OWN, *(change for change in CHANGES.values() if not change.breaks)]
"""Protocols of which a test says that they hold as a whole, with host pages of one target page."""


@cache
def _check(name: str, names: tuple[str, ...], group: int) -> Verdict:
    asked = choose(list(names), PROTOCOLS[name])
    return explore(Instance(PROTOCOLS[name], 2, 2, asked, group), Options(engine=Engine.INTERPRETED))


def check(protocol: type[Protocol], names: tuple[str, ...], group: int) -> Verdict:
    return _check(name_of(protocol), names, group)


@pytest.mark.parametrize("name", HISTORY)
def test_the_bug_is_among_the_stored_counterexamples(name: str) -> None:
    """Where it is found again by the test that they are current."""
    assert name in EXHIBITS


@pytest.mark.parametrize("name", [n for n in HISTORY if EXHIBITS[n].violates != HISTORY[n].breaks])
def test_the_bug_violates_what_it_violated_then(name: str) -> None:
    """Where the stored counterexample shows another property first."""
    bug = HISTORY[name]
    assert check(bug.faulty, (bug.breaks,), bug.faulty.group).violated is choose([bug.breaks], bug.faulty)[0]


@pytest.mark.parametrize("bug", HISTORY.values(), ids=list(HISTORY))
def test_the_mended_protocol_is_asked_for_it(bug: Bug) -> None:
    """Where it holds as a whole, which another test says, this is all there is to say."""
    assert bug.breaks in [p.name for p in asked_of(bug.mended)]


@pytest.mark.slow_but("partial-host-pages")
@pytest.mark.parametrize("name", [n for n, b in HISTORY.items() if b.faulty.group > 1 or b.mended not in WHOLE])
def test_the_mended_protocol_keeps_it(name: str) -> None:
    bug = HISTORY[name]
    assert check(bug.mended, (bug.breaks,), bug.faulty.group).outcome is Outcome.HOLDS


@pytest.mark.slow_but("DeltasInPrecopy")
@pytest.mark.parametrize("protocol", OF_THEIR_OWN, ids=[p.__name__ for p in OF_THEIR_OWN])
def test_what_is_mended_keeps_everything_else_too(protocol: type[Protocol]) -> None:
    verdict = explore(Instance(protocol, 2, 2, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.HOLDS
    assert all(verdict.witnesses.values())


@pytest.mark.slow_but("D1-no-two-guests-True", "D2-no-two-guests-True", "D4-states-forward-True")
@pytest.mark.parametrize("hypothesis", HYPOTHESES, ids=lambda h: f"{h.number}-{h.asked}-{h.reached}")
def test_a_suspicion(hypothesis: Hypothesis) -> None:
    verdict = check(hypothesis.protocol, (hypothesis.asked,), hypothesis.protocol.group)
    assert verdict.outcome is (Outcome.VIOLATED if hypothesis.reached else Outcome.HOLDS)


def test_adding_to_the_old_bitmap_makes_no_difference() -> None:
    asked = ("no-page-sent-in-vain",)
    states = [check(PROTOCOLS[name], asked, 1).states for name in ("adds-what-is-missing", "recovery")]
    assert states[0] == states[1]


def test_at_least_twenty_entries_each_with_a_commit() -> None:
    assert len({bug.entry for bug in HISTORY.values()}) >= 20
    assert all(re.fullmatch(r"[0-9a-f]{9,12}|(PR|issue) \d+|", bug.commit) for bug in HISTORY.values())
    assert all(re.fullmatch(r"[AB]\d\d", bug.entry) for bug in HISTORY.values())
    assert all(bug.faulty.__doc__ and bug.mended.__doc__ for bug in HISTORY.values())


def test_names_are_unique() -> None:
    protocols = {p for bug in HISTORY.values() for p in (bug.faulty, bug.mended)} | {h.protocol for h in HYPOTHESES}
    assert len(PROTOCOLS) == len(protocols)
