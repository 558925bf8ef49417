"""Faults of the world at every message boundary of runs with recovery and a connection for urgent pages.

Both connections count as broken together, whichever breaks, and both are made anew. Faults strike a migration whose
connections have not been broken before, from the package on; and one where both broke, with an urgent page and the end
of the stream lost, at each message of the second pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.log import Thread
from postcopy.engine.messages import AskBitmap, Eof, ReceivedBitmap, Request, Resume, ResumeAck, Shut
from postcopy.engine.source import SourceCore
from postcopy.engine.source_host import SourceHost
from tests.conformance.mutants_with_both import KeepsTheOldConnection, TakesUrgentPagesForArrived
from tests.engine.here import Hosts, Place, Run
from tests.engine.test_boundaries import FAULTS, PACKAGE, REPLIES, Fault, cut, mute
from tests.engine.test_boundaries_in_recovery import judge, strikes
from tests.engine.test_boundaries_with_preempt import STREAM, cut_urgent

RUNS = PACKAGE + 1
"""After so many messages of the stream the guest runs, and one page is missing."""
LOST = 2
"""The number of the urgent page that is lost."""
AGAIN = 9
"""Messages of the stream on its second connection: question, RESUME, and the end once more."""
BOTH = (*FAULTS, cut_urgent)
FROM_THE_PACKAGE: list[Place] = [
    *(("stream", n) for n in range(PACKAGE - 1, STREAM + 1)),
    *(("replies", n) for n in range(1, REPLIES + 1)),
    *(("urgent", n) for n in range(2)),
]
SECOND_PAIR: list[Place] = [
    ("calls", 2),
    *(("stream", STREAM - 1 + n) for n in range(1, AGAIN + 1)),
    *(("replies", REPLIES + n) for n in range(1, 5)),
    ("urgent", LOST + 1),
]


def touches(hosts: Hosts) -> None:
    """A vCPU waits for the page that is missing; the source has begun to send it as urgent."""
    hosts.touch_missing()
    hosts._wait_for(lambda: len(hosts.run_.urgent) >= LOST)


def loses_an_urgent_page(hosts: Hosts) -> None:
    """What the source sends from now on is lost, on both connections. The destination sees both end."""
    hosts.lose_patience(0, 0.5)
    for line in (2, 0):
        mute(hosts, line)


def once(place: Place, fault: Fault, **how: Any) -> Run:
    side = 1 if place[0] == "replies" else 0
    return Hosts(recovery=True, preempt=True, **how).run(place, strikes(fault, side))


def twice(place: Place | None, fault: Fault, **how: Any) -> Run:
    side = 1 if place is not None and place[0] == "replies" else 0
    more: dict[str, Callable[[Hosts], None]] = {f"stream_{RUNS}": touches, f"losing_{LOST}": loses_an_urgent_page}
    return Hosts(recovery=True, preempt=True, **how).run(place, strikes(fault, side), **more)


def test_the_run_with_one_break() -> None:
    run = twice(None, cut)
    judge(run, cut)
    assert (run.where, run.damage, run.outcomes) == (["destination"], [], ("completed", "completed"))
    assert [type(reply) for reply in run.replies[2:]] == [Request, ReceivedBitmap, ResumeAck, Request, Shut]
    assert run.replies[2] == run.replies[5], "the page that the vCPU waits for is asked for again"
    assert run.urgent[LOST - 1] == run.urgent[LOST], "and goes out as urgent again"
    assert len(run.urgent) == LOST + 1
    assert len(run.stream) == STREAM - 1 + AGAIN
    second = run.stream[-AGAIN:]
    assert [type(message) for message in second[:2]] == [AskBitmap, Resume]
    assert isinstance(second[-1], Eof)
    assert run.conformance
    assert run.conformance.over
    assert run.conformance.fired["source.receives_resume_ack"] == 1
    assert run.conformance.fired["destination.places_urgent_page"] == 2


@pytest.mark.one_in(3)
@pytest.mark.slow_but("cut-stream-21", "cut-urgent-1", "mute-replies-2")
@pytest.mark.parametrize("place", FROM_THE_PACKAGE, ids=lambda place: f"{place[0]}-{place[1]}")
@pytest.mark.parametrize("fault", BOTH, ids=lambda fault: fault.__name__)
def test_a_fault_at_every_boundary(fault: Fault, place: Place) -> None:
    judge(once(place, fault), fault)


@pytest.mark.one_in(3)
@pytest.mark.slow_but("cut-calls-2", "cut_urgent-stream-29", "cut-replies-5", "half_open-urgent-3")
@pytest.mark.parametrize("place", SECOND_PAIR, ids=lambda place: f"{place[0]}-{place[1]}")
@pytest.mark.parametrize("fault", BOTH, ids=lambda fault: fault.__name__)
def test_a_fault_at_every_boundary_of_the_second_pair(fault: Fault, place: Place) -> None:
    judge(twice(place, fault), fault)


# -- the engine is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.unmeasured
@pytest.mark.slow
@pytest.mark.parametrize("core", [KeepsTheOldConnection, TakesUrgentPagesForArrived])
def test_a_source_that_is_wrong_is_found_out(core: type[SourceCore], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.engine.here.RECOVER", 1.0)
    monkeypatch.setattr("tests.engine.here.TIMEOUT", 2.0)
    run = twice(None, cut, make_source=core)
    with pytest.raises(AssertionError, match=r"costs no guest|behaviour of the model|is whole"):
        judge(run, cut)


@pytest.mark.slow
def test_a_destination_without_a_thread_for_the_second_connection_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts it, and reads nothing from it."""
    monkeypatch.setattr("tests.engine.here.RECOVER", 1.0)
    monkeypatch.setattr("tests.engine.here.TIMEOUT", 2.0)
    right = DestinationHost._start_anew
    monkeypatch.setattr(
        DestinationHost, "_start_anew", lambda self, thread: thread is Thread.PREEMPT or right(self, thread)
    )
    run = twice(None, cut)
    with pytest.raises(AssertionError, match=r"costs no guest|hangs|behaviour of the model"):
        judge(run, cut)


def test_a_source_that_makes_one_connection_anew_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.engine.here.RECOVER", 1.0)
    monkeypatch.setattr(SourceHost, "_reopen_urgent", lambda self: None)
    run = twice(None, cut)
    with pytest.raises(AssertionError, match="costs no guest"):
        judge(run, cut)
