"""Real bugs put back into QEMU 11.1: each is found by a stock property, and with its mend the property holds."""

from __future__ import annotations

import pytest

from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.history_in_qemu import BEFORE, PUT_BACK, PutBack, why_not
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import asked_of, choose
from postcopy.catalogue.tables import BY_NAME
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Outcome, Verdict
from postcopy.language.instance import Instance
from postcopy.model.qemu.mends import Qemu11Mended


def search(protocol: str, each: PutBack) -> Verdict:
    cls = resolve(protocol)[1]
    instance = Instance(cls, each.pages, each.in_flight, choose([each.broken], cls), cls.group)
    return explore(instance, Options(max_memory=4 << 30))


def name(each: PutBack) -> str:
    return each.commit


def test_every_bug_is_put_back_or_says_why_not() -> None:
    put_back = {each.bug for each in PUT_BACK}
    assert put_back <= set(HISTORY)
    assert all(why_not(bug) for bug in HISTORY if bug not in put_back)
    assert not any(why_not(bug) for bug in put_back)


def test_every_protocol_is_put_back_once() -> None:
    assert {each.protocol for each in PUT_BACK if each.protocol in BEFORE} == set(BEFORE)
    assert len({each.protocol for each in PUT_BACK}) == len(PUT_BACK)
    for given, protocol in BEFORE.items():
        assert BY_NAME[given] is protocol
        assert issubclass(protocol, Qemu11Mended)


@pytest.mark.parametrize("each", PUT_BACK, ids=name)
def test_a_bug_is_asked_for_a_stock_property(each: PutBack) -> None:
    for protocol in (each.protocol, "qemu-11-mended"):
        assert each.broken in {p.name for p in asked_of(resolve(protocol + each.terms)[1])}


@pytest.mark.slow
@pytest.mark.parametrize("each", PUT_BACK, ids=name)
def test_a_bug_that_is_put_back_is_found_in_a_shortest_run(each: PutBack) -> None:
    verdict = search(each.protocol + each.terms, each)
    if each.steps:
        assert verdict.counterexample is not None
        assert verdict.outcome is (Outcome.DEADLOCK if each.broken == "no-deadlock" else Outcome.VIOLATED)
        assert len(verdict.counterexample.steps) == each.steps
    else:
        assert verdict.outcome is Outcome.HOLDS
