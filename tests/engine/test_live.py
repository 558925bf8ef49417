"""Real migrations of small guests: processes, memory, faults, TCP. The guest compares every byte it reads."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postcopy.conformance.logs import explain
from postcopy.engine import memory, run, source_host, uffd
from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import DropPages, Output
from postcopy.engine.errors import ConnectionLost, EngineError, GuestError
from postcopy.engine.log import Step, Thread
from postcopy.engine.memory import GuestOptions, GuestProcess, TableDestinationMemory
from postcopy.engine.messages import (
    Contents,
    Discard,
    Eof,
    OpenReturnPath,
    Packaged,
    Page,
    Pages,
    SectionEnd,
    StreamMessage,
)
from postcopy.engine.source import Phase, SourceCore
from postcopy.engine.source_host import SourceHost
from postcopy.engine.transport import Connection
from tests.engine.certificates import needs_openssl
from tests.engine.live import SMALL, SOFTWARE, Meddler, first, lines, migrate, nowhere_else, pages_after, process_of


def permitted() -> bool:
    try:
        os.close(uffd.create(uffd.MISSING_SHMEM | uffd.THREAD_ID))
        os.close(uffd.create(uffd.WP_SHMEM | uffd.WP_UNPOPULATED | uffd.WP_ASYNC))
    except GuestError:
        return False
    return True


needs_uffd = pytest.mark.skipif(not permitted(), reason="userfaultfd with write protection is not permitted here")
KINDS = [pytest.param(SMALL, marks=needs_uffd, id="userfaultfd"), pytest.param(SOFTWARE, id="software")]


def with_(guest: GuestOptions, **changes: Any) -> GuestOptions:
    return msgspec.structs.replace(guest, **changes)


class OnePass(SourceCore):
    """Takes the dirty log at the end only, so that much is dirty then; that is allowed."""

    def merge_dirty(self, pages: Any) -> None:
        self.written = [*getattr(self, "written", []), *pages]

    def cpus_stopped_to_switch(self, pages: Any) -> None:
        super().cpus_stopped_to_switch([*getattr(self, "written", []), *pages])


# -- it works -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", KINDS)
@pytest.mark.parametrize("switch", ["first-pass", "at-once"])
def test_the_guest_arrives_whole(guest: GuestOptions, switch: str) -> None:
    source, destination = migrate(guest, switch=switch)
    assert (source.report.outcome, destination.report.outcome) == ("completed", "completed")
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []
    assert destination.guest.writes > 0
    sent = [line.page for line in source.lines if line.step in (Step.SERVED, Step.SENT_BACKGROUND)]
    assert len(sent) == len(set(sent)), "no page is sent twice in postcopy"
    if switch == "at-once":
        assert len(sent) == 256


@pytest.mark.parametrize("guest", KINDS)
def test_a_page_that_is_missed_is_asked_for_and_comes(guest: GuestOptions) -> None:
    more_than_buffers_hold = with_(guest, size=8 << 20)
    source, destination = migrate(more_than_buffers_hold, switch="at-once", meddler=Meddler(first(Packaged), "hold"))
    assert source.report.outcome == "completed"
    assert destination.report.requests > 0
    assert any(line.who == "device load" for line in destination.lines), "the device load waited for a page (R6)"
    assert source.report.counts.get(Step.SERVED.value, 0) + source.report.counts.get(Step.DROPPED.value, 0) > 0
    assert len(destination.report.latencies) > 0
    assert destination.guest
    assert destination.guest.damage == []


@pytest.mark.parametrize("guest", KINDS)
def test_it_arrives_in_precopy_too(guest: GuestOptions) -> None:
    source, destination = migrate(with_(guest, rate=200), switch="never")
    assert source.report.outcome == "completed"
    assert Step.SENT_PACKAGE.value not in source.report.counts
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []


@pytest.mark.parametrize("guest", KINDS)
def test_host_pages_of_four_target_pages(guest: GuestOptions) -> None:
    source, destination = migrate(with_(guest, target_page=1024), switch="at-once")
    assert source.report.outcome == "completed"
    assert destination.guest
    assert destination.guest.damage == []
    assert source.report.counts[Step.SENT_REST.value] == 3 * 256


@pytest.fixture
def runs_first(monkeypatch: pytest.MonkeyPatch) -> type[DestinationCore]:
    """A destination to which no connection breaks before its guest runs, however busy the machine is."""
    ran = threading.Event()

    class Runs(DestinationCore):
        def run(self) -> Sequence[Output]:
            outputs = super().run()
            ran.set()
            return outputs

    monkeypatch.setattr(SourceHost, "_is_early", property(lambda _: not ran.is_set()))
    monkeypatch.setattr(source_host, "SLOW_BATCH", 1)  # so that pages are left, even after seconds
    return Runs


def first_of_all(monkeypatch: pytest.MonkeyPatch, happened: Callable[[SourceHost], object]) -> None:
    """A source that takes no page for the background before something has happened, however slow the guest is."""
    right = SourceHost._postcopy

    def waits(self: SourceHost) -> None:
        end = time.monotonic() + 20
        while not happened(self) and not self.core.over and time.monotonic() < end:
            time.sleep(0.01)
        right(self)

    monkeypatch.setattr(SourceHost, "_postcopy", waits)


@pytest.fixture
def urgent_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page that a source sends in postcopy is asked for."""
    first_of_all(monkeypatch, lambda source: source._log.counts[Step.SERVED_URGENT])


