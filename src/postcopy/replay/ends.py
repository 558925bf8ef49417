"""The end of a replay: what is seen of both QEMUs, and whether it is what the story violates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from postcopy.recording.wire_files import Side
from postcopy.replay.hosts import Hosts
from postcopy.replay.results import End, SideEnd
from postcopy.replay.stage import Values

LOOK = 0.5
"""Time between two looks at a guest, in seconds."""
OVER = frozenset(("completed", "failed", "cancelled"))

Judgement: TypeAlias = Callable[[End, Values], str]
"""What is so of two QEMUs, in words, given the last state of the story; empty where it is not."""


def look_at(hosts: Hosts) -> End:
    """Both sides as they are now."""
    ends = [_look(hosts, side) for side in ("source", "destination")]
    return End(*ends)


def _look(hosts: Hosts, side: Side) -> SideEnd:
    running = None if hosts.gone(side) else hosts.running(side)
    before = position = None
    if running is not None:
        before = hosts.position(side)
        time.sleep(LOOK)
        position = hosts.position(side)
    return SideEnd(
        exit=hosts.exit_code(side, 0),
        answers=running is not None,
        statuses=hosts.statuses(side),
        runs=running,
        position=position,
        moves=bool(running and before and position and before != position),
        complaint=hosts.complaint(side),
    )


def _two_guests(end: End, _: Values) -> str:
    if not (end.source.runs and end.destination.runs):
        return ""
    behind = f"; the source's is {end.went_back} pages of work behind" if end.went_back else ""
    return f"the guest runs on both sides{behind}"


def _gave_up(side: SideEnd) -> bool:
    return side.exit is not None or side.status in ("failed", "cancelled")


def _waits(side: SideEnd) -> bool:
    return side.exit is None and side.status == "postcopy-paused"


def _lost(end: End, _: Values) -> str:
    if _gave_up(end.source) and not end.source.runs and (_gave_up(end.destination) or _waits(end.destination)):
        here = _said(end.source)
        return f"the source {here} and has no guest; the destination {_said(end.destination)}"
    return ""


def _failed_and_runs(end: End, _: Values) -> str:
    if end.source.status in ("failed", "cancelled") and end.destination.runs:
        return f"the source says {end.source.status}, and the guest runs at the destination"
    return ""


def _paused_in_vain(end: End, _: Values) -> str:
    for one, name, other in ((end.source, "source", end.destination), (end.destination, "destination", end.source)):
        refuses = other.exit is not None or other.status in OVER
        had_paused = "postcopy-paused" in one.statuses
        if (_waits(one) or (had_paused and _gave_up(one))) and refuses:
            return f"the {name} has paused, and {_said(one)}; the other side {_said(other)}"
    return ""


def _failed_without_reason(end: End, last: Values) -> str:
    gave_up = end.destination if last["destination.state"] == "FAILED" else end.source
    return f"it {_said(gave_up)}, and nothing has broken" if _gave_up(gave_up) else ""


def _aborted(end: End, _: Values) -> str:
    for name, side in (("source", end.source), ("destination", end.destination)):
        if side.exit is not None and side.exit < 0 and side.exit != -9:
            return f"the {name} died of signal {-side.exit}: {side.complaint}"
    return ""


def _stuck(end: End, _: Values) -> str:
    waiting = [side.exit is None and not side.moves and side.status not in OVER for side in end.sides]
    if all(waiting):
        return f"nothing moves: the source {_said(end.source)}, the destination {_said(end.destination)}"
    if end.destination.exit is None and not end.destination.answers:
        return f"the destination's monitor is not answered; its last status is {end.destination.status}"
    return ""


JUDGEMENTS: Mapping[str, Judgement] = {
    "no-two-guests": _two_guests,
    "no-way-back": _two_guests,
    "guest-lost-only-with-host": _lost,
    "no-guest-lost": _lost,
    "failed-is-true": _failed_and_runs,
    "paused-can-resume": _paused_in_vain,
    "fails-for-a-reason": _failed_without_reason,
    "no-process-aborts": _aborted,
    "no-deadlock": _stuck,
    "big-lock-comes-free": _stuck,
}
"""By the name of the property that a story violates."""
AT_REST = frozenset(("no-deadlock", "big-lock-comes-free", "fails-for-a-reason"))
"""Those that are judged when all was let through: that nothing goes on is seen no sooner, nor what fails by itself."""


def as_the_model_says(end: End, last: Values) -> str:
    """The same for any other story: the guest runs where it does in the story's last state."""
    wanted = bool(last["source.running"]), bool(last["destination.running"])
    if (bool(end.source.runs), bool(end.destination.runs)) != wanted:
        return ""
    where = [name for name, runs in zip(("source", "destination"), wanted, strict=True) if runs]
    return f"the guest runs at {' and '.join(where) or 'neither side'}, as in the model"


def _said(side: SideEnd) -> str:
    if side.exit is not None:
        return f"has ended with {side.exit}"
    return f"says {side.status or 'nothing'}"
