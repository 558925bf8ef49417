"""A guest that stands still: each request to it has a deadline, and the report says that it does not run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from postcopy.engine.errors import GuestError, also
from postcopy.engine.link import Link
from postcopy.engine.memory import GuestOptions, GuestProcess
from postcopy.engine.source import Phase
from postcopy.engine.source_host import SourceHost
from tests.engine.live import PATIENCE, SOFTWARE, migrate, nowhere_else, process_of

SOON = 1.5
"""Seconds that a guest may stand still here. Connections may for longer: it is the guest that is to be noticed."""
LOADED = 5.0
"""Seconds that devices may take: their load has no deadline of its own."""
SILENT = f"the guest process has not answered for {SOON:g} s"


def stop(guest: GuestProcess) -> None:
    os.kill(guest.pid, signal.SIGSTOP)


@pytest.fixture
def guest() -> Iterator[GuestProcess]:
    made = GuestProcess(SOFTWARE, incoming=False, timeout=0.3)
    yield made
    made.close()


@pytest.mark.parametrize("request_", ["start", "stop", "state", "verdict"])
def test_a_request_to_a_stopped_guest_has_a_deadline(guest: GuestProcess, request_: str) -> None:
    stop(guest)
    start = time.monotonic()
    with pytest.raises(GuestError, match=r"the guest process has not answered for 0.3 s"):
        guest.ask(request_)
    assert 0.3 <= time.monotonic() - start < 5
    assert guest.lost == "the guest process has not answered for 0.3 s"


def test_a_guest_that_has_missed_a_deadline_is_not_asked_again(
    guest: GuestProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would be taken for the answer to another question."""
    stop(guest)
    with pytest.raises(GuestError):
        guest.ask("verdict")
    os.kill(guest.pid, signal.SIGCONT)
    asked: list[Any] = []
    monkeypatch.setattr(Link, "send", lambda _, what: asked.append(what))
    with pytest.raises(GuestError, match="has not answered"):
        guest.ask("state")
    assert not asked


@pytest.mark.parametrize(("work", "arguments"), [("fill", [1.0]), ("check", [])])
def test_long_work_has_no_deadline_while_the_guest_computes(
    work: str, arguments: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadline passes as soon as the guest has computed, so that none depends on how fast that is."""
    options = msgspec.structs.replace(SOFTWARE, size=64 << 20)
    guest = GuestProcess(options, incoming=False, timeout=SOON)
    right, passed = Link.wait, 0

    def wait(link: Link, timeout: float | None) -> bool:
        nonlocal passed
        begin = guest.processor_time
        while guest.processor_time == begin:
            if right(link, 0.001):
                return True
        passed += 1
        return False

    monkeypatch.setattr(Link, "wait", wait)
    end = time.monotonic() + PATIENCE
    while passed < 2 and time.monotonic() < end:  # it may have ended before anybody looked
        guest.work(work, *arguments)
    assert passed >= 2
    guest.close()


def test_long_work_of_a_guest_that_is_stopped_in_it_is_given_up(guest: GuestProcess) -> None:
    def work_for_ever() -> None:
        while True:
            guest.work("fill", 1.0)

    threading.Timer(0.1, stop, [guest]).start()
    start = time.monotonic()
    with pytest.raises(GuestError, match=r"has not answered for 0.3 s"):
        work_for_ever()
    assert time.monotonic() - start < 10


def test_a_stopped_guest_can_be_closed(guest: GuestProcess) -> None:
    stop(guest)
    start = time.monotonic()
    guest.close()
    assert time.monotonic() - start < 5


def stop_with_a_deadline(guest: GuestProcess) -> None:
    guest._timeout = SOON
    stop(guest)


def slow(**changes: Any) -> GuestOptions:
    return msgspec.structs.replace(SOFTWARE, size=8 << 20, **changes)


def test_a_guest_that_is_stopped_in_precopy_is_given_up_when_its_cpus_do_not_stop() -> None:
    def look(host: SourceHost) -> None:
        if host.core.phase is Phase.PRECOPY:
            stop_with_a_deadline(process_of(host))

    source, destination = migrate(slow(), switch="0.5", look=look)
    assert source.report.outcome == "failed"
    assert SILENT in source.report.why
    assert nowhere_else(source, destination) == []
    assert source.guest is None


def test_a_guest_that_is_stopped_while_the_operator_cancels_does_not_run_here() -> None:
    def look(host: SourceHost) -> None:
        if host.core.phase is Phase.PRECOPY:
            stop_with_a_deadline(process_of(host))
            host.cancel()

    source, destination = migrate(slow(), switch="60", look=look)
    assert source.report.outcome == "cancelled"
    assert SILENT in source.report.why
    assert nowhere_else(source, destination) == []
    assert source.guest
    assert source.guest.where == "lost"


@pytest.mark.slow_but("start")
@pytest.mark.parametrize("request_", ["load", "start", "stop", "check"])
def test_a_guest_that_is_stopped_at_the_destination(request_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    send = GuestProcess._ask

    def stopped(self: GuestProcess, timeout: float | None, what: str, *arguments: Any, **more: Any) -> Any:
        if what == request_ and "(destination)" in threading.current_thread().name:
            stop(self)
            timeout = timeout and SOON
        return send(self, timeout, what, *arguments, **more)

    monkeypatch.setattr(GuestProcess, "_ask", stopped)
    source, destination = migrate(slow(), switch="at-once", timeout=LOADED)
    assert nowhere_else(source, destination) == []
    assert destination.report.why
    if request_ == "load":
        assert destination.report.why == f"the devices have not been loaded within {LOADED:g} s"
    else:
        assert SILENT in destination.report.why
    assert destination.guest is None or destination.guest.where == "lost"


@pytest.mark.parametrize(
    ("why", "more", "both"), [("", "b", "b"), ("a", "b", "a; b"), ("a; b", "b", "a; b"), ("a", "a", "a")]
)
def test_two_reasons_are_said_once_each(why: str, more: str, both: str) -> None:
    assert also(why, more) == both
