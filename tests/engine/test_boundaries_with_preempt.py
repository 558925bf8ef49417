"""Faults of the world at every message boundary of a run with a connection for urgent pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.destination_steps import State
from postcopy.engine.effects import Output
from postcopy.engine.errors import ConnectionLost
from postcopy.engine.messages import Eof, Packaged, Page, Pages, Pong, Request, Shut
from postcopy.engine.source import Phase
from postcopy.engine.transport import Connection
from tests.conformance.mutants_with_preempt import LeavesUrgentPagesDirty
from tests.engine.here import BOUND, PAGES, Hosts, Place, Run
from tests.engine.test_boundaries import FAULTS, PACKAGE, PATIENCE, REPLIES, Fault, cut, judge_any, kill_source_guest

STREAM, URGENT = 28, 1
"""Messages: one page goes out on the connection for urgent pages, and not on the stream."""
BOUNDARIES: list[Place] = [
    *(("stream", n) for n in range(STREAM + 1)),
    *(("replies", n) for n in range(REPLIES + 1)),
    *(("urgent", n) for n in range(URGENT + 1)),
]


def run_with(place: Place | None, fault: Fault, **how: Any) -> Run:
    side = 1 if place is not None and place[0] == "replies" else 0

    def happens(hosts: Hosts) -> None:
        if fault is not cut:
            for host in (0, 1):
                hosts.lose_patience(host, PATIENCE)
        fault(hosts, side)

    return Hosts(preempt=True, **how).run(place, happens)


def cut_urgent(hosts: Hosts, _: int) -> None:
    """The connection for urgent pages alone."""
    for line in hosts.lines[2:]:
        line.close()


def judge(run: Run, fault: Fault) -> None:
    judge_any(run)
    if run.handed_over:
        assert run.where in ([], ["destination"]), "the source has given its guest away (R15)"
    else:
        assert run.where == ([] if fault is kill_source_guest else ["source"])
    assert run.where != ["destination"] or run.outcomes[1] == "completed"


def test_the_run_without_a_fault() -> None:
    run = run_with(None, cut)
    judge(run, cut)
    assert (run.where, run.outcomes) == (["destination"], ("completed", "completed"))
    assert (len(run.stream), len(run.replies), len(run.urgent)) == (STREAM, REPLIES, URGENT)
    assert isinstance(run.stream[PACKAGE - 1], Packaged)
    assert isinstance(run.stream[-1], Eof)
    assert sum(isinstance(message, Page) for message in [*run.stream, *run.urgent]) == PAGES + 2
    assert [type(reply) for reply in run.replies] == [Pong, Request, Shut]
    assert run.conformance
    assert run.conformance.over
    assert run.conformance.fired["destination.places_urgent_page"] == 1


@pytest.mark.one_in(3)
@pytest.mark.slow_but("cut-stream-20", "cut-urgent-0", "cut-replies-1", "half_open-stream-22")
@pytest.mark.parametrize("place", BOUNDARIES, ids=lambda place: f"{place[0]}-{place[1]}")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_at_every_boundary(fault: Fault, place: Place) -> None:
    judge(run_with(place, fault), fault)


@pytest.mark.one_in(3)
@pytest.mark.slow_but("stream-10", "stream-21", "urgent-0")
@pytest.mark.parametrize("place", BOUNDARIES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_a_fault_of_that_connection_alone(place: Place) -> None:
    judge(run_with(place, cut_urgent), cut)


def test_urgent_pages_of_zeros_are_counted() -> None:
    hosts = Hosts(preempt=True)
    page, zeros = len(hosts.guests[0].map) // PAGES, 2
    hosts.guests[0].map[: zeros * page] = bytes(zeros * page)
    line = hosts._call_urgent()
    vars(hosts.source)["_urgent"] = line
    core = hosts.source.core
    core.phase = Phase.POSTCOPY
    for number in range(3):
        core.receive(Request("guest.ram", number * page, page))
    hosts.source._serve_urgent()
    assert hosts.source.report.zero_pages == zeros
    assert hosts.source.report.postcopy_bytes == len("_guest.ram") + 3 * 8 + zeros + page
    assert len(hosts.run_.urgent) == 3
    hosts.destination.memory.close()
    hosts.close()


def refused(_: object) -> Connection:
    raise ConnectionLost("refused")


def test_a_package_does_not_wait_for_a_connection_that_will_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.engine.here.TIMEOUT", 60.0)  # longer than a run may take
    hosts = Hosts(preempt=True)
    right, waits = hosts.destination._wait_for_urgent, threading.Event()

    def wait() -> None:
        waits.set()
        right()

    def refuses(_: object) -> Connection:
        assert waits.wait(BOUND)
        return refused(_)

    vars(hosts.destination).update(_wait_for_urgent=wait, _accept_urgent=refuses)
    run = hosts.run(None, lambda _: None)
    judge(run, cut)
    assert (run.where, run.outcomes, run.why[1]) == ([], ("failed", "failed"), "refused")


def test_an_end_in_precopy_is_not_cut_off_where_the_connection_does_not_come() -> None:
    """The main thread comes to its end when the wait for the connection has just failed: its SHUT has to go out."""
    hosts = Hosts(preempt=True)

    def ends(_: str) -> None:
        hosts.destination.core.state = State.END

    vars(hosts.destination).update(_fail=ends, _accept_urgent=refused)
    hosts.destination._take_urgent()
    assert not hosts.lines[0].broken
    hosts.destination.memory.close()
    hosts.close()


# -- the engine is wrong ----------------------------------------------------------------------------------------------


class TakesUrgentPagesForZeros(DestinationCore):
    """Mixes up the contents of urgent pages."""

    def _urgent_pages(self, message: Page | Pages) -> Sequence[Output]:
        return super()._urgent_pages(Page(message.block, message.offset, None))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"make_source": LeavesUrgentPagesDirty}, "behaviour of the model|is whole"),
        ({"make_destination": TakesUrgentPagesForZeros}, "is whole"),
    ],
)
def test_an_engine_that_is_wrong_is_found_out(how: dict[str, Any], says: str) -> None:
    run = run_with(None, cut, **how)
    with pytest.raises(AssertionError, match=says):
        judge(run, cut)


def test_urgent_pages_that_are_read_after_the_end_of_the_stream_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    right = DestinationHost._receive_urgent

    def late(self: DestinationHost) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.core.end_seen, 5)
        right(self)

    monkeypatch.setattr(DestinationHost, "_receive_urgent", late)
    run = run_with(None, cut)
    judge(run, cut)
    assert run.outcomes == ("completed", "completed")