@pytest.mark.parametrize("guest", KINDS)
def test_it_arrives_whole_after_three_breaks(guest: GuestOptions, runs_first: type[DestinationCore]) -> None:
    more = with_(guest, size=4 << 20)
    source, destination = migrate(
        more, switch="at-once", recover=20, break_after=(200, 100, 100), make_destination=runs_first
    )
    assert (source.report.outcome, destination.report.outcome) == ("completed", "completed")
    assert (len(source.report.breaks), len(destination.report.breaks)) == (3, 3)
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []
    found = explain(more.geometry().pages, 1, [line.record for line in lines(source, destination)])
    assert (found.unexplained, found.fired["source.receives_resume_ack"]) == (None, 3)
    sent = sum(source.report.counts.get(step.value, 0) for step in (Step.SERVED, Step.SENT_BACKGROUND))
    assert sent > 1024, "what was lost was sent again"


@needs_openssl
def test_it_recovers_under_tls_too(certificates: Path, runs_first: type[DestinationCore]) -> None:
    pems = certificates / "source", certificates / "destination"
    source, destination = migrate(
        with_(SOFTWARE, size=4 << 20),
        switch="at-once",
        recover=20,
        break_after=(200,),
        tls=pems,
        make_destination=runs_first,
    )
    assert (source.report.outcome, len(source.report.breaks)) == ("completed", 1)
    assert destination.guest
    assert destination.guest.damage == []


@pytest.mark.parametrize("guest", KINDS)
@pytest.mark.parametrize("switch", ["first-pass", "at-once"])
def test_it_arrives_whole_with_a_connection_for_urgent_pages(guest: GuestOptions, switch: str) -> None:
    more = with_(guest, size=8 << 20)
    source, destination = migrate(more, switch=switch, preempt=True)
    assert (source.report.outcome, destination.report.outcome) == ("completed", "completed")
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []
    found = explain(more.geometry().pages, 1, [line.record for line in lines(source, destination)])
    assert found.unexplained is None
    assert found.fired["destination.accepts_fast_channel"] == 1
    sent = [line.page for line in source.lines if line.step in (Step.SERVED_URGENT, Step.SENT_BACKGROUND)]
    assert len(sent) == len(set(sent)), "no page is sent twice in postcopy"
    assert source.report.counts.get(Step.SERVED.value, 0) == 0


@pytest.mark.parametrize("guest", KINDS)
def test_it_arrives_whole_after_three_breaks_of_both_connections(
    guest: GuestOptions, runs_first: type[DestinationCore]
) -> None:
    more = with_(guest, size=4 << 20)
    source, destination = migrate(
        more, switch="at-once", recover=20, break_after=(200, 100, 100), preempt=True, make_destination=runs_first
    )
    assert (source.report.outcome, destination.report.outcome) == ("completed", "completed")
    assert (len(source.report.breaks), len(destination.report.breaks)) == (3, 3)
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []
    found = explain(more.geometry().pages, 1, [line.record for line in lines(source, destination)])
    assert (found.unexplained, found.fired["source.receives_resume_ack"]) == (None, 3)
    assert source.report.counts[Step.REOPENED_URGENT.value] == 3
    assert source.report.counts.get(Step.SERVED.value, 0) == 0


