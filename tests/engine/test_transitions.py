"""The cores' tables of transitions: an illegal step raises and changes nothing, a legal one does as its row says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postcopy.engine import destination, source
from postcopy.engine.destination import DestinationCore, Place
from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.log import Record, Step, Thread
from postcopy.engine.messages import (
    Advise,
    Configuration,
    Discard,
    Eof,
    Listen,
    OpenReturnPath,
    Packaged,
    Page,
    Ping,
    Pong,
    RamSize,
    Request,
    Run,
    Shut,
)
from postcopy.engine.source import Phase, SourceCore
from postcopy.engine.source_host import SourceHost
from postcopy.engine.transitions import Transition, Transitions
from postcopy.engine.writing import StreamWriter
from tests.engine.cores import CPU, PAGE, small, snapshot

PACKAGE = Packaged(b"".join(StreamWriter().encode([Listen(), CPU, Run()])))


def ready(_: object) -> None:
    """The phase is all that the step asks for."""


def clean(core: SourceCore) -> None:
    core.dirty.clear()


def asked(core: SourceCore) -> None:
    core.switch_asked = True


def pinged(core: SourceCore) -> None:
    core.phase = Phase.PINGING
    core.ping()


def requested(core: SourceCore) -> None:
    core.phase = Phase.POSTCOPY
    core.receive(Request("low", 0, PAGE))


def requested_late(core: SourceCore) -> None:
    requested(core)
    core.dirty.clear()


def within_a_host_page(core: SourceCore) -> None:
    vars(core)["_sending"] = range(1)


SOURCE: dict[Step, tuple[Callable[[SourceCore], object], Callable[[SourceCore], object]]] = {
    Step.STARTED: (ready, lambda c: c.start()),
    Step.SWITCH_ASKED: (ready, lambda c: c.start_postcopy()),
    Step.CANCELLED: (ready, lambda c: c.cancel()),
    Step.OPENED: (ready, lambda c: c.open()),
    Step.PINGED: (ready, lambda c: c.ping()),
    Step.ADVISED: (ready, lambda c: c.advise()),
    Step.DIRTIED: (ready, lambda c: c.merge_dirty([range(1)])),
    Step.SENT_PRECOPY: (ready, lambda c: c.next_pages()),
    Step.STOPPED_TO_FINISH: (ready, lambda c: c.cpus_stopped_to_finish([])),
    Step.ENDED_PRECOPY: (clean, lambda c: c.end_precopy([])),
    Step.STOPPED_TO_SWITCH: (asked, lambda c: c.cpus_stopped_to_switch([])),
    Step.SENT_DISCARDS: (ready, lambda c: c.send_discards()),
    Step.SENT_PACKAGE: (ready, lambda c: c.send_package([CPU])),
    Step.SERVED: (requested, lambda c: c.next_pages()),
    Step.DROPPED: (requested_late, lambda c: c.next_pages()),
    Step.SENT_REST: (within_a_host_page, lambda c: c.next_pages()),
    Step.SENT_BACKGROUND: (ready, lambda c: c.next_pages()),
    Step.ENDED_POSTCOPY: (clean, lambda c: c.end_postcopy()),
    Step.GOT_PONG: (pinged, lambda c: c.receive(Pong(1))),
    Step.GOT_REQUEST: (ready, lambda c: c.receive(Request("low", 0, PAGE))),
    Step.GOT_SHUT: (ready, lambda c: c.receive(Shut(0))),
    Step.GOT_SHUT_ERROR: (ready, lambda c: c.receive(Shut(1))),
    Step.SOURCE_LOST: (ready, lambda c: c.lose("closed")),
}
"""For each step of the source: what makes it possible beside the phase, and the call that takes it."""

ELSEWHERE = {
    **dict.fromkeys([Step.SERVED, Step.DROPPED, Step.SENT_REST, Step.SENT_BACKGROUND], source.SENDING),
    Step.SENT_PRECOPY: (Phase.POSTCOPY,),
}
"""Phases in which the same call takes another step."""


def configured(core: DestinationCore) -> None:
    core.receive(Configuration(core.machine))
    core.receive(OpenReturnPath())
    core.receive(RamSize(core.geometry.blocks))


def whole(core: DestinationCore) -> None:
    core.received.add_all(range(core.geometry.pages))


def without_support(core: DestinationCore) -> None:
    core.host_support = False


def end_seen(core: DestinationCore) -> None:
    core.end_seen = True


def owing(core: DestinationCore) -> None:
    core.owes_shut = True


DESTINATION: dict[Step, tuple[Callable[[DestinationCore], object], Callable[[DestinationCore], object]]] = {
    Step.RETURN_PATH_OPEN: (ready, lambda c: c.receive(OpenReturnPath())),
    Step.ANSWERED: (ready, lambda c: c.receive(Ping(1))),
    Step.PREPARED: (ready, lambda c: c.receive(Advise(PAGE, PAGE))),
    Step.REFUSED: (without_support, lambda c: c.receive(Advise(PAGE, PAGE))),
    Step.LOADED: (ready, lambda c: c.receive(Page("low", 0, None))),
    Step.DISCARDED: (ready, lambda c: c.receive(Discard("low", ((0, PAGE),)))),
    Step.READ_PACKAGE: (ready, lambda c: c.receive(PACKAGE)),
    Step.ENDED_IN_PRECOPY: (whole, lambda c: c.receive(Eof())),
    Step.LISTENS: (ready, lambda c: c.listen()),
    Step.DEVICES_LOADED: (ready, lambda c: c.devices_loaded()),
    Step.RUNS: (ready, lambda c: c.run()),
    Step.PLACED: (ready, lambda c: c.receive_listening(Page("low", 0, None))),
    Step.ENDED: (end_seen, lambda c: c.end()),
    Step.SHUT: (owing, lambda c: c.shut()),
    Step.REQUESTED: (ready, lambda c: c.fault(0)),
    Step.GAVE_UP: (ready, lambda c: c.lose("closed")),
    Step.LOST_GUEST: (ready, lambda c: c.lose("closed")),
}
"""The same for each step of the destination."""

PLACES = (
    destination.NONE,
    destination.ADVISED,
    destination.PACKAGE_READ,
    destination.LOADING,
    destination.LOADED,
    destination.RUNNING,
    destination.END,
    destination.FAILED,
)

NOTHING_TO_DO = {
    Step.SOURCE_LOST: (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED),
    Step.REQUESTED: (destination.END,),
    Step.GAVE_UP: (*destination.LISTENING, destination.END, destination.FAILED),
    Step.LOST_GUEST: (
        *destination.READING,
        destination.PACKAGE_READ,
        destination.END,
        destination.FAILED,
    ),
}
"""Phases in which the call does nothing, or takes another step of the same kind, and is no error."""


def source_at(phase: Phase, step: Step, log: list[Record]) -> SourceCore:
    core = SourceCore(small(), log=log.append)
    SOURCE[step][0](core)
    core.phase = phase
    log.clear()
    return core


def destination_at(place: Place, step: Step, log: list[Record]) -> DestinationCore:
    core = DestinationCore(small(), log=log.append)
    configured(core)
    DESTINATION[step][0](core)
    core.state, core.main = place
    log.clear()
    return core


def test_each_step_has_one_row_and_is_tried_here() -> None:
    rows = [row.step for table in (source.TRANSITIONS, destination.TRANSITIONS) for row in table]
    assert sorted(rows) == sorted(Step)
    assert [row.step for row in source.TRANSITIONS] == list(SOURCE)
    assert {row.step for row in destination.TRANSITIONS} == set(DESTINATION)


def test_a_step_has_one_row_only() -> None:
    row = Transition(Step.STARTED, (Thread.OPERATOR,), (Phase.IDLE,), None, "")
    with pytest.raises(ValueError, match="a step has two rows"):
        Transitions([row, row])


@pytest.mark.parametrize("row", list(source.TRANSITIONS), ids=lambda row: row.step.value)
@pytest.mark.parametrize("phase", list(Phase), ids=lambda phase: phase.name)
def test_the_source_takes_a_step_in_its_phases_only(row: Transition[Phase], phase: Phase) -> None:
    log: list[Record] = []
    core = source_at(phase, row.step, log)
    before = snapshot(core)
    take = SOURCE[row.step][1]
    if phase in row.before:
        take(core)
        assert [(r.step, r.thread) for r in log] == [(row.step, row.threads[0])]
        assert core.phase == (phase if row.after is None else row.after)
    elif phase in NOTHING_TO_DO.get(row.step, ()):
        take(core)
        assert (snapshot(core), log) == (before, [])
    elif phase not in ELSEWHERE.get(row.step, ()):
        with pytest.raises((LocalProtocolError, RemoteProtocolError)):
            take(core)
        assert (snapshot(core), log) == (before, [])


@pytest.mark.parametrize("row", list(destination.TRANSITIONS), ids=lambda row: row.step.value)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.state.name}-{place.main.name}")
def test_the_destination_takes_a_step_in_its_places_only(row: Transition[Place], place: Place) -> None:
    log: list[Record] = []
    core = destination_at(place, row.step, log)
    before = snapshot(core)
    take = DESTINATION[row.step][1]
    if place in row.before:
        take(core)
        assert [(r.step, r.thread) for r in log] == [(row.step, row.threads[0])]
        assert core.place == (place if row.after is None else row.after)
    elif place in NOTHING_TO_DO.get(row.step, ()):
        take(core)
        assert row.step not in [r.step for r in log]
    else:
        with pytest.raises((LocalProtocolError, RemoteProtocolError)):
            take(core)
        assert (snapshot(core), log) == (before, [])


def test_each_thread_takes_steps_and_has_a_body_in_its_host() -> None:
    """The operator is a thread of the caller."""
    tables = (source.TRANSITIONS, destination.TRANSITIONS)
    assert {thread for table in tables for row in table for thread in row.threads} == set(Thread)
    assert set(SourceHost.BODIES) | {Thread.OPERATOR} == {t for t in Thread if t.host == "source"}
    assert set(DestinationHost.BODIES) == {t for t in Thread if t.host == "destination"}
