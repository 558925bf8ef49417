"""A fault of the world at every message boundary of a run: who has the guest afterwards is what rule R15 allows.

The run is always the same (`tests.engine.here`): the opening, one pass of precopy, the switch with two pages to
discard, and postcopy with one request. A boundary is named by how many messages have gone out before it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from postcopy.engine.messages import Eof, Packaged, Page, Pong, Request, Shut
from postcopy.engine.source import SourceCore
from postcopy.engine.source_host import SourceHost
from tests.conformance.mutants import GivesUpAfterEnd, ResumesAfterHandover, StaysStoppedInPrecopy
from tests.engine import here
from tests.engine.here import PAGES, Hosts, Place, Run, run_here

STREAM, REPLIES = 29, 3
PACKAGE = 20
"""The number of the package; up to the message before it, which is the discards, the source can still turn back."""
PATIENCE = 0.2
"""Seconds that a host waits from the fault on, where it has to find out by waiting."""


def cut(hosts: Hosts, _: int) -> None:
    """Both sides learn of it."""
    for line in hosts.lines:
        line.close()


def stall(hosts: Hosts, side: int) -> None:
    """Nothing goes through any more, and soon there is no room to write to."""
    hosts.lines[side].unplug(full=True)


def half_open(hosts: Hosts, side: int) -> None:
    """The other side is gone without a word, and what is written to it vanishes."""
    hosts.lines[side].unplug(full=False)


def mute(hosts: Hosts, side: int) -> None:
    """The other side sees the end, this one goes on writing."""
    hosts.lines[side].unplug(full=False)
    hosts.lines[side].aside[0].shutdown(socket.SHUT_RDWR)


def deaf(hosts: Hosts, side: int) -> None:
    """This side hears nothing any more, the other goes on hearing it."""
    hosts.lines[side].deaf = True


def kill_source_guest(hosts: Hosts, _: int) -> None:
    """Its process is gone."""
    hosts.guests[0].kill()


def kill_destination_guest(hosts: Hosts, side: int) -> None:
    """Its process is gone, and before the switch the destination has told the source."""
    hosts.guests[1].kill()
    if side == 0 and not hosts.handed_over:
        hosts.destination_thread.join(here.BOUND)


Fault = Callable[[Hosts, int], None]
FAULTS: tuple[Fault, ...] = (cut, stall, half_open, mute, deaf, kill_source_guest, kill_destination_guest)
BOUNDARIES: list[Place] = [
    *(("stream", n) for n in range(STREAM + 1)),
    *(("replies", n) for n in range(REPLIES + 1)),
]
AT_ONCE = (cut, stall, kill_destination_guest)
"""Faults that the source learns of before it can hand the guest over."""


def at(place: Place, fault: Fault, **how: Any) -> Run:
    side = 0 if place[0] == "stream" else 1
    waits: dict[Fault, tuple[int, ...]] = {stall: (0, 1), half_open: (0, 1), mute: (side,), deaf: (side,)}

    def happens(hosts: Hosts) -> None:
        if place == ("stream", STREAM):
            hosts.wait_for_the_guest()  # with the source it is out of patience, not with its own threads
        for host in waits.get(fault, ()):
            hosts.lose_patience(host, PATIENCE)
        fault(hosts, side)

    return run_here(place, happens, **how)


def judge_any(run: Run) -> None:
    """What has to hold after any fault of any run, with recovery or urgent pages as well."""
    assert not run.hangs
    assert run.untrue == [], "what is reported is so"
    assert not run.ran_twice, "two guests ran at a time"
    assert len(run.where) <= 1, "two guests run"
    assert run.damage == [], "the guest that lives is whole"
    assert run.conformance
    assert run.conformance.unexplained is None, "the log is a behaviour of the model"


def judge(run: Run, place: Place, fault: Fault) -> None:
    """What has to hold after any fault."""
    judge_any(run)
    if run.handed_over:
        assert run.where in ([], ["destination"]), "the source has given its guest away (R15)"
    elif fault is not kill_source_guest:
        assert run.where == ["source"], "before the package the guest lives on at the source"
        assert run.outcomes[0] == "failed"
    else:
        assert run.where == []
    assert run.where != ["destination"] or run.outcomes[1] == "completed"
    if run.where != ["destination"] and fault is not kill_destination_guest:
        assert run.outcomes[0] == "failed"
        assert run.why[0], "it is said why"
    kind, count = place
    if kind == "stream" and fault in AT_ONCE:
        if count < PACKAGE - 1:
            assert run.where == ["source"]
        elif count in range(PACKAGE, STREAM):
            assert run.where == [], "the destination does not have all pages"
    if kind == "stream" and count == STREAM and fault is not kill_destination_guest:
        assert run.where == ["destination"], "all pages have come"
    if fault is deaf and kind == "stream":
        assert run.where == ["destination"], "the pages go through, only the source does not hear of it"


def test_the_run_without_a_fault() -> None:
    run = run_here()
    assert run.where == ["destination"]
    assert run.damage == []
    assert run.outcomes == ("completed", "completed")
    assert (len(run.stream), len(run.replies)) == (STREAM, REPLIES)
    assert isinstance(run.stream[PACKAGE - 1], Packaged)
    assert isinstance(run.stream[-1], Eof)
    assert sum(isinstance(message, Page) for message in run.stream) == PAGES + 2
    assert [type(reply) for reply in run.replies] == [Pong, Request, Shut]
    assert run.conformance
    assert run.conformance.unexplained is None


@pytest.mark.parametrize("place", BOUNDARIES, ids=lambda place: f"{place[0]}-{place[1]}")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_at_every_boundary(fault: Fault, place: Place) -> None:
    judge(at(place, fault), place, fault)


def test_byte_by_byte_it_arrives_all_the_same() -> None:
    def trickle(hosts: Hosts) -> None:
        for line in hosts.lines:
            line.trickle = True

    run = run_here(("stream", 0), trickle)
    assert run.outcomes == ("completed", "completed")
    assert (run.where, run.damage) == (["destination"], [])
    assert run.conformance
    assert run.conformance.unexplained is None


# -- the engine is wrong: what the judgement is there for ------------------------------------------------------------


class ForgetsTheLastWrites(SourceCore):
    """Does not look at the dirty log at the end."""

    def cpus_stopped_to_switch(self, pages: Any) -> None:
        super().cpus_stopped_to_switch([])


WRONG: list[tuple[dict[str, Any], Place, Fault, str]] = [
    ({"make_source": ResumesAfterHandover}, ("stream", PACKAGE), cut, "given its guest away"),
    ({"make_source": StaysStoppedInPrecopy}, ("stream", 18), stall, "lives on at the source"),
    ({"make_destination": GivesUpAfterEnd}, ("replies", 3), deaf, "what is reported is so"),
    ({"make_source": ForgetsTheLastWrites}, ("stream", 99), cut, "is whole"),
    ({"make_source": ResumesAfterHandover}, ("stream", STREAM - 1), deaf, "ran at a time"),
]


@pytest.mark.parametrize(("how", "place", "fault", "says"), WRONG, ids=[says for *_, says in WRONG])
def test_an_engine_that_is_wrong_is_found_out(how: dict[str, Any], place: Place, fault: Fault, says: str) -> None:
    run = at(place, fault, **how)
    with pytest.raises(AssertionError, match=says):
        judge(run, place, fault)


def test_a_wait_without_a_bound_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(SourceHost, "_wait_for_the_end", lambda _: released.wait(60))
    monkeypatch.setattr(here, "BOUND", 0.5)
    hosts = Hosts()
    run = hosts.run(("stream", STREAM - 1), lambda hosts: deaf(hosts, 0))
    released.set()
    hosts.lines[0].close()
    for thread in hosts.threads:
        thread.join(60)
    hosts.close()
    assert "operator" in run.hangs
    with pytest.raises(AssertionError):
        judge(run, ("stream", STREAM - 1), deaf)
