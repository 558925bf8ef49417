"""Faults of the world at every message boundary of runs with recovery: the network alone never costs the guest.

Faults strike a migration whose connection has not been broken before, from the package on; and one whose first
connection broke, with a page and the end of the stream lost, at each message of the second connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_host import DestinationHost
from postcopy.engine.effects import Output
from postcopy.engine.messages import AskBitmap, Eof, ReceivedBitmap, Request, Resume, ResumeAck, Shut
from postcopy.engine.source import Phase
from postcopy.engine.source_host import SourceHost, SourceReport
from tests.conformance.mutants_in_recovery import (
    FailsAtASecondBreak,
    GivesUpAtASecondBreak,
    KeepsItsBitmap,
    TakesTheGuestBack,
)
from tests.engine.here import Hosts, Place, Run
from tests.engine.test_boundaries import (
    FAULTS,
    PACKAGE,
    PATIENCE,
    REPLIES,
    STREAM,
    Fault,
    cut,
    deaf,
    judge_any,
    kill_destination_guest,
    kill_source_guest,
    mute,
)

RUNS = PACKAGE + 2
"""After so many messages of the stream the page has come that the devices wait for, and the guest runs."""
AGAIN = 10
"""Messages on the second connection: question, RESUME, the page that was lost, and the end once more."""
FROM_THE_PACKAGE: list[Place] = [
    *(("stream", n) for n in range(PACKAGE - 1, STREAM + 1)),
    *(("replies", n) for n in range(1, REPLIES + 1)),
]
SECOND_CONNECTION: list[Place] = [
    ("calls", 2),
    *(("stream", STREAM + n) for n in range(1, AGAIN + 1)),
    *(("replies", REPLIES + n) for n in range(1, 5)),
]
FEW = ("cut-stream-23", "cut-replies-2", "kill_destination_guest-stream-24")


def strikes(fault: Fault, side: int) -> Callable[[Hosts], None]:
    def happens(hosts: Hosts) -> None:
        if fault is not cut:
            for host in (0, 1):
                hosts.lose_patience(host, PATIENCE)
        fault(hosts, side)

    return happens


def loses_a_page(hosts: Hosts) -> None:
    """What the source sends from now on is lost, and a vCPU waits for it. The destination sees the connection end."""
    hosts.touch_missing()
    hosts.lose_patience(0, 0.5)
    mute(hosts, 0)


def once(place: Place, fault: Fault, **how: Any) -> Run:
    return Hosts(recovery=True, **how).run(place, strikes(fault, 0 if place[0] == "stream" else 1))


def twice(place: Place | None, fault: Fault, **how: Any) -> Run:
    side = 1 if place is not None and place[0] == "replies" else 0
    more: dict[str, Callable[[Hosts], None]] = {f"stream_{RUNS}": loses_a_page}
    return Hosts(recovery=True, **how).run(place, strikes(fault, side), **more)


def judge(run: Run, fault: Fault) -> None:
    """What has to hold after any fault, once the package is out."""
    judge_any(run)
    assert run.conformance
    if not run.handed_over:
        assert run.where == (["source"] if fault is not kill_source_guest else [])
    elif "destination.handles_run" in run.conformance.fired and fault is not kill_destination_guest:
        assert run.where == ["destination"], "the network alone costs no guest that runs"
        assert run.outcomes[1] == "completed"
    else:
        assert run.where in ([], ["destination"])


def test_the_run_with_one_break() -> None:
    run = twice(None, cut)
    assert (run.where, run.damage, run.outcomes) == (["destination"], [], ("completed", "completed"))
    assert (len(run.stream), len(run.replies)) == (STREAM + AGAIN, REPLIES + 4)
    assert [type(message) for message in run.stream[STREAM : STREAM + 2]] == [AskBitmap, Resume]
    assert isinstance(run.stream[-1], Eof)
    assert [type(reply) for reply in run.replies[2:]] == [Request, ReceivedBitmap, ResumeAck, Request, Shut]
    assert run.replies[2] == run.replies[5], "the page that the vCPU waits for is asked for again"
    judge(run, cut)
    assert run.conformance
    assert run.conformance.over
    assert run.conformance.fired["source.receives_resume_ack"] == 1


@pytest.mark.one_in(3)
@pytest.mark.slow_but(*FEW)
@pytest.mark.parametrize("place", FROM_THE_PACKAGE, ids=lambda place: f"{place[0]}-{place[1]}")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_at_every_boundary(fault: Fault, place: Place) -> None:
    judge(once(place, fault), fault)


@pytest.mark.one_in(3)
@pytest.mark.slow_but("cut-calls-2", "cut-stream-31", "cut-replies-5", "mute-stream-34")
@pytest.mark.parametrize("place", SECOND_CONNECTION, ids=lambda place: f"{place[0]}-{place[1]}")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_at_every_boundary_of_the_second_connection(fault: Fault, place: Place) -> None:
    judge(twice(place, fault), fault)


def test_ten_breaks_in_a_row() -> None:
    """Each connection breaks when RESUME is out, and the last does not."""
    cuts: dict[str, Callable[[Hosts], None]] = {
        f"stream_{STREAM + 2 * n}": lambda hosts: cut(hosts, 0) for n in range(1, 10)
    }
    run = Hosts(recovery=True).run(None, lambda _: None, **{f"stream_{RUNS}": loses_a_page}, **cuts)
    judge(run, cut)
    assert (run.where, run.outcomes) == (["destination"], ("completed", "completed"))
    assert run.conformance
    assert run.conformance.fired["source.operator_resumes"] == 10


def test_the_old_connection_is_closed_while_no_reply_is_written() -> None:
    """Its descriptor may be that of another file at once, and the fault thread writes without the core's lock."""
    hosts = Hosts(recovery=True)
    old, held = hosts.lines[1], []
    right = old.release

    def release() -> None:
        held.append(hosts.destination._reply_lock.locked())
        right()

    vars(old)["release"] = release
    judge(hosts.run(None, lambda _: None, **{f"stream_{RUNS}": loses_a_page}), cut)
    assert held[0]