def test_urgent_pages_count_towards_a_break(monkeypatch: pytest.MonkeyPatch, runs_first: type[DestinationCore]) -> None:
    """A guest in a hurry asks for all pages; none is left for the background."""
    first_of_all(monkeypatch, lambda source: source.report.breaks)
    source, _ = migrate(
        SOFTWARE, switch="at-once", recover=20, break_after=(5,), preempt=True, make_destination=runs_first
    )
    steps = [line.step for line in source.lines]
    before = steps[: steps.index(Step.SOURCE_PAUSED)]
    assert Step.SENT_BACKGROUND not in before
    assert before.count(Step.SERVED_URGENT) >= 5
    assert source.report.breaks == ["broken after so many pages, as asked for"]
    assert source.report.outcome == "completed"


@needs_openssl
def test_both_connections_are_made_anew_under_tls_too(certificates: Path, runs_first: type[DestinationCore]) -> None:
    pems = certificates / "source", certificates / "destination"
    source, destination = migrate(
        with_(SOFTWARE, size=4 << 20, target_page=1024),
        switch="at-once",
        recover=20,
        break_after=(400,),
        preempt=True,
        tls=pems,
        make_destination=runs_first,
    )
    assert (source.report.outcome, len(source.report.breaks)) == ("completed", 1)
    assert destination.guest
    assert destination.guest.damage == []


@pytest.mark.usefixtures("urgent_first")
def test_urgent_pages_of_four_target_pages() -> None:
    source, destination = migrate(with_(SOFTWARE, size=8 << 20, target_page=1024), switch="at-once", preempt=True)
    assert source.report.outcome == "completed"
    assert source.report.counts.get(Step.SERVED_URGENT.value, 0) > 0
    assert destination.guest
    assert destination.guest.damage == []


def test_a_precopy_with_a_connection_for_urgent_pages_needs_none() -> None:
    source, destination = migrate(with_(SOFTWARE, rate=200), switch="never", preempt=True)
    assert source.report.outcome == "completed"
    assert destination.guest
    assert destination.guest.damage == []


@needs_openssl
@pytest.mark.usefixtures("urgent_first")
def test_urgent_pages_come_under_tls_too(certificates: Path) -> None:
    pems = certificates / "source", certificates / "destination"
    source, destination = migrate(with_(SOFTWARE, size=8 << 20), switch="at-once", preempt=True, tls=pems)
    assert source.report.outcome == "completed"
    assert source.report.counts.get(Step.SERVED_URGENT.value, 0) > 0
    assert destination.guest
    assert destination.guest.damage == []


def test_without_the_second_connection_the_guest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source cannot reach the destination once more, and has not stopped its guest."""

    def refused() -> Connection:
        raise ConnectionLost("refused")

    monkeypatch.setattr(run, "caller", lambda _call, _peer: refused)
    source, destination = migrate(SOFTWARE, preempt=True)
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    assert nowhere_else(source, destination) == ["source"]
    assert "refused" in source.report.why


class Recovering(SourceCore):
    """Recovers, and its destination does not."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named | {"recovery": True})


def test_without_recovery_at_the_destination_a_break_costs_the_guest() -> None:
    source, destination = migrate(
        with_(SOFTWARE, size=4 << 20), switch="at-once", break_after=(200,), make_source=Recovering
    )
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    assert "no new connection that stands within 0 s" in source.report.why
    assert nowhere_else(source, destination) == []


def test_memory_that_is_not_permitted_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = GuestOptions(size=1 << 20)
    monkeypatch.setattr(memory, "sys", type("Sys", (), {"executable": "/bin/false"}))
    with pytest.raises(GuestError, match="the guest process"):
        memory.GuestProcess(setup, incoming=True)


# -- the world fails --------------------------------------------------------------------------------------------------


