"""The cores' tables of transitions: an illegal step raises and changes nothing, a legal one does as its row says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postcopy.engine import destination_steps as destination
from postcopy.engine import source
from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.destination_steps import Place
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.log import Record, Step, Thread
from postcopy.engine.messages import (
    Advise,
    AskBitmap,
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
    ReceivedBitmap,
    Request,
    Resume,
    ResumeAck,
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


def pinged_later(core: SourceCore) -> None:
    vars(core)["_pongs_awaited"] = frozenset({2})


def within_a_host_page(core: SourceCore) -> None:
    vars(core)["_sending"] = range(1)


def recoverable(core: SourceCore) -> None:
    core.recovery = core.recoverable = True


def answered(core: SourceCore) -> None:
    core.preempt = core.answered = True


def reopens(core: SourceCore) -> None:
    """Towards an old QEMU at once, towards others when it is known what has arrived."""
    core.early = core.phase is Phase.RECONNECTED
    core.reopen_urgent()


def with_a_request(core: SourceCore) -> None:
    core.preempt = core.urgent_open = True
    requested(core)


def with_a_late_request(core: SourceCore) -> None:
    with_a_request(core)
    core.dirty.clear()


def asked_what_arrived(core: SourceCore) -> None:
    core.phase = Phase.RECONNECTED
    core.ask_what_arrived()


def one_bitmap_left(core: SourceCore) -> None:
    asked_what_arrived(core)
    core.receive(ReceivedBitmap("low", bytes(8)))


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
    Step.OPENED_URGENT: (answered, lambda c: c.open_urgent()),
    Step.SERVED_URGENT: (with_a_request, lambda c: c.next_urgent()),
    Step.DROPPED_URGENT: (with_a_late_request, lambda c: c.next_urgent()),
    Step.GOT_PONG: (pinged, lambda c: c.receive(Pong(1))),
    Step.GOT_LATER_PONG: (pinged_later, lambda c: c.receive(Pong(2))),
    Step.GOT_REQUEST: (ready, lambda c: c.receive(Request("low", 0, PAGE))),
    Step.GOT_SHUT: (ready, lambda c: c.receive(Shut(0))),
    Step.GOT_SHUT_ERROR: (ready, lambda c: c.receive(Shut(1))),
    Step.SOURCE_LOST: (ready, lambda c: c.lose("closed")),
    Step.SOURCE_PAUSED: (recoverable, lambda c: c.lose("closed")),
    Step.RECONNECTED: (ready, lambda c: c.reconnect()),
    Step.ASKED_WHAT_ARRIVED: (ready, lambda c: c.ask_what_arrived()),
    Step.GOT_PART_OF_WHAT_ARRIVED: (asked_what_arrived, lambda c: c.receive(ReceivedBitmap("low", bytes(8)))),
    Step.GOT_WHAT_ARRIVED: (one_bitmap_left, lambda c: c.receive(ReceivedBitmap("high", bytes(8)))),
    Step.REOPENED_URGENT: (answered, reopens),
    Step.SENT_RESUME: (ready, lambda c: c.resume()),
    Step.GOT_RESUME_ACK: (ready, lambda c: c.receive(ResumeAck(1))),
    Step.SOURCE_GAVE_UP: (recoverable, lambda c: c.give_up("no connection")),
}
"""For each step of the source: what makes it possible beside the phase, and the call that takes it."""

ELSEWHERE = {
    **dict.fromkeys([Step.SERVED, Step.DROPPED, Step.SENT_REST, Step.SENT_BACKGROUND], source.SENDING),
    Step.SENT_PRECOPY: (Phase.POSTCOPY,),
    Step.SOURCE_LOST: source.RECOVERING,
    Step.SOURCE_PAUSED: source.CANCELLABLE,
    Step.SOURCE_GAVE_UP: source.CANCELLABLE,
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


def of_a_qemu(core: DestinationCore) -> None:
    core.qemu = True


def end_seen(core: DestinationCore) -> None:
    whole(core)
    core.end_seen = True


def recovering(core: DestinationCore) -> None:
    core.recovery = True


def asked_for_all(core: DestinationCore) -> None:
    core.recovery, core.state, core.main = True, *destination.RECOVERING
    for block in core.geometry.blocks:
        core.receive_listening(AskBitmap(block.name))


def asked_for_the_first(core: DestinationCore) -> None:
    core.recovery, core.state, core.main = True, *destination.RECOVERING
    core.receive_listening(AskBitmap("low"))


def unread(core: DestinationCore) -> None:
    core.unread[0] = None


def owing(core: DestinationCore) -> None:
    core.owes_shut = True


DESTINATION: dict[Step, tuple[Callable[[DestinationCore], object], Callable[[DestinationCore], object]]] = {
    Step.RETURN_PATH_OPEN: (ready, lambda c: c.receive(OpenReturnPath())),
    Step.ANSWERED: (ready, lambda c: c.receive(Ping(1))),
    Step.ANSWERED_LATER: (of_a_qemu, lambda c: (c.receive_listening if c.listening else c.receive)(Ping(2))),
    Step.PREPARED: (ready, lambda c: c.receive(Advise(PAGE, PAGE))),
    Step.REFUSED: (without_support, lambda c: c.receive(Advise(PAGE, PAGE))),
    Step.LOADED: (ready, lambda c: c.receive(Page("low", 0, None))),
    Step.DISCARDED: (ready, lambda c: c.receive(Discard("low", ((0, PAGE),)))),
    Step.READ_PACKAGE: (ready, lambda c: c.receive(PACKAGE)),
    Step.ENDED_IN_PRECOPY: (whole, lambda c: c.receive(Eof())),
    Step.ACCEPTED_URGENT: (ready, lambda c: c.accept_urgent()),
    Step.ACCEPTED_URGENT_AGAIN: (ready, lambda c: c.accept_urgent_again()),
    Step.PLACED_URGENT: (ready, lambda c: c.receive_urgent(Page("low", 0, None))),
    Step.LISTENS: (ready, lambda c: c.listen()),
    Step.DEVICES_LOADED: (ready, lambda c: c.devices_loaded()),
    Step.RUNS: (ready, lambda c: c.run()),
    Step.PLACED: (ready, lambda c: c.receive_listening(Page("low", 0, None))),
    Step.ENDED: (end_seen, lambda c: c.end()),
    Step.SHUT: (owing, lambda c: c.shut()),
    Step.REQUESTED: (ready, lambda c: c.fault(0)),
    Step.GAVE_UP: (ready, lambda c: c.lose("closed")),
    Step.LOST_GUEST: (ready, lambda c: c.lose("closed")),
    Step.PAUSED: (recovering, lambda c: c.lose("closed")),
    Step.WAITED: (ready, lambda c: c.wait_for_connection()),
    Step.ACCEPTED: (ready, lambda c: c.accept()),
    Step.FOUND_BROKEN: (ready, lambda c: c.accept(broken=True)),
    Step.SAID_PART_OF_WHAT_ARRIVED: (ready, lambda c: c.receive_listening(AskBitmap("low"))),
    Step.SAID_WHAT_ARRIVED: (asked_for_the_first, lambda c: c.receive_listening(AskBitmap("high"))),
    Step.RESUMED: (asked_for_all, lambda c: c.receive_listening(Resume())),
    Step.REQUESTED_AGAIN: (unread, lambda c: c.request_unread()),
    Step.GAVE_UP_GUEST: (recovering, lambda c: c.give_up("no connection")),
}
"""The same for each step of the destination."""

PLACES = (
    destination.NONE,
    destination.ADVISED,
    destination.PACKAGE_READ,
    destination.LOADING,
    destination.LOADED,
    destination.RUNNING,
    *destination.BROKEN_OFF,
    destination.END,
    destination.FAILED,
)

ANSWERED_AT_ONCE = {Step.ANSWERED_LATER: (destination.NONE,)}
"""Places in which the same call takes another step."""

GIVING_UP = (*destination.READING, destination.PACKAGE_READ)
OVER = (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED)

NOTHING_TO_DO = {
    **dict.fromkeys([Step.SOURCE_LOST, Step.SOURCE_PAUSED], (Phase.PAUSED, *OVER)),
    Step.SOURCE_GAVE_UP: OVER,
    Step.REQUESTED: (destination.END, *destination.BROKEN_OFF),
    Step.REQUESTED_AGAIN: (destination.END, *destination.BROKEN_OFF),
    Step.GAVE_UP: tuple(place for place in PLACES if place not in GIVING_UP),
    Step.LOST_GUEST: tuple(place for place in PLACES if place not in destination.LISTENING),
    Step.PAUSED: tuple(place for place in PLACES if place not in (destination.RUNNING, destination.RECOVERING)),
    Step.GAVE_UP_GUEST: tuple(place for place in PLACES if place not in destination.BROKEN_OFF),
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
        assert [r.step for r in log] == [row.step]
        assert log[0].thread == row.threads[core.listening if len(row.threads) > 1 else 0]
        assert core.place == (place if row.after is None else row.after)
    elif place in NOTHING_TO_DO.get(row.step, ()):
        take(core)
        assert row.step not in [r.step for r in log]
    elif place not in ANSWERED_AT_ONCE.get(row.step, ()):
        with pytest.raises((LocalProtocolError, RemoteProtocolError)):
            take(core)
        assert (snapshot(core), log) == (before, [])


def test_each_thread_takes_steps_and_has_a_body_in_its_host() -> None:
    """The operator is a thread of the caller."""
    tables = (source.TRANSITIONS, destination.TRANSITIONS)
    assert {thread for table in tables for row in table for thread in row.threads} == set(Thread)
    assert set(SourceHost.BODIES) | {Thread.OPERATOR} == {t for t in Thread if t.host == "source"}
    assert set(DestinationHost.BODIES) == {t for t in Thread if t.host == "destination"}
