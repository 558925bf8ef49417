"""What is seen of two QEMUs is held against what a story violates."""

from __future__ import annotations

from typing import Any

import pytest

from postcopy.replay.ends import JUDGEMENTS, as_the_model_says
from postcopy.replay.hosts import Position
from postcopy.replay.results import End, SideEnd

LAST = {"source.running": False, "destination.running": True, "destination.state": "FAILED"}


def side(status: str = "", **how: Any) -> SideEnd:
    usual: dict[str, Any] = {"exit": None, "answers": True, "statuses": (status,) if status else (), "runs": False}
    usual |= {"position": None, "moves": False, "complaint": ""}
    return SideEnd(**(usual | how))


GONE = side("failed", exit=1, answers=False, runs=None)
ABORTED = side("postcopy-active", exit=-6, answers=False, runs=None, complaint="Assertion failed.")
RUNS = side("failed", runs=True, moves=True, position=Position(100, 5))
AHEAD = side("postcopy-paused", runs=True, position=Position(120, 0))
STANDS = side("failed")
PAUSED = side("postcopy-paused", runs=True)
DEVICE = side("postcopy-device")
DONE = side("completed", runs=True, moves=True)
SILENT = side("completed", answers=False, runs=None)


@pytest.mark.parametrize(
    ("broken", "source", "destination", "so"),
    [
        ("no-two-guests", RUNS, AHEAD, "20 pages of work behind"),
        ("no-two-guests", STANDS, PAUSED, ""),
        ("no-two-guests", RUNS, GONE, ""),
        ("guest-lost-only-with-host", STANDS, PAUSED, "has no guest"),
        ("guest-lost-only-with-host", RUNS, PAUSED, ""),
        ("guest-lost-only-with-host", STANDS, DONE, ""),
        ("guest-lost-only-with-host", side("postcopy-paused"), PAUSED, ""),
        ("failed-is-true", STANDS, PAUSED, "says failed"),
        ("failed-is-true", STANDS, GONE, ""),
        ("paused-can-resume", STANDS, PAUSED, "the destination has paused"),
        ("paused-can-resume", side("postcopy-paused"), GONE, "the source has paused"),
        ("paused-can-resume", side("postcopy-paused"), PAUSED, ""),
        ("fails-for-a-reason", DEVICE, GONE, "has ended with 1"),
        ("fails-for-a-reason", side("completed"), DONE, ""),
        ("no-process-aborts", STANDS, ABORTED, "signal 6: Assertion failed."),
        ("no-process-aborts", STANDS, GONE, ""),
        ("no-process-aborts", side("postcopy-active", exit=-9), PAUSED, ""),
        ("no-deadlock", DEVICE, side("postcopy-device"), "nothing moves"),
        ("no-deadlock", side("postcopy-active", exit=-9), SILENT, "is not answered"),
        ("no-deadlock", side("completed"), DONE, ""),
        ("no-deadlock", RUNS, GONE, ""),
    ],
)
def test_an_end_is_judged(broken: str, source: SideEnd, destination: SideEnd, so: str) -> None:
    found = JUDGEMENTS[broken](End(source, destination), LAST)
    assert bool(found) is bool(so)
    assert so in found


def test_any_other_story_ends_where_the_guest_runs_as_in_the_model() -> None:
    assert "as in the model" in as_the_model_says(End(STANDS, DONE), LAST)
    assert not as_the_model_says(End(RUNS, DONE), LAST)
    assert not as_the_model_says(End(RUNS, GONE), LAST)
