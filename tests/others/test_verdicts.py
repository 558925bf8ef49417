"""Postcopy of other projects: what holds of it, what does not, and which properties are asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.catalogue.history import PROTOCOLS
from postcopy.catalogue.loading import load
from postcopy.catalogue.others import BUGS_OF_OTHERS, NOT_ASKED, OTHERS
from postcopy.catalogue.properties import DEFAULT, asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance
from postcopy.model.fault import name_of
from postcopy.model.history.bug import Bug
from postcopy.model.others.criu import CriuLazyPagesMended
from postcopy.model.others.criu_bugs import CriuLazyPages
from postcopy.model.postcopy import Postcopy
from postcopy.report.gallery import EXHIBITS, stored_steps

ROOT = Path(__file__).parents[2]

STATES = {
    "cloud-hypervisor-mended": 5640,
    "moves-on-when-complete": 5668,
    "resumes-with-lock": 5805,
    "shared-memory": 33288,
    "criu-lazy-pages-mended": 1043,
    "removes-memory": 15599,
    "forks-while-pages-come": 32181,
}
"""States explored of each protocol that holds, at 2 pages and 2 messages in flight."""

STEPS = {
    "wakes-huge-page": 12,
    "requests-mapped-page": 16,
    "asks-again": 12,
    "wakes-in-vain": 9,
    "resumes-after-complete": 9,
    "moves-on-too-early": 11,
    "copies-to-removed-memory": 10,
    "keeps-rest-queued": 8,
    "ends-with-the-parent": 12,
    "queues-for-the-parent": 10,
    "punches-after-the-first": 11,
    "skips-pages": 15,
    "resumes-without-lock": 9,
    "takes-end-for-drained": 11,
    "closes-before-exit": 10,
    "abandons-pulling": 9,
    "thaws-after-restore": 7,
    "takes-end-for-success": 5,
    "leaves-processes-running": 8,
    "takes-full-socket-for-error": 9,
    "cloud-hypervisor": 8,
    "criu-lazy-pages": 5,
}
"""Steps of the shortest story of each defect; a test of the stored counterexamples tells it again."""


def check(protocol: type[Protocol], asked: tuple[Property, ...], engine: Engine = Engine.INTERPRETED) -> Verdict:
    return explore(Instance(protocol, 2, 2, asked, protocol.group), Options(engine=engine))


def violated(protocol: type[Protocol]) -> set[str]:
    """The properties that are violated, each asked alone."""
    return {p.name for p in asked_of(protocol) if not p.is_witness and check(protocol, (p,)).violated is not None}


@pytest.mark.unmeasured
@pytest.mark.slow_but("cloud-hypervisor-mended", "criu-lazy-pages-mended")
@pytest.mark.parametrize("name", STATES)
def test_what_is_mended_holds(name: str) -> None:
    protocol = load(name)[1]
    verdict = check(protocol, asked_of(protocol))
    assert verdict.outcome is Outcome.HOLDS
    assert [witness for witness, reached in verdict.witnesses.items() if not reached] == []
    assert verdict.never_fired == []
    assert verdict.states == STATES[name]
    assert verdict.liveness is not None
    assert all(finding.open for finding in verdict.liveness.findings.values())


def test_every_mended_protocol_is_among_them() -> None:
    assert set(STATES) == {name_of(bug.mended) for bug in BUGS_OF_OTHERS}
    assert {name for name, protocol in OTHERS.items() if not protocol.breaks} <= set(STATES)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, protocol in OTHERS.items() if protocol.breaks])
def test_what_was_read_breaks_what_it_says_and_nothing_else(name: str) -> None:
    assert violated(OTHERS[name]) == set(OTHERS[name].breaks)
    assert EXHIBITS[name].violates == OTHERS[name].breaks[0]


@pytest.mark.parametrize("name", STEPS)
def test_a_story_has_so_many_steps(name: str) -> None:
    assert stored_steps(ROOT / "counterexamples", name) == str(STEPS[name])


def test_every_defect_has_a_story() -> None:
    assert list(STEPS) == [
        *(name_of(bug.faulty) for bug in BUGS_OF_OTHERS),
        *(name for name, protocol in OTHERS.items() if protocol.breaks),
    ]


@pytest.mark.parametrize("bug", BUGS_OF_OTHERS, ids=[name_of(bug.faulty) for bug in BUGS_OF_OTHERS])
def test_a_defect_is_found_by_a_property_of_the_catalogue(bug: Bug) -> None:
    assert bug.breaks in {p.name for p in DEFAULT}
    verdict = check(bug.faulty, tuple(p for p in asked_of(bug.faulty) if p.name == bug.breaks))
    assert verdict.violated is not None
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == STEPS[name_of(bug.faulty)]


@pytest.mark.parametrize("name", NOT_ASKED)
def test_every_property_of_the_document_is_asked_or_has_a_reason(name: str) -> None:
    asked = {p.name for p in asked_of(OTHERS[name])}
    assert asked.isdisjoint(NOT_ASKED[name])
    assert {p.name for p in DEFAULT if not p.is_witness} - asked == set(NOT_ASKED[name])
    assert not [reason for reason in NOT_ASKED[name].values() if not reason]


def test_they_are_no_changes_of_the_document() -> None:
    found = {*OTHERS.values(), *(p for bug in BUGS_OF_OTHERS for p in (bug.faulty, bug.mended))}
    assert not [protocol for protocol in found if issubclass(protocol, Postcopy)]
    assert {name_of(p) for p in found} == {n for n in (*OTHERS, *PROTOCOLS) if load(n)[1] in found}


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", OTHERS)
def test_the_compiled_search_says_the_same(name: str) -> None:
    protocol = OTHERS[name]
    states = tuple(p for p in asked_of(protocol) if not p.of_runs)
    interpreted, compiled = (check(protocol, states, engine) for engine in (Engine.INTERPRETED, Engine.COMPILED))
    assert (interpreted.outcome, interpreted.violated) == (compiled.outcome, compiled.violated)
    assert protocol.breaks or interpreted.states == compiled.states


def test_the_page_names_the_commits_that_were_read() -> None:
    page = (ROOT / "docs/others.md").read_text(encoding="utf-8")
    for protocol in OTHERS.values():
        assert re.findall(r"[0-9a-f]{9}", protocol.origin)[0] in page


@pytest.mark.unmeasured
@pytest.mark.parametrize("conjunct", CriuLazyPagesMended.invariant, ids=lambda prop: prop.name)
def test_a_conjunct_is_true_of_every_reachable_state(conjunct: Property) -> None:
    assert check(CriuLazyPagesMended, (conjunct,)).outcome is Outcome.HOLDS


@pytest.mark.unmeasured
def test_a_defect_violates_conjuncts() -> None:
    """They say something."""
    broken = [c.name for c in CriuLazyPages.invariant if check(CriuLazyPages, (c,)).violated is not None]
    assert {"state-says-all", "broken-for-a-reason"} <= set(broken)