def test_an_interrupt_at_a_new_connection_costs_no_guest() -> None:
    """It comes too late to cancel, and the caller waits once more."""
    hosts = Hosts(recovery=True)
    wait, new_threads = hosts.source.wait, hosts.source._new_threads
    interrupts = [KeyboardInterrupt()]

    def wait_again(*arguments: Any) -> SourceReport:
        try:
            return wait(*arguments)
        except KeyboardInterrupt:
            assert hosts.source.core.phase is Phase.RECONNECTED
            return wait(*arguments)

    def interrupted() -> list[threading.Thread]:
        if interrupts:
            raise interrupts.pop()
        return new_threads()

    vars(hosts.source).update(wait=wait_again, _new_threads=interrupted)
    run = hosts.run(None, lambda _: None, **{f"stream_{RUNS}": loses_a_page})
    judge(run, cut)
    assert (run.where, run.outcomes) == (["destination"], ("completed", "completed"))
    assert not interrupts
    assert hosts.source.report.breaks[-1].startswith("interrupted")


def test_the_time_of_both_connections_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "thread_time", lambda: 1.0)
    hosts = Hosts(recovery=True)
    judge(hosts.run(None, lambda _: None, **{f"stream_{RUNS}": loses_a_page}), cut)
    assert (hosts.source.report.processor, hosts.destination.report.processor) == (2.0, 2.0)


# -- the engine is wrong ----------------------------------------------------------------------------------------------


class SaysThatAllHasArrived(DestinationCore):
    """Says that the pages have arrived that the guest wrote last."""

    def _say_what_arrived(self, block: str) -> Sequence[Output]:
        (reply,) = super()._say_what_arrived(block)
        assert isinstance(reply, ReceivedBitmap)
        bits = int.from_bytes(reply.bitmap, "little") | 1 << 1 | 1 << 4
        return [ReceivedBitmap(block, bits.to_bytes(len(reply.bitmap), "little"))]


WRONG: list[tuple[dict[str, Any], Place | None, Fault, str]] = [
    ({"make_source": KeepsItsBitmap}, None, cut, "costs no guest|behaviour of the model"),
    ({"make_source": FailsAtASecondBreak}, ("calls", 2), cut, "costs no guest|behaviour of the model"),
    ({"make_destination": GivesUpAtASecondBreak}, ("stream", STREAM + 1), cut, "costs no guest"),
    ({"make_destination": SaysThatAllHasArrived}, None, cut, "costs no guest|behaviour of the model"),
]


def name(how: dict[str, Any]) -> str:
    return str(next(core.__name__ for core in how.values()))


@pytest.mark.parametrize(("how", "place", "fault", "says"), WRONG, ids=[name(how) for how, *_ in WRONG])
def test_an_engine_that_is_wrong_is_found_out(
    how: dict[str, Any], place: Place | None, fault: Fault, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.engine.here.RECOVER", 1.0)
    run = twice(place, fault, **how)
    with pytest.raises(AssertionError, match=says):
        judge(run, fault)


def test_a_source_that_takes_its_guest_back_is_found_out() -> None:
    """All comes, the source does not hear of it, and the destination waits for no other connection."""
    run = once(("stream", STREAM - 1), deaf, make_source=TakesTheGuestBack)
    with pytest.raises(AssertionError, match=r"what is reported|two guests|costs no guest"):
        judge(run, cut)


def test_a_destination_that_closes_the_new_connection_late_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A10: the clean-up of the old connection closes the new one."""
    right = DestinationHost._recover

    def closes(self: DestinationHost) -> None:
        right(self)
        self._connection.close()

    monkeypatch.setattr(DestinationHost, "_recover", closes)
    monkeypatch.setattr("tests.engine.here.RECOVER", 1.0)
    monkeypatch.setattr("tests.engine.here.BOUND", 2.0)
    run = twice(None, cut)
    assert run.hangs or run.where != ["destination"]


def test_a_source_that_does_not_try_again_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(self: SourceHost, _: object) -> bool:
        self._give_up("as it happens")
        return False

    monkeypatch.setattr(SourceHost, "_recover", gives_up)
    run = twice(None, cut)
    with pytest.raises(AssertionError, match="costs no guest"):
        judge(run, cut)
