"""The run that other tests count messages of is the same where a message counts a moment after it is out.

Its list is written by the thread that has sent the message, and read by others. Who waits for more messages than there
were, and counts those that are out and not in the list yet, goes on too early, or waits for one that has come.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine import here, test_boundaries_in_recovery, test_boundaries_with_both
from tests.engine.here import Hosts, Run

LATE = 0.03
"""Seconds from a message's going out to its being counted, and as many to the next: longer than others look away."""
RUNS = {
    "with recovery": test_boundaries_in_recovery.test_the_run_with_one_break,
    "with both": test_boundaries_with_both.test_the_run_with_one_break,
}


class Late(list[Any]):
    """Messages that are counted so many seconds late."""

    def __init__(self, seconds: float = LATE) -> None:
        super().__init__()
        self._seconds = seconds

    def append(self, message: Any) -> None:
        time.sleep(self._seconds)
        super().append(message)
        time.sleep(self._seconds)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stream", "replies", "urgent"])
@pytest.mark.parametrize("run", RUNS)
def test_the_run_with_one_break(run: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    late: Any = {kind: Late()}
    monkeypatch.setattr(here, "Run", lambda: Run(**late))
    RUNS[run]()


@pytest.mark.slow
def test_a_wait_for_any_reply_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An earlier one ends the wait as soon as it is counted: the connection breaks before the page is asked for."""
    monkeypatch.setattr(Hosts, "_requests", lambda hosts, _page: len(hosts.run_.replies))
    monkeypatch.setattr(here, "Run", lambda: Run(replies=Late(10 * LATE)))

    def some_runs() -> None:
        for _ in range(3):  # in one of them other threads may have been slower still
            RUNS["with recovery"]()

    with pytest.raises(AssertionError):
        some_runs()
