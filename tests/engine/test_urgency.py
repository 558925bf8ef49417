"""Threads that an urgent page passes through run first, where the system permits it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from postcopy.engine.urgency import PRIORITY, prefer_this_thread
from tests.engine.here import Hosts

POLICY = "import os; print(os.sched_getscheduler(0))"


def in_a_thread(what: Callable[[], None]) -> None:
    thread = threading.Thread(target=what)
    thread.start()
    thread.join()


def permitted() -> bool:
    found: list[bool] = []
    in_a_thread(lambda: found.append(prefer_this_thread()))
    return found[0]


@pytest.mark.skipif(not permitted(), reason="priorities of real time are not permitted here")
def test_a_thread_runs_first_and_what_it_starts_does_not() -> None:
    found: list[object] = []

    def look() -> None:
        prefer_this_thread()
        found.append((os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(0).sched_priority))
        found.append(int(subprocess.run([sys.executable, "-c", POLICY], stdout=subprocess.PIPE, check=True).stdout))

    in_a_thread(look)
    assert found == [(os.SCHED_RR, PRIORITY), os.SCHED_OTHER]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER, "no other thread does"


def test_without_permission_all_run_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert not prefer_this_thread()


def test_threads_that_send_and_place_all_pages_themselves_do_not_run_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for host in ("source_host", "destination_host"):
        monkeypatch.setattr(f"postcopy.engine.{host}.prefer_this_thread", lambda: asked.append(""))
    run = Hosts(preempt=True).run(None, lambda _: None)
    assert run.outcomes == ("completed", "completed")
    assert not asked