BEFORE = {
    "after the first message": lambda _m, count: count == 1,
    "after the opening": first(OpenReturnPath),
    "within precopy": pages_after(OpenReturnPath, 100),
    "after a discard": first(Discard),
}
AFTER = {
    "after the package": first(Packaged),
    "within postcopy": pages_after(Packaged, 10),
    "before the end": first(SectionEnd),
}


@pytest.mark.parametrize("where", BEFORE)
def test_cut_before_the_package_the_guest_lives_on_at_the_source(where: str) -> None:
    guest = with_(SOFTWARE, size=4 << 20)  # more than buffers hold: the source cannot be far ahead
    source, destination = migrate(guest, switch="0.4", make_source=OnePass, meddler=Meddler(BEFORE[where]))
    assert (source.report.outcome, destination.report.outcome) == ("failed", "failed")
    if any(line.step is Step.SENT_PACKAGE for line in source.lines):
        assert where == "after a discard", "only there the package may be on its way already"
        assert nowhere_else(source, destination) == []
        return
    assert nowhere_else(source, destination) == ["source"]
    assert source.guest
    assert source.guest.damage == []
    assert "connection" in source.report.why


@pytest.mark.parametrize("where", AFTER)
def test_cut_after_the_package_the_guest_is_lost_and_that_is_said(where: str) -> None:
    source, destination = migrate(SOFTWARE, switch="at-once", meddler=Meddler(AFTER[where]))
    assert source.report.outcome == "failed"
    assert nowhere_else(source, destination) == []
    assert "closed the connection" in destination.report.why, "whether its reader learns it first or a writer"


def test_cut_after_the_end_the_destination_has_the_guest_whatever_the_source_heard() -> None:
    source, destination = migrate(SOFTWARE, meddler=Meddler(first(Eof)))
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []


def test_a_request_that_cannot_be_sent_loses_nothing_of_what_still_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    send, asked = Connection.send, threading.Event()

    def broken_for_requests(self: Connection, buffers: Any) -> int:
        if threading.current_thread().name == Thread.FAULT:
            asked.set()
            raise ConnectionLost("the other side closed the connection")
        return send(self, buffers)

    monkeypatch.setattr(Connection, "send", broken_for_requests)
    first_of_all(monkeypatch, lambda _: asked.is_set())
    source, destination = migrate(with_(SOFTWARE, size=8 << 20), switch="at-once")
    assert destination.report.requests > 0
    assert (source.report.outcome, destination.report.outcome) == ("completed", "completed")
    assert destination.guest
    assert destination.guest.damage == []


def test_a_connection_that_stands_still_is_given_up_in_time() -> None:
    guest = with_(SOFTWARE, size=8 << 20)  # more than fits into buffers, so that the package cannot be out
    source, destination = migrate(guest, timeout=1.0, meddler=Meddler(pages_after(OpenReturnPath, 50), "stall"))
    assert nowhere_else(source, destination) == ["source"]
    assert "nothing for 1 s" in destination.report.why


def test_after_the_package_a_standstill_loses_the_guest() -> None:
    end = pages_after(Packaged, 5)
    source, destination = migrate(SOFTWARE, switch="at-once", timeout=1.0, meddler=Meddler(end, "stall"))
    assert nowhere_else(source, destination) == []


def test_in_a_trickle_it_arrives_all_the_same() -> None:
    guest = with_(SOFTWARE, size=64 << 10, rate=500)
    source, destination = migrate(guest, meddler=Meddler(lambda _m, _c: False, chunk=7))
    assert source.report.outcome == "completed"
    assert destination.guest
    assert destination.guest.damage == []


@pytest.mark.parametrize("phase", [Phase.PRECOPY, Phase.POSTCOPY])
def test_when_the_guest_at_the_destination_is_killed(phase: Phase) -> None:
    class Killing(DestinationCore):
        def receive(self, message: StreamMessage) -> Any:
            if phase is Phase.PRECOPY and isinstance(message, Page | Pages) and self.received.count >= 100:
                raise GuestError("the guest process is gone")
            return super().receive(message)

        def run(self) -> Any:
            if phase is Phase.POSTCOPY:
                raise GuestError("the guest process is gone")
            return super().run()

    more_than_buffers_hold = with_(SOFTWARE, size=8 << 20)  # so that the source has not handed over by then
    source, destination = migrate(more_than_buffers_hold, make_destination=Killing)
    assert nowhere_else(source, destination) == (["source"] if phase is Phase.PRECOPY else [])
    assert destination.report.why == "the guest process is gone"


