"""The cores across a break of the connection: what is lost comes again, and what must not be said is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postcopy.engine.destination_steps import State
from postcopy.engine.effects import GiveUpGuest
from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.log import Step
from postcopy.engine.messages import AskBitmap, Page, Ping, ReceivedBitmap, Request, Resume, ResumeAck, Shut
from postcopy.engine.source import RECOVERING, Phase
from tests.engine.cores import PAGE, Pair, small, snapshot

Do = Callable[[Pair], object]


def in_postcopy(pages: int = 8, group: int = 1) -> Pair:
    pair = Pair(small(pages, group), recovery=True)
    pair.to_postcopy([range(pages)])
    return pair


def lose_a_page(pair: Pair) -> int:
    """It counts as sent, and does not arrive."""
    (page,) = pair.source.next_pages()
    return page


def test_what_was_lost_comes_again_and_nothing_else() -> None:
    pair = in_postcopy()
    assert pair.send_pages(3) == [0, 1, 2]
    assert [lose_a_page(pair), lose_a_page(pair)] == [3, 4]
    pair.to_break()
    assert (pair.source.paused, pair.destination.state) == (True, State.PAUSED)
    assert (pair.source.guest_may_run, pair.destination.guest_runs) == (False, True)
    pair.to_resumed()
    assert not pair.source.paused
    assert pair.send_pages() == [3, 4, 5, 6, 7]
    pair.to_end()
    assert pair.memory == {page: bytes([page + 1]) * PAGE for page in range(8)}
    assert pair.source.phase is Phase.COMPLETED


def test_any_number_of_breaks() -> None:
    pair = in_postcopy(32)
    places: list[Callable[[Any], Any]] = [
        lambda p: p.to_connection(),
        lambda p: (p.to_connection(), p.source.ask_what_arrived()),
        lambda p: (p.to_connection(), p.deliver(p.source.ask_what_arrived())),
        lambda p: (p.to_connection(), p.deliver(p.source.ask_what_arrived()), p.source.resume()),
        lambda p: p.to_resumed(),
        lambda p: (p.to_resumed(), p.send_pages(1), lose_a_page(p)),
        lambda p: (p.to_resumed(), p.send_pages(), p.source.end_postcopy()),
    ]
    pair.to_break()
    for until in [*places[:-1] * 3, places[-1], places[-1]]:
        until(pair)
        pair.to_break()
        assert (pair.source.paused, pair.destination.state) == (True, State.PAUSED)
    pair.to_resumed()
    pair.to_end()
    assert pair.memory == {page: bytes([page + 1]) * PAGE for page in range(32)}


def test_the_end_is_sent_again_where_it_was_lost() -> None:
    pair = in_postcopy()
    pair.send_pages()
    pair.source.end_postcopy()
    pair.to_break()
    pair.to_resumed()
    assert pair.send_pages() == []
    pair.to_end()
    assert pair.source.phase is Phase.COMPLETED


def test_an_end_that_was_read_needs_no_other_connection() -> None:
    pair = in_postcopy()
    pair.send_pages()
    pair.deliver(pair.source.end_postcopy())
    assert pair.destination.lose("cut") == []
    assert pair.destination.end()


def test_open_requests_are_made_again_and_those_of_the_pause_for_the_first_time() -> None:
    pair = in_postcopy()
    (served,) = pair.destination.fault(6, "device load")
    pair.source.receive(served)  # type: ignore[arg-type]
    assert pair.send_pages(1) == [6]
    assert pair.destination.fault(5, "vCPU 0")
    pair.to_break()
    assert pair.destination.fault(2, "vCPU 1") == []
    assert pair.destination.fault(5, "vCPU 1") == []
    pair.to_resumed()
    made: list[object] = []
    while outputs := pair.destination.request_unread():
        made += outputs
    assert [(output.block, output.offset) for output in made if isinstance(output, Request)] == [
        ("low", 2 * PAGE),
        ("low", 5 * PAGE),
    ]
    assert [(r.step, r.page, r.who) for r in pair.log if r.step in (Step.REQUESTED, Step.REQUESTED_AGAIN)][2:] == [
        (Step.REQUESTED, 2, "vCPU 1"),
        (Step.REQUESTED_AGAIN, 5, ""),
    ]


def test_what_is_open_outlives_several_breaks() -> None:
    pair = in_postcopy()
    pair.destination.fault(5, "vCPU 0")
    for _ in range(3):
        pair.to_break()
        pair.to_resumed()
        assert list(pair.destination.unread) == [5]
    assert pair.destination.request_unread()
    assert pair.destination.request_unread() == []
    pair.to_break()
    assert pair.destination.request_unread() == []
    pair.to_resumed()
    assert list(pair.destination.unread) == [5]


def test_parts_of_a_host_page_come_again() -> None:
    pair = in_postcopy(8, 2)
    pair.deliver([pair.page(n) for n in pair.source.next_pages()])
    assert pair.destination.assembly
    pair.to_break()
    assert not pair.destination.assembly
    pair.to_resumed()
    assert pair.send_pages() == list(range(8))
    pair.to_end()
    assert pair.memory == {page: bytes([page + 1]) * PAGE for page in range(8)}


def test_without_recovery_a_break_costs_the_guest() -> None:
    pair = Pair(small(8))
    pair.to_postcopy([range(8)])
    assert pair.destination.lose("cut") == [GiveUpGuest()]
    pair.source.lose("cut")
    assert (pair.source.phase, pair.destination.state) == (Phase.FAILED, State.FAILED)


def test_before_the_switch_and_before_run_nothing_pauses() -> None:
    pair = Pair(small(8), recovery=True)
    pair.to_precopy()
    pair.to_break()
    assert (pair.source.phase, pair.destination.state) == (Phase.FAILED, State.FAILED)
    assert pair.source.guest_may_run
    pair = Pair(small(8), recovery=True)
    pair.to_package()
    pair.destination.listen()
    pair.to_break()
    assert (pair.source.paused, pair.destination.state) == (True, State.FAILED)
    pair.source.give_up("no connection")
    assert not pair.source.guest_may_run


@pytest.mark.parametrize("until", [lambda p: p.to_break(), lambda p: (p.to_break(), p.to_connection()), lambda _: None])
def test_a_host_that_gives_up_never_runs_the_guest(until: Do) -> None:
    pair = in_postcopy()
    until(pair)
    pair.source.give_up("no connection")
    assert pair.destination.give_up("no connection") == [GiveUpGuest()]
    assert (pair.source.phase, pair.source.guest_may_run) == (Phase.FAILED, False)
    assert (pair.destination.state, pair.destination.guest_runs) == (State.FAILED, False)
    pair.source.give_up("once more")
    pair.source.lose("once more")
    assert pair.destination.give_up("once more") == pair.destination.lose("once more") == []


def asked(pair: Pair) -> None:
    pair.send_pages(2)
    pair.to_break()
    pair.to_connection()
    pair.source.ask_what_arrived()


def low_is_here(pair: Pair) -> None:
    asked(pair)
    pair.source.receive(ReceivedBitmap("low", b"\3" + bytes(7)))


def resuming(pair: Pair) -> None:
    asked(pair)
    pair.source.receive(ReceivedBitmap("low", b"\3" + bytes(7)))
    pair.source.receive(ReceivedBitmap("high", bytes(8)))
    pair.source.resume()


LIES: list[tuple[Do, Any, str]] = [
    (asked, ReceivedBitmap("low", b"\7" + bytes(7)), "page 2 is said to have arrived, and has not been sent (R10)"),
    (asked, ReceivedBitmap("high", b"\1" + bytes(7)), "page 7 is said to have arrived, and has not been sent (R10)"),
    (asked, ReceivedBitmap("low", bytes(16)), "the bitmap of low has 16 bytes instead of 8"),
    (asked, ReceivedBitmap("low", b""), "the bitmap of low has 0 bytes instead of 8"),
    (asked, ReceivedBitmap("low", b"\x80" + bytes(7)), "the bitmap of low has a page behind its end"),
    (asked, ReceivedBitmap("no", bytes(8)), "the bitmap of no comes, and nothing asks for it"),
    (low_is_here, ReceivedBitmap("low", bytes(8)), "the bitmap of low comes, and nothing asks for it"),
    (asked, ResumeAck(1), "RESUME_ACK comes in ASKED, and nothing asks for it (R19)"),
    (resuming, ReceivedBitmap("low", bytes(8)), "a bitmap comes in RESUMING, and nothing asks for it (R19)"),
    (resuming, ResumeAck(0), "RESUME is acknowledged with 0 instead of 1"),
    (resuming, Request("low", 0, PAGE), "a request comes in RESUMING: no page can be missing yet (R16)"),
    (resuming, Shut(0), "SHUT comes in RESUMING, not after the end of the stream (R24)"),
    (lambda p: p.to_break(), ReceivedBitmap("low", bytes(8)), "ReceivedBitmap comes in PAUSED (R19)"),
]


@pytest.mark.parametrize(("until", "reply", "why"), LIES, ids=[why for *_, why in LIES])
def test_what_a_destination_may_not_do_in_recovery(until: Do, reply: Any, why: str) -> None:
    pair = in_postcopy()
    until(pair)
    before = snapshot(pair.source), len(pair.log)
    with pytest.raises(RemoteProtocolError) as error:
        pair.source.receive(reply)
    assert why in str(error.value)
    assert (snapshot(pair.source), len(pair.log)) == before


@pytest.mark.parametrize("phase", RECOVERING)
def test_a_request_of_a_qemu_before_its_acknowledgement_is_left_to_it(phase: Phase) -> None:
    """Its fault thread writes to a new connection at once where it has not noticed the break. Its acknowledgement is
    followed by requests for all pages that it waits for."""
    pair = Pair(small(8), qemu=True, recovery=True)
    pair.to_package([range(8)])
    pair.source.lose("cut")
    pair.source.phase = phase
    before = snapshot(pair.source), len(pair.log)
    pair.source.receive(Request("low", 0, PAGE))
    assert (snapshot(pair.source), len(pair.log)) == before
    with pytest.raises(RemoteProtocolError, match="there is no block no"):
        pair.source.receive(Request("no", 0, PAGE))


def test_a_bitmap_has_whole_host_pages() -> None:
    pair = in_postcopy(8, 2)
    pair.send_pages(4)
    pair.to_break()
    pair.to_connection()
    pair.source.ask_what_arrived()
    for bits, page in ((b"\1", "0 or 1"), (b"\6", "1 or 3")):
        with pytest.raises(RemoteProtocolError, match=rf"a part of the host page of page {page} has arrived \(R21\)"):
            pair.source.receive(ReceivedBitmap("low", bits + bytes(7)))


def connected(pair: Pair) -> None:
    pair.to_break()
    pair.to_connection()


def asked_here(pair: Pair) -> None:
    connected(pair)
    pair.deliver(pair.source.ask_what_arrived()[:1])


NO_QUESTIONS: list[tuple[Do, Any, str]] = [
    (connected, AskBitmap("no"), "there is no block no"),
    (asked_here, AskBitmap("low"), "the bitmap of low is asked for a second time"),
    (connected, Resume(), "RESUME comes before the bitmap of low was asked for"),
    (asked_here, Resume(), "RESUME comes before the bitmap of high was asked for"),
    (connected, Page("low", 0, bytes(PAGE)), "Page comes before RESUME"),
    (connected, Ping(1), "Ping comes before RESUME"),
]


@pytest.mark.parametrize(("until", "message", "why"), NO_QUESTIONS, ids=[why for *_, why in NO_QUESTIONS])
def test_what_a_source_may_not_do_in_recovery(until: Do, message: Any, why: str) -> None:
    pair = in_postcopy()
    until(pair)
    before = snapshot(pair.destination), len(pair.log)
    with pytest.raises(RemoteProtocolError, match=why):
        pair.destination.receive_listening(message)
    assert (snapshot(pair.destination), len(pair.log)) == before


def test_a_new_connection_that_is_broken_is_no_connection() -> None:
    pair = in_postcopy()
    pair.to_break()
    pair.destination.wait_for_connection()
    pair.destination.accept(broken=True)
    assert (pair.destination.state, pair.destination.return_path_open) == (State.PAUSED, False)


def test_without_recovery_nothing_is_kept_for_it() -> None:
    pair = Pair(small(8))
    pair.to_postcopy([range(8)])
    before = snapshot(pair.destination)
    pair.destination.fault(1)
    assert snapshot(pair.destination) == before
    assert not pair.source.recoverable


def test_a_source_that_gives_up_before_the_package_keeps_its_guest() -> None:
    pair = Pair(small(8), recovery=True)
    pair.to_precopy()
    pair.source.give_up("a mistake")
    assert (pair.source.phase, pair.source.guest_may_run) == (Phase.FAILED, True)