@pytest.mark.parametrize("guest", KINDS)
def test_the_guest_at_the_destination_dies_in_precopy_and_the_source_keeps_its_own(
    guest: GuestOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    guests: dict[bool, GuestProcess] = {}
    start = GuestProcess.__init__

    def kept(self: GuestProcess, options: GuestOptions, *, incoming: bool, timeout: float) -> None:
        start(self, options, incoming=incoming, timeout=timeout)
        guests[incoming] = self

    class Shot(DestinationCore):
        def receive(self, message: StreamMessage) -> Any:
            if isinstance(message, Page | Pages) and self.received.count >= 100 and guests:
                os.kill(guests.pop(True).pid, signal.SIGKILL)
                guests.clear()
            return super().receive(message)

    monkeypatch.setattr(GuestProcess, "__init__", kept)
    more_than_buffers_hold = with_(guest, size=8 << 20)
    source, destination = migrate(more_than_buffers_hold, switch="never", make_destination=Shot)
    assert nowhere_else(source, destination) == ["source"]
    assert destination.report.why == "the guest process is gone"
    assert source.guest
    assert source.guest.damage == []


@pytest.mark.parametrize("guest", KINDS)
@pytest.mark.parametrize("switch", ["5.5", "60"])
def test_when_the_guest_at_the_source_is_killed_in_precopy_no_guest_runs(guest: GuestOptions, switch: str) -> None:
    def look(host: SourceHost) -> None:
        if host.core.phase is Phase.PRECOPY and not host._guest.lost:
            os.kill(process_of(host).pid, signal.SIGKILL)
            host._guest.wait_for_death()

    endless = with_(guest, size=8 << 20, rate=0)
    source, destination = migrate(endless, switch=switch, look=look)
    assert not source.report.cpus_stopped, "it is noticed when it happens, not when the CPUs are to be stopped"
    assert source.report.outcome == "failed"
    assert source.report.why == "the guest process is gone"
    assert nowhere_else(source, destination) == []
    assert source.guest is None


@pytest.mark.parametrize("guest", KINDS)
def test_a_guest_that_is_killed_at_the_source_when_its_cpus_have_stopped_arrives_whole(
    guest: GuestOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory is with the engine; its CPUs are of no use any more."""
    devices = GuestProcess.devices

    def then_die(guest: GuestProcess) -> Any:
        state = devices(guest)
        os.kill(guest.pid, signal.SIGKILL)
        guest.wait_for_death()
        return state

    monkeypatch.setattr(GuestProcess, "devices", then_die)
    source, destination = migrate(with_(guest, size=8 << 20), switch="at-once")
    assert source.report.outcome == "completed"
    assert not source.report.why
    assert nowhere_else(source, destination) == ["destination"]
    assert destination.guest
    assert destination.guest.damage == []


def test_a_guest_that_is_killed_as_the_operator_cancels_does_not_run_here() -> None:
    def look(host: SourceHost) -> None:
        if host.core.phase == Phase.PRECOPY:
            os.kill(process_of(host).pid, signal.SIGKILL)
            host._guest.wait_for_death()
            with suppress(EngineError):
                host.cancel()

    source, destination = migrate(SOFTWARE, switch="60", look=look)
    assert source.report.outcome in ("cancelled", "failed")
    assert source.report.why.endswith("the guest process is gone")
    assert nowhere_else(source, destination) == []


@pytest.mark.parametrize("where", ["source", "destination"])
def test_a_guest_that_dies_before_its_check_does_not_run_here(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = run._check

    def check(guest: GuestProcess, at: str, settle: float, report: Any) -> Any:
        if at == where:
            os.kill(guest.pid, signal.SIGKILL)
        return begin(guest, at, settle, report)

    monkeypatch.setattr(run, "_check", check)
    if where == "source":
        source, destination = migrate(SOFTWARE, switch="60", look=lambda host: host._connection.close())
        lost: Any = source
    else:
        source, destination = migrate(SOFTWARE)
        lost = destination
    assert lost.guest.where == "lost"
    assert nowhere_else(source, destination) == []
    assert "the guest process is gone" in lost.report.why


def test_cancelling_brings_the_guest_back() -> None:
    def look(host: SourceHost) -> None:
        if host.core.phase == Phase.PRECOPY:
            host.cancel()

    source, destination = migrate(SOFTWARE, switch="60", look=look)
    assert source.report.outcome == "cancelled"
    assert nowhere_else(source, destination) == ["source"]
    assert source.guest
    assert source.guest.damage == []


# -- the engine is wrong: for each check a mutant that it catches ------------------------------------------------------


class ForgetsLog(OnePass):
    """Does not take it at the end either."""

    def cpus_stopped_to_switch(self, pages: Any) -> None:
        SourceCore.cpus_stopped_to_switch(self, [])


class NoDiscards(OnePass):
    """Sends no discards."""

    def send_discards(self) -> list[StreamMessage]:
        super().send_discards()
        return []


class SendsTwice(OnePass):
    """Does not take a background page out of the migration bitmap once."""

    twice: int | None = None

    def _next_in_postcopy(self, most: int) -> range:
        pages = super()._next_in_postcopy(most)
        if pages and self.twice is None:
            self.twice = pages.start
            self.dirty.add(pages.start)
        return pages


class EndsEarly(OnePass):
    """Forgets a page."""

    def cpus_stopped_to_switch(self, pages: Any) -> None:
        super().cpus_stopped_to_switch(pages)
        self.dirty.remove(next(iter(self.dirty.runs())).start)


class KeepsStale(DestinationCore):
    """Ignores discards, and the page that comes again."""

    def _discard(self, message: Discard) -> Any:
        return [o for o in super()._discard(message) if not isinstance(o, DropPages)]

    def _postcopy_pages(self, message: Page | Pages) -> Any:
        super()._postcopy_pages(message)
        return []


@pytest.mark.parametrize("guest", KINDS)
def test_a_source_that_forgets_writes_is_found_out_by_the_guest(guest: GuestOptions) -> None:
    _, destination = migrate(guest, make_source=ForgetsLog, switch="0.4")
    assert destination.guest
    assert any("stale" in text or "lost" in text for text in destination.guest.damage)


@pytest.mark.parametrize("guest", KINDS)
def test_a_destination_that_keeps_what_was_discarded_is_found_out_by_the_guest(guest: GuestOptions) -> None:
    _, destination = migrate(guest, make_source=OnePass, make_destination=KeepsStale, switch="0.4")
    assert destination.guest
    assert any("stale" in text for text in destination.guest.damage)


@pytest.mark.parametrize(
    ("variant", "why"),
    [(NoDiscards, "although it is here (R13)"), (SendsTwice, "although it is here (R13)"), (EndsEarly, "(R24)")],
)
def test_a_source_that_breaks_a_rule_is_refused_by_the_destination(variant: type[SourceCore], why: str) -> None:
    source, destination = migrate(SOFTWARE, make_source=variant, switch="0.4")
    assert why in destination.report.why
    assert nowhere_else(source, destination) == []


def test_a_page_shown_before_it_is_filled_is_found_out_by_the_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(self: TableDestinationMemory, pages: range, data: Contents | None) -> None:
        with self._dense(pages, data) as rows:
            for page, row in zip(pages, rows, strict=True):
                os.pwrite(self.guest.memfd, row[:512].data, page * 4096)
        sound(self, pages, None)

    sound = TableDestinationMemory.place
    monkeypatch.setattr(TableDestinationMemory, "place", torn)
    _, destination = migrate(SOFTWARE, switch="at-once")
    assert destination.guest
    assert any("torn" in text for text in destination.guest.damage)


@needs_uffd
def test_a_page_placed_twice_is_refused_by_the_kernel() -> None:
    class Twice(DestinationCore):
        def _postcopy_pages(self, message: Page | Pages) -> list[Output]:
            return 2 * list(super()._postcopy_pages(message))

    source, destination = migrate(SMALL, switch="at-once", make_destination=Twice)
    assert "is there already (R13)" in destination.report.why
    assert nowhere_else(source, destination) == []
